//! What is hidden in the data for others to find: affinities between stores and anomalies.

use jiff::civil::Date;

use super::{
    calendar::{Calendar, Moment},
    cards::Cards,
    categories::{CATEGORIES, CATEGORY_COUNT, FOLLOWS},
    places::PLACES,
    random::{mix, scale},
    stores::{Stores, Thinning},
};

/// A pair of stores: a card that pays in the first one tends to pay in the other one some hours
/// later on the same day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// Id of the store that is visited first.
    pub first: String,
    /// Id of the store that is visited next.
    pub next: String,
}

/// Something unusual at one store on some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Id of the store.
    pub store_id: String,
    /// What is unusual.
    pub kind: AnomalyKind,
    /// First day on which it shows.
    pub from: Date,
    /// Last day on which it shows.
    pub to: Date,
}

/// Kinds of planted anomalies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// One day with some eight times the usual payments, at least about 20.
    Spike,
    /// A week with a tenth of the usual payments.
    Drop,
    /// Three days without any payment.
    Closed,
    /// One card pays the same amount again and again within a day, minutes apart.
    RepeatedPayments {
        /// The card that pays.
        card_id: String,
        /// How often, at least.
        count: u64,
    },
    /// From a day to the period's end, a third of the usual payments.
    LevelShift,
    /// Five days in a row with some six times the usual payments, which together hide each other
    /// from methods that rest on the mean and the deviation.
    Outliers,
}

/// Smallest plan that gets anomalies.
const STORES_MIN: u32 = 40;
const DAYS_MIN: usize = 60;
const ROWS_A_DAY_MIN: u64 = 100;
const REPEATS: u64 = 6;
const AFFINITIES_MAX: u32 = 100;

/// Rows of a day that go to a planted store.
pub(super) struct Planting {
    pub(super) store: u32,
    /// Position within the day of the first row, and of each next one after it.
    start: u64,
    stride: u64,
    count: u64,
    /// The card and the ticket's bits where they are planted, too.
    pub(super) payment: Option<(u32, u64)>,
}

impl Planting {
    /// Whether the row at `position` of the day is planted.
    pub(super) fn covers(&self, position: u64) -> bool {
        position.checked_sub(self.start).is_some_and(|distance| {
            distance % self.stride == 0 && distance / self.stride < self.count
        })
    }
}

/// Everything planted in a plan.
#[derive(Default)]
pub(super) struct Planted {
    /// By day.
    plantings: Vec<Vec<Planting>>,
    /// Ranks of (first, next) stores.
    pub(super) affinities: Vec<(u32, u32)>,
    pub(super) anomalies: Vec<PlantedAnomaly>,
}

/// An [`Anomaly`] in the generator's own terms.
pub(super) struct PlantedAnomaly {
    pub(super) store: u32,
    pub(super) kind: PlantedKind,
    /// First and last day.
    pub(super) days: (usize, usize),
}

#[derive(Clone, Copy)]
pub(super) enum PlantedKind {
    Spike,
    Drop,
    Closed,
    Repeated { card: u32 },
    LevelShift,
    Outliers,
}

impl PlantedKind {
    /// In words for callers, who know cards by their ids.
    pub(super) fn describe(self, card_id: impl Fn(u32) -> String) -> AnomalyKind {
        match self {
            Self::Spike => AnomalyKind::Spike,
            Self::Drop => AnomalyKind::Drop,
            Self::Closed => AnomalyKind::Closed,
            Self::Repeated { card } => AnomalyKind::RepeatedPayments {
                card_id: card_id(card),
                count: REPEATS,
            },
            Self::LevelShift => AnomalyKind::LevelShift,
            Self::Outliers => AnomalyKind::Outliers,
        }
    }
}

impl Planted {
    /// Plants anomalies and affinities, changing the stores that they concern. Plans too small
    /// to show them (40 stores, 60 days, 100 rows a day) get no anomalies.
    pub(super) fn new(
        stores: &mut Stores,
        calendar: &Calendar,
        cards: &Cards,
        card_count: u32,
        seed: u64,
    ) -> Self {
        let days = calendar.days().len();
        let mut planted = Self::default();
        planted.plantings.resize_with(days, Vec::new);
        let count = u32::try_from(stores.list().len()).unwrap_or(u32::MAX);
        let rows = calendar.days().iter().map(|day| day.rows).sum::<u64>();
        let mut rank = CATEGORY_COUNT;
        if count >= STORES_MIN && days >= DAYS_MIN && rows / days as u64 >= ROWS_A_DAY_MIN {
            for set in 0..(count / 2000).clamp(1, 10) {
                let card = cards.card(scale(mix(seed ^ u64::from(set)), card_count)).id;
                for (kind, percent) in kinds(card) {
                    let percent = percent + set as usize * 3 % 20;
                    planted.anomaly(stores, calendar, rank, kind, days * percent / 100);
                    rank += 1;
                }
            }
        }
        planted.affinities(stores, rank, (count / 50).clamp(1, AFFINITIES_MAX));
        planted
    }

    pub(super) fn on(&self, day: usize) -> &[Planting] {
        &self.plantings[day]
    }

    fn anomaly(
        &mut self,
        stores: &mut Stores,
        calendar: &Calendar,
        store: u32,
        kind: PlantedKind,
        from: usize,
    ) {
        let end = calendar.days().len();
        stores.get_mut(store).always_open();
        let mut thin = |to: usize, keep_permille: u32| {
            stores.get_mut(store).thinned = Some(Thinning {
                from,
                to,
                keep_permille,
            });
            to - 1
        };
        let last = match kind {
            PlantedKind::Drop => thin(from + 7, 100),
            PlantedKind::Closed => thin(from + 3, 0),
            PlantedKind::LevelShift => thin(end, 333),
            PlantedKind::Spike => {
                self.burst(stores, calendar, store, from, 8);
                from
            }
            PlantedKind::Outliers => {
                (from..from + 5).for_each(|day| self.burst(stores, calendar, store, day, 6));
                from + 4
            }
            PlantedKind::Repeated { card } => {
                self.repeat(stores, calendar, store, from, card);
                from
            }
        };
        self.anomalies.push(PlantedAnomaly {
            store,
            kind,
            days: (from, last),
        });
    }

    /// Sends rows at regular distances of the day to the store: `times` its usual number.
    fn burst(&mut self, stores: &Stores, calendar: &Calendar, store: u32, day: usize, times: u64) {
        let rows = calendar.days()[day].rows;
        let category = stores.get(store).category;
        let share_e12 = calendar.category_share_e6(day, category) * stores.share_e6(store);
        let usual_e6 = rows * (share_e12 / 1_000_000);
        let wanted = (times * usual_e6 / 1_000_000).max(30);
        let stride = (rows / wanted).max(4);
        let start = u64::from(store) % stride;
        let planting = Planting {
            store,
            start,
            stride,
            count: u64::MAX,
            payment: None,
        };
        self.plantings[day].push(planting);
    }

    /// Lets one card pay the same amount every few minutes, while the store is open.
    fn repeat(&mut self, stores: &Stores, calendar: &Calendar, store: u32, day: usize, card: u32) {
        let category = &CATEGORIES[stores.get(store).category];
        let (first_row, rows) = (calendar.days()[day].first_row, calendar.days()[day].rows);
        let stride = (rows / 960).max(1);
        let is_open = |position: u64| {
            position < rows
                && category.is_open_at(calendar.moment(first_row + position, day, 0).hour())
        };
        let start = (0..rows)
            .step_by(usize::try_from(stride).unwrap_or(1))
            .skip(480)
            .find(|&start| is_open(start) && is_open(start + stride * REPEATS))
            .unwrap_or(rows / 2);
        let payment = Some((card, mix(u64::from(store))));
        // Before the bursts of that day: each of its few rows matters.
        let planting = Planting {
            store,
            start,
            stride,
            count: REPEATS,
            payment,
        };
        self.plantings[day].insert(0, planting);
    }

    /// Pairs up to `wanted` stores, from `rank` down, with one that goes with them nearby.
    fn affinities(&mut self, stores: &mut Stores, rank: u32, wanted: u32) {
        let count = u32::try_from(stores.list().len()).unwrap_or(u32::MAX);
        let mut is_taken = vec![false; count as usize];
        for first in rank..count {
            if self.affinities.len() >= wanted as usize {
                break;
            }
            if is_taken[first as usize] {
                continue;
            }
            let next = (rank..count)
                .find(|&next| !is_taken[next as usize] && goes_after(stores, first, next));
            if let Some(next) = next {
                is_taken[first as usize] = true;
                is_taken[next as usize] = true;
                stores.get_mut(first).always_open();
                stores.get_mut(next).always_open();
                stores.get_mut(first).followed_by = Some(next);
                self.affinities.push((first, next));
            }
        }
    }
}

/// The six kinds, and where in the period they begin, in percent of its days.
fn kinds(card: u32) -> [(PlantedKind, usize); 6] {
    [
        (PlantedKind::Spike, 30),
        (PlantedKind::Drop, 45),
        (PlantedKind::Closed, 60),
        (PlantedKind::Repeated { card }, 35),
        (PlantedKind::LevelShift, 50),
        (PlantedKind::Outliers, 55),
    ]
}

/// Whether the two stores are in one province and of categories that follow each other.
fn goes_after(stores: &Stores, first: u32, next: u32) -> bool {
    let (first, next) = (stores.get(first), stores.get(next));
    let categories = (
        CATEGORIES[first.category].name,
        CATEGORIES[next.category].name,
    );
    PLACES[first.place].province == PLACES[next.place].province && FOLLOWS.contains(&categories)
}

/// Whether a store takes payments at that hour.
pub(super) fn is_open_at(stores: &Stores, store: u32, moment: Moment) -> bool {
    CATEGORIES[stores.get(store).category].is_open_at(moment.hour())
}
