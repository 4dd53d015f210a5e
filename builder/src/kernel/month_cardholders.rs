//! The rows of stores' months by who paid.

use std::ops::AddAssign;

use nightshard_format::calendar::{Day, Month};

use super::{
    cardholder::{CARDHOLDER_BITS, Cardholder, Cardholders, UNKNOWN, bits_of, of_bits},
    profiles::Profiles,
    row::{DAYS, PartitionRow},
};

/// What some cards did in a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Rows.
    pub(super) count: u64,
    /// Their net sum.
    pub(super) sum: i128,
    /// The sum of sales alone.
    pub(super) sales: u64,
    /// Distinct cards.
    pub(super) cards: u64,
    /// A bit for each card, which it may share with others: so many cards there are at least.
    pub(super) seen: u64,
}

impl AddAssign for Figures {
    /// Adds those of other cards.
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.sales = self.sales.saturating_add(other.sales);
        self.cards += other.cards;
        self.seen |= other.seen;
    }
}

/// A row of a card, ordered by store, month, card and day.
#[derive(Debug, Clone, Copy)]
struct CardRow {
    key: u128,
    amount: i64,
    cardholder: u16,
}

const DAY_BITS: u32 = 5;
const CARD_BITS: u32 = 79;
const MONTH_BITS: u32 = 11;
const _: () = assert!(u32::BITS + MONTH_BITS + CARD_BITS + DAY_BITS <= u128::BITS);
const _: () = assert!(*DAYS.end() / 28 < 1 << MONTH_BITS);

/// The first month of [`DAYS`].
fn first_month() -> Month {
    Day(*DAYS.start()).month()
}

/// Returns a store and a month as one integer of the same order.
fn store_month(store: usize, month: Month) -> u128 {
    let months = (month.0 - first_month().0).unsigned_abs();
    (store as u128) << MONTH_BITS | u128::from(months)
}

fn month_of(store_month: u128) -> Month {
    let months = store_month & ((1 << MONTH_BITS) - 1);
    Month(first_month().0 + i32::try_from(months).unwrap_or(0))
}

fn cell_key(store_month: u128, cardholder: Cardholder) -> u128 {
    store_month << CARDHOLDER_BITS | u128::from(bits_of(cardholder))
}

fn cardholder_of(key: u128) -> Cardholder {
    of_bits(u64::try_from(key & ((1 << CARDHOLDER_BITS) - 1)).unwrap_or(0))
}

impl CardRow {
    fn new(store: usize, row: &PartitionRow) -> Self {
        let card_day = row.row.card_day();
        let (month, of_month) = month_and_day(Day(card_day.day()));
        let card = if card_day.has_card() {
            card_day.card()
        } else {
            0
        };
        let key = store_month(store, month) << CARD_BITS | card;
        Self {
            key: key << DAY_BITS | u128::from(of_month),
            amount: row.row.day_amount().amount(),
            cardholder: row.said().cardholder(),
        }
    }

    /// Returns the store, the month and the card.
    fn card_month(&self) -> u128 {
        self.key >> DAY_BITS
    }

    /// Returns the store and the month.
    fn store_month(&self) -> u128 {
        self.card_month() >> CARD_BITS
    }

    /// Returns the card, 0 if it is unknown.
    fn card(&self) -> u128 {
        self.card_month() & ((1 << CARD_BITS) - 1)
    }

    /// Returns the figures of the row without its card.
    fn figures(&self) -> Figures {
        Figures {
            count: 1,
            sum: self.amount.into(),
            sales: u64::try_from(self.amount).unwrap_or(0),
            ..Figures::default()
        }
    }
}

/// Returns the month of a day, and how many days of it lie before.
fn month_and_day(day: Day) -> (Month, u32) {
    let month = day.month();
    (month, (day.0 - month.first_day().0).unsigned_abs())
}

/// Counts rows by store, month and who paid; its memory serves one partition after the other.
#[derive(Debug, Default)]
pub(super) struct MonthCardholders {
    rows: Vec<CardRow>,
    /// By key, each once.
    cells: Vec<(u128, Figures)>,
}

impl MonthCardholders {
    /// Forgets what was counted.
    pub(super) fn clear(&mut self) {
        self.cells.clear();
    }

    /// Adds rows, of which those in other currencies are left out; a card's are added together.
    ///
    /// # Complexity
    /// That of sorting them.
    pub(super) fn add(
        &mut self,
        profiles: &Profiles,
        rows: &[PartitionRow],
        cardholders: &Cardholders,
    ) {
        self.rows.clear();
        let rows = rows.iter();
        let rows = rows.filter_map(|row| Some(CardRow::new(profiles.base_store_of(row)?, row)));
        self.rows.extend(rows);
        self.count(cardholders);
    }

    fn count(&mut self, cardholders: &Cardholders) {
        self.rows.sort_unstable_by_key(|row| row.key);
        let is_first = self.cells.is_empty();
        for of_month in self
            .rows
            .chunk_by(|a, b| a.store_month() == b.store_month())
        {
            // Those of one month are put together at once: there may be as many as rows.
            let start = self.cells.len();
            for of_card in of_month.chunk_by(|a, b| a.card_month() == b.card_month()) {
                add_card(of_card, cardholders, &mut self.cells);
            }
            add_up(&mut self.cells, start);
        }
        if !is_first {
            add_up(&mut self.cells, 0);
        }
    }

    /// Returns the cells of those months of a store in which some row says who paid, ascending.
    pub(super) fn of_store(
        &self,
        store: usize,
    ) -> impl Iterator<Item = (Month, Vec<(Cardholder, Figures)>)> {
        let start = |store: usize| {
            let first = store_month(store, first_month()) << CARDHOLDER_BITS;
            self.cells.partition_point(|(key, _)| *key < first)
        };
        let of_store = &self.cells[start(store)..start(store + 1)];
        let months =
            of_store.chunk_by(|(a, _), (b, _)| a >> CARDHOLDER_BITS == b >> CARDHOLDER_BITS);
        let cells = months.map(|cells| {
            let of_month = month_of(cells[0].0 >> CARDHOLDER_BITS);
            let cells = cells
                .iter()
                .map(|(key, figures)| (cardholder_of(*key), *figures));
            (of_month, cells.collect::<Vec<_>>())
        });
        cells.filter(|(_, cells)| cells.iter().any(|(cardholder, _)| *cardholder != UNKNOWN))
    }
}

/// Appends the cell of a card's rows in a month, or one for each row if the card is unknown.
fn add_card(rows: &[CardRow], cardholders: &Cardholders, cells: &mut Vec<(u128, Figures)>) {
    let [first, ..] = rows else {
        return;
    };
    let key = |cardholder| cell_key(first.store_month(), cardholder);
    if first.card() == 0 {
        cells.extend(rows.iter().map(|row| {
            let cardholder = cardholders.of_ordinal(row.cardholder);
            (key(cardholder), row.figures())
        }));
        return;
    }
    let mut figures = Figures {
        cards: 1,
        seen: 1 << (first.card() % u128::from(u64::BITS)),
        ..Figures::default()
    };
    rows.iter().for_each(|row| figures += row.figures());
    cells.push((key(latest(rows, cardholders)), figures));
}

/// Adds up the cells from `start` on that have one key, and puts them in the order of keys.
fn add_up(cells: &mut Vec<(u128, Figures)>, start: usize) {
    cells[start..].sort_unstable_by_key(|(key, _)| *key);
    let mut end = start;
    for at in start..cells.len() {
        let (key, figures) = cells[at];
        match cells[start..end].last_mut() {
            Some((last, total)) if *last == key => *total += figures,
            _ => {
                cells[end] = (key, figures);
                end += 1;
            }
        }
    }
    cells.truncate(end);
}

/// Returns what is known of a card by its rows, whose days ascend: of each attribute what its last day that
/// knows it says, the last value in order if that day says several.
fn latest(rows: &[CardRow], cardholders: &Cardholders) -> Cardholder {
    let mut latest = UNKNOWN;
    for of_day in rows.chunk_by(|a, b| a.key == b.key) {
        let mut said = UNKNOWN;
        for row in of_day {
            let cardholder = cardholders.of_ordinal(row.cardholder);
            for (said, place) in said.iter_mut().zip(cardholder) {
                *said = place.max(*said);
            }
        }
        for (latest, said) in latest.iter_mut().zip(said) {
            if said > 0 {
                *latest = said;
            }
        }
    }
    latest
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use nightshard_format::record::{ATTRIBUTES, Label, MixValue};
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::cardholder::CardholderTable;

    /// A row of a test: store, day, card, amount, and what it says, where 0 is nothing.
    type Given = (usize, i32, u8, i64, [u8; ATTRIBUTES]);

    fn cardholders(rows: &[Given]) -> (Cardholders, Vec<u16>) {
        let table = CardholderTable::default();
        let value = |said: u8| match said {
            0 => MixValue::Unknown,
            said => MixValue::Text([said].into()),
        };
        let ordinals = rows
            .iter()
            .map(|row| table.ordinal_of(row.4.map(value).into()));
        let ordinals = ordinals.map(|it| u16::try_from(it).unwrap()).collect();
        (Cardholders::of(table), ordinals)
    }

    fn card_row(row: &Given, cardholder: u16) -> CardRow {
        let (month, of_month) = month_and_day(Day(row.1));
        let key = store_month(row.0, month) << CARD_BITS | u128::from(row.2);
        CardRow {
            key: key << DAY_BITS | u128::from(of_month),
            amount: row.3,
            cardholder,
        }
    }

    /// Returns what a card is by its rows of a month, looked through for each attribute.
    fn expected_cardholder(rows: &[&Given]) -> [u8; ATTRIBUTES] {
        let mut found = [0; ATTRIBUTES];
        for (at, found) in found.iter_mut().enumerate() {
            let known = rows.iter().filter(|row| row.4[at] > 0);
            *found = known
                .max_by_key(|row| (row.1, row.4[at]))
                .map_or(0, |row| row.4[at]);
        }
        found
    }

    /// By store, month and cardholder: rows, sum, sales and cards.
    type Expected = BTreeMap<(usize, Month, [u8; ATTRIBUTES]), (u64, i128, u64, BTreeSet<u8>)>;

    fn expected(rows: &[Given]) -> Expected {
        let mut expected = Expected::new();
        for row in rows {
            let month = Day(row.1).month();
            let is_same = |it: &&Given| (it.0, Day(it.1).month(), it.2) == (row.0, month, row.2);
            let of_card: Vec<_> = rows.iter().filter(is_same).collect();
            let cardholder = match row.2 {
                0 => row.4,
                _ => expected_cardholder(&of_card),
            };
            let cell = expected.entry((row.0, month, cardholder)).or_default();
            cell.0 += 1;
            cell.1 += i128::from(row.3);
            cell.2 += u64::try_from(row.3).unwrap_or(0);
            cell.3.extend((row.2 > 0).then_some(row.2));
        }
        let said: BTreeSet<_> = expected
            .keys()
            .filter(|it| it.2 != [0; 3])
            .map(|it| (it.0, it.1))
            .collect();
        expected.retain(|(store, month, _), _| said.contains(&(*store, *month)));
        expected
    }

    proptest! {
        #[test]
        fn each_card_counts_where_its_latest_known_attributes_are(
            rows in prop::collection::vec(
                (0_usize..3, 40_i32..100, 0_u8..5, -9_i64..9, prop::array::uniform3(0_u8..3)), 0..60,
            ),
            cut in 0_u8..5,
        ) {
            let (cardholders, ordinals) = cardholders(&rows);
            let mut counts = MonthCardholders::default();
            // A card's rows are all in one part.
            for is_first in [true, false] {
                let part = rows.iter().zip(&ordinals).filter(|(row, _)| (row.2 < cut) == is_first);
                counts.rows = part.map(|(row, ordinal)| card_row(row, *ordinal)).collect();
                counts.count(&cardholders);
            }
            let mut found = BTreeMap::new();
            for store in 0..3 {
                for (month, cells) in counts.of_store(store) {
                    for (cardholder, figures) in cells {
                        let mut at = 0..ATTRIBUTES;
                        let said = cardholder.map(|place| {
                            match cardholders.label(at.next().unwrap(), place) {
                                Label::Text(text) => text[0],
                                _ => 0,
                            }
                        });
                        found.insert((store, month, said), figures);
                    }
                }
            }
            let expected = expected(&rows);
            prop_assert!(found.keys().eq(expected.keys()));
            for (figures, (count, sum, sales, cards)) in found.values().zip(expected.values()) {
                prop_assert_eq!((figures.count, figures.sum, figures.sales), (*count, *sum, *sales));
                prop_assert_eq!(figures.cards, cards.len() as u64);
                let seen = cards.iter().fold(0, |seen, card| seen | 1_u64 << card);
                prop_assert_eq!(figures.seen, seen);
            }
        }

        #[test]
        fn keys_keep_their_parts_and_order(
            store in 0_usize..u32::MAX as usize, day in DAYS, cardholder in any::<Cardholder>(),
        ) {
            let month = Day(day).month();
            let key = cell_key(store_month(store, month), cardholder);
            prop_assert_eq!(cardholder_of(key), cardholder);
            prop_assert_eq!(month_of(key >> CARDHOLDER_BITS), month);
            prop_assert!(key < store_month(store + 1, first_month()) << CARDHOLDER_BITS);
        }
    }
}
