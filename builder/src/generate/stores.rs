//! Where people pay: stores with a size, a place, a category, opening days and chains.

use super::{
    cards::Card,
    categories::{CATEGORIES, CATEGORY_COUNT, Category},
    places::PLACES,
    random::{AliasTable, Rng, Shuffle, Stream, mix, zipf_weight},
};

/// Flattens the head of the stores' Zipf law: the largest store has 1 / (ln(n / 9) * 9) of all.
const SIZE_OFFSET: u64 = 9;
/// How many stores are tried before the category's largest one, which is always open.
const ATTEMPTS: u64 = 5;
/// A weekday that does not exist: never closed.
pub(super) const NEVER: u8 = 7;

/// A store, as the generator sees it.
pub(super) struct Store {
    pub(super) id: u32,
    /// Index into `CATEGORIES`.
    pub(super) category: usize,
    /// Index into `PLACES`.
    pub(super) place: usize,
    pub(super) latitude_e5: u32,
    pub(super) longitude_e5: u32,
    pub(super) merchant: u32,
    pub(super) in_chain: bool,
    /// Its prices, in percent of the category's.
    pub(super) price_percent: u32,
    /// First day of business.
    pub(super) opens: usize,
    /// Day after the last day of business.
    pub(super) closes: usize,
    /// Weekday without business, 0 is Monday, or [`NEVER`].
    pub(super) weekly_closing: u8,
    /// Days on which only some of its payments happen.
    pub(super) thinned: Option<Thinning>,
    /// Where its cards go next: the rank of another store.
    pub(super) followed_by: Option<u32>,
}

/// Days `from..to` on which `keep_permille` of a thousand payments happen.
#[derive(Clone, Copy)]
pub(super) struct Thinning {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) keep_permille: u32,
}

impl Store {
    /// Whether a payment drawn with `rng` happens here on `day`.
    pub(super) fn takes(&self, day: usize, weekday: u8, rng: &mut Rng) -> bool {
        let open = (self.opens..self.closes).contains(&day) && self.weekly_closing != weekday;
        open && match self.thinned {
            Some(thinned) if (thinned.from..thinned.to).contains(&day) => {
                rng.permille(thinned.keep_permille)
            }
            _ => true,
        }
    }

    /// Lets the store do business on every day.
    pub(super) fn always_open(&mut self) {
        (self.opens, self.closes, self.weekly_closing) = (0, usize::MAX, NEVER);
    }
}

/// Stores to choose from, the large ones more often.
#[derive(Default)]
struct Shelf {
    ranks: Vec<u32>,
    weights: Vec<u64>,
}

impl Shelf {
    fn push(&mut self, rank: u32) {
        self.ranks.push(rank);
        self.weights.push(zipf_weight(u64::from(rank), SIZE_OFFSET));
    }

    fn freeze(self) -> Choice {
        Choice {
            table: AliasTable::new(&self.weights),
            ranks: self.ranks,
        }
    }
}

/// A finished [`Shelf`].
struct Choice {
    ranks: Vec<u32>,
    table: AliasTable,
}

impl Choice {
    fn pick(&self, bits: u64) -> Option<u32> {
        self.ranks.get(self.table.pick(bits)).copied()
    }
}

/// The stores of a plan by rank: 0 is the largest.
pub(super) struct Stores {
    list: Vec<Store>,
    /// By category.
    national: Vec<Choice>,
    /// By place, then category.
    local: Vec<Choice>,
    /// By category, the sum of the weights.
    weights: Vec<u64>,
}

impl Stores {
    pub(super) fn new(count: u32, days: usize, seed: u64) -> Self {
        let shuffle = Shuffle::new(count, seed);
        let builder = Builder::new(count, days, seed);
        let list = (0..count)
            .map(|rank| builder.store(rank, shuffle.at(rank)))
            .collect();
        let mut stores = Self {
            list,
            national: vec![],
            local: vec![],
            weights: vec![],
        };
        stores.arrange();
        stores
    }

    fn arrange(&mut self) {
        let mut national: Vec<Shelf> = CATEGORIES.iter().map(|_| Shelf::default()).collect();
        let cells = PLACES.len() * CATEGORIES.len();
        let mut local: Vec<Shelf> = (0..cells).map(|_| Shelf::default()).collect();
        for (rank, store) in (0..).zip(&self.list) {
            national[store.category].push(rank);
            local[store.place * CATEGORIES.len() + store.category].push(rank);
        }
        self.weights = national
            .iter()
            .map(|shelf| shelf.weights.iter().sum())
            .collect();
        self.national = national.into_iter().map(Shelf::freeze).collect();
        self.local = local.into_iter().map(Shelf::freeze).collect();
    }

    pub(super) fn list(&self) -> &[Store] {
        &self.list
    }

    pub(super) fn get(&self, rank: u32) -> &Store {
        &self.list[rank as usize]
    }

    pub(super) fn get_mut(&mut self, rank: u32) -> &mut Store {
        &mut self.list[rank as usize]
    }

    /// The store's share of its category, in millionths.
    pub(super) fn share_e6(&self, rank: u32) -> u64 {
        let category = self.get(rank).category;
        zipf_weight(u64::from(rank), SIZE_OFFSET) * 1_000_000 / self.weights[category].max(1)
    }

    /// Draws where `card` pays in `category` on a day: in one of its favourite stores near its
    /// home, or passing by anywhere.
    pub(super) fn pick(
        &self,
        category: usize,
        card: &Card,
        (day, weekday): (usize, u8),
        rng: &mut Rng,
    ) -> u32 {
        let is_loyal = rng.permille(CATEGORIES[category].loyal);
        let favourite = u64::from(rng.below(8)).saturating_sub(4) / 2;
        for attempt in 0..ATTEMPTS {
            let candidate = if is_loyal {
                self.favourite(category, card, favourite + attempt)
            } else if rng.permille(400) {
                self.local(category, card.home, rng.bits())
            } else {
                self.national[category].pick(rng.bits())
            };
            if let Some(rank) = candidate
                && self.get(rank).takes(day, weekday, rng)
            {
                return rank;
            }
        }
        // The first stores cover the categories in order and are always open.
        number(category)
    }

    /// The card's favourite number `index` in a category: always the same store.
    fn favourite(&self, category: usize, card: &Card, index: u64) -> Option<u32> {
        let bits = mix(card.bits ^ (category as u64) << 8 ^ index);
        self.local(category, card.home, bits)
    }

    fn local(&self, category: usize, place: usize, bits: u64) -> Option<u32> {
        self.local[place * CATEGORIES.len() + category]
            .pick(bits)
            .or_else(|| self.national[category].pick(bits))
    }
}

/// What is needed to make up one store.
struct Builder {
    days: usize,
    seed: u64,
    chains_per_category: u32,
    categories: AliasTable,
    places: AliasTable,
}

impl Builder {
    fn new(count: u32, days: usize, seed: u64) -> Self {
        let shares: Vec<u64> = CATEGORIES.iter().map(store_share).collect();
        let populations: Vec<u64> = PLACES
            .iter()
            .map(|place| u64::from(place.population))
            .collect();
        Self {
            days,
            seed,
            chains_per_category: (count / 800).clamp(1, 1000),
            categories: AliasTable::new(&shares),
            places: AliasTable::new(&populations),
        }
    }

    fn store(&self, rank: u32, id: u32) -> Store {
        let mut rng = Rng::new(self.seed, Stream::Store, u64::from(rank));
        let is_anchor = (rank as usize) < CATEGORIES.len();
        let drawn = self.categories.pick(rng.bits());
        let category = if is_anchor { rank as usize } else { drawn };
        let place = self.places.pick(rng.bits());
        let in_chain = rng.permille(250);
        let chains = self.chains_per_category * CATEGORY_COUNT;
        let chain = rng.below(self.chains_per_category) * CATEGORY_COUNT + number(category);
        let (opens, closes) = if is_anchor {
            (0, usize::MAX)
        } else {
            self.lifetime(&mut rng)
        };
        let jitter = |centre_e3: u32, rng: &mut Rng| centre_e3 * 100 + rng.below(6001) - 3000;
        Store {
            id,
            category,
            place,
            latitude_e5: jitter(PLACES[place].latitude_e3, &mut rng),
            longitude_e5: jitter(PLACES[place].longitude_e3, &mut rng),
            merchant: if in_chain { chain } else { chains + id },
            in_chain,
            price_percent: 70 + rng.below(41) + rng.below(41),
            opens,
            closes,
            weekly_closing: if is_anchor {
                NEVER
            } else {
                weekly_closing(category, &mut rng)
            },
            thinned: None,
            followed_by: None,
        }
    }

    /// Most stores are open throughout; a tenth opens and a tenth closes during the period.
    fn lifetime(&self, rng: &mut Rng) -> (usize, usize) {
        let day = rng.below(u32::try_from(self.days).unwrap_or(u32::MAX)) as usize;
        match rng.below(10) {
            0 => (day, usize::MAX),
            1 => (0, day.max(1)),
            _ => (0, usize::MAX),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "there are CATEGORY_COUNT categories"
)]
const fn number(category: usize) -> u32 {
    category as u32
}

/// Weight of a category among stores: where one sells little, there are more stores per payment.
fn store_share(category: &Category) -> u64 {
    u64::from(category.share) + 15
}

/// A weekday of rest for some stores: Sunday where the working week rules, Monday elsewhere.
fn weekly_closing(category: usize, rng: &mut Rng) -> u8 {
    let weekdays = CATEGORIES[category].weekdays;
    let is_weekday_business = weekdays[6] < 50;
    match rng.below(10) {
        0..=5 if is_weekday_business => 6,
        0 if weekdays[0] < 90 => 0,
        1 => 6,
        _ => NEVER,
    }
}
