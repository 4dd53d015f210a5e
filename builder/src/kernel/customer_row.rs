//! The rows of the exchanges of customers: what one of them paid.

use bytemuck::{Pod, Zeroable};
use nightshard_format::{
    calendar::{Day, DayRange},
    record::CustomerFigures,
};

use super::row::{CARD_SHIFT, CardDay, PartitionRow, StoreOrdinal};

/// What rows of one customer add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CustomerSums {
    sum: i128,
    count: u64,
    min: i64,
    max: i64,
    foreign: u64,
    flagged: u64,
    first: u16,
    last: u16,
    /// 1 if a row says whether it is foreign.
    says_foreign: u32,
}

impl CustomerSums {
    /// Returns those of one row.
    pub(super) fn of(row: &PartitionRow) -> Self {
        let amount = row.row.day_amount().amount();
        let said = row.said();
        Self {
            sum: amount.into(),
            count: 1,
            min: amount,
            max: amount,
            foreign: u64::from(said.foreign() == Some(true)),
            flagged: u64::from(said.is_flagged()),
            first: row.row.day(),
            last: row.row.day(),
            says_foreign: said.foreign().is_some().into(),
        }
    }

    /// Adds other rows of the customer.
    pub(super) fn add(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.foreign += other.foreign;
        self.flagged += other.flagged;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.says_foreign |= other.says_foreign;
    }

    /// Returns the figures that they are; whether rows are flagged at all is not known here.
    #[must_use]
    pub fn figures(&self, has_flags: bool) -> CustomerFigures {
        CustomerFigures {
            count: self.count,
            sum: self.sum,
            min: self.min,
            max: self.max,
            days: DayRange {
                first: Day(self.first.into()),
                last: Day(self.last.into()),
            },
            foreign: (self.says_foreign > 0).then_some(self.foreign),
            flagged: has_flags.then_some(self.flagged),
        }
    }
}

/// What a customer paid; who that is depends on the exchange.
///
/// # Shape
/// On the way from stores `id` has what their rows keep of a pseudonym in its top bits, and the store in its
/// lowest 32; on the way to shards it is the whole pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CustomerRow {
    /// Who.
    pub id: u128,
    /// What.
    pub sums: CustomerSums,
}

const _: () = assert!(size_of::<CustomerRow>() == 80);

impl CustomerRow {
    /// Makes a row of a card at a store.
    pub(super) fn at_store(card: CardDay, store: StoreOrdinal, sums: CustomerSums) -> Self {
        let id = card.card() << CARD_SHIFT | u128::from(store.bits());
        Self { id, sums }
    }

    /// Returns the row of its card, whatever the store.
    pub(super) fn without_store(&self) -> Self {
        Self {
            id: self.card() << CARD_SHIFT,
            sums: self.sums,
        }
    }

    /// Returns the store of a row that comes from one.
    pub(super) fn store(&self) -> StoreOrdinal {
        StoreOrdinal::of_bits(u32::try_from(self.id & u128::from(u32::MAX)).unwrap_or(0))
    }

    /// Returns what rows of stores keep of the pseudonym.
    pub(super) fn card(&self) -> u128 {
        card_of(self.id)
    }
}

/// Returns what rows of stores keep of a pseudonym.
pub(super) fn card_of(pseudonym: u128) -> u128 {
    pseudonym >> CARD_SHIFT
}

/// Puts rows in the order of their ids, and adds those of one id up.
pub(super) fn add_up(rows: &mut Vec<CustomerRow>) {
    rows.sort_unstable_by_key(|row| row.id);
    rows.dedup_by(|next, kept| {
        let is_same = next.id == kept.id;
        if is_same {
            kept.sums.add(&next.sums);
        }
        is_same
    });
}

/// A whole pseudonym, that rows of stores keep a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct NameRow(pub u128);
