//! The rows of the exchange by store, of two widths: those that say how they were paid or by whom, or have marks,
//! are wider.
//!
//! Which width a row has depends on the row alone, so that data without such columns is sent as if
//! there were none, and files that have them are built together with files that have not.

use bytemuck::{Pod, Zeroable};

use super::{
    cardholder::{CardholderTable, Cardholders},
    mix::{MixTable, Mixes},
    row::StoreRow,
    said::Said,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox, Scratch, Visitor},
};

/// A row, and what it says beside what every row does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct WideRow {
    row: StoreRow,
    said: Said,
}

const _: () = assert!(size_of::<WideRow>() == 40);

/// A row of either width.
pub(super) trait SentRow {
    /// Returns what every row has.
    fn row(&self) -> StoreRow;

    /// Returns what it says beside.
    fn said(&self) -> Said;
}

impl SentRow for StoreRow {
    #[inline]
    fn row(&self) -> StoreRow {
        *self
    }

    #[inline]
    fn said(&self) -> Said {
        Said::NOTHING
    }
}

impl SentRow for WideRow {
    #[inline]
    fn row(&self) -> StoreRow {
        self.row
    }

    #[inline]
    fn said(&self) -> Said {
        self.said
    }
}

/// The rows that one worker sends.
pub struct RowOutbox {
    plain: Outbox<StoreRow>,
    /// None until a row says something.
    wide: Option<Outbox<WideRow>>,
    partitions: usize,
    budget_bytes: usize,
    scratch: Scratch,
}

impl RowOutbox {
    /// Makes an outbox as [`Outbox::new`] does.
    #[must_use]
    pub fn new(partitions: usize, budget_bytes: usize, scratch: &Scratch) -> Self {
        Self {
            plain: Outbox::new(partitions, budget_bytes, scratch),
            wide: None,
            partitions,
            budget_bytes,
            scratch: scratch.clone(),
        }
    }

    /// Adds an entry to a partition's dictionary, of the rows of one width, and returns its ordinal there:
    /// see [`Outbox::define`].
    pub fn define(&mut self, partition: u16, entry: &[u8], is_wide: bool) -> u16 {
        if is_wide {
            self.wide().define(partition, entry)
        } else {
            self.plain.define(partition, entry)
        }
    }

    /// Adds a row to a partition.
    ///
    /// # Errors
    /// As [`Outbox::push`].
    #[inline]
    pub(super) fn push(&mut self, partition: u16, row: StoreRow, said: Said) -> Result<()> {
        if said.is_nothing() {
            return self.plain.push(partition, row);
        }
        self.wide().push(partition, WideRow { row, said })
    }

    fn wide(&mut self) -> &mut Outbox<WideRow> {
        let budget_bytes = self.budget_bytes;
        self.wide
            .get_or_insert_with(|| Outbox::new(self.partitions, budget_bytes, &self.scratch))
    }

    /// Spills if the memory or a dictionary's ordinals are used up: see [`Outbox::spill_if_full`].
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    #[inline]
    pub fn spill_if_full(&mut self) -> Result<bool> {
        let Some(wide) = &mut self.wide else {
            return self.plain.spill_if_full();
        };
        let is_full = self.plain.is_full_beside(wide.len_bytes()) || wide.is_full_beside(0);
        if is_full {
            self.plain.spill()?;
            wide.spill()?;
        }
        Ok(is_full)
    }
}

/// All rows sent by all workers, and what they say of how they were paid and by whom.
#[derive(Debug)]
pub struct SentRows {
    plain: Exchanged<StoreRow>,
    wide: Exchanged<WideRow>,
    /// What ordinals of how rows were paid stand for.
    pub mixes: Mixes,
    /// What those of who paid stand for.
    pub cardholders: Cardholders,
}

impl SentRows {
    /// Closes the outboxes, whose rows have ordinals of `mixes` and `cardholders`.
    ///
    /// # Errors
    /// As [`Exchanged::new`].
    pub fn new(
        outboxes: Vec<RowOutbox>,
        mixes: MixTable,
        cardholders: CardholderTable,
    ) -> Result<Self> {
        let (plain, wide): (Vec<_>, Vec<_>) =
            outboxes.into_iter().map(|it| (it.plain, it.wide)).unzip();
        Ok(Self {
            plain: Exchanged::new(plain)?,
            wide: Exchanged::new(wide.into_iter().flatten().collect())?,
            mixes: Mixes::of(mixes),
            cardholders: Cardholders::of(cardholders),
        })
    }

    /// Returns how many rows a partition has.
    #[must_use]
    pub fn len_rows(&self, partition: u16) -> u64 {
        self.plain.len_rows(partition) + self.wide.len_rows(partition)
    }

    /// Passes a partition's rows to `visitor`.
    ///
    /// # Errors
    /// As [`Exchanged::visit`].
    pub fn visit<V>(&self, partition: u16, visitor: &mut V) -> Result<()>
    where
        V: Visitor<StoreRow> + Visitor<WideRow>,
    {
        self.plain.visit(partition, visitor)?;
        self.wide.visit(partition, visitor)
    }

    /// Passes a partition's rows to `visitor` for the last time.
    ///
    /// # Errors
    /// As [`Exchanged::visit`].
    pub fn take<V>(&self, partition: u16, visitor: &mut V) -> Result<()>
    where
        V: Visitor<StoreRow> + Visitor<WideRow>,
    {
        self.visit(partition, visitor)?;
        self.give_back(partition);
        Ok(())
    }

    /// Lets a partition's pages serve other rows.
    pub fn give_back(&self, partition: u16) {
        self.plain.give_back(partition);
        self.wide.give_back(partition);
    }

    /// Returns how much was written to the scratch folder, in bytes.
    #[must_use]
    pub fn spilled_bytes(&self) -> u64 {
        self.plain.spilled_bytes() + self.wide.spilled_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        customers::Marks,
        kernel::row::{PartitionRow, RowParts},
    };

    #[test]
    fn a_row_of_a_partition_keeps_all_that_a_row_of_either_width_says() {
        let parts = RowParts {
            card: u128::MAX,
            tx: 7,
            content: u64::MAX,
            amount: -1_234,
            day: 17_000,
            half_hour: 47,
        };
        let row = StoreRow::new(&parts, u16::MAX);
        let marks = Marks {
            foreign: Some(false),
            is_flagged: true,
        };
        let said = Said::new(3, 5, Some(marks));
        for (kept, said) in [
            (PartitionRow::new(&row, 9), Said::NOTHING),
            (PartitionRow::new(&WideRow { row, said }, 9), said),
        ] {
            assert_eq!((kept.said(), kept.profile), (said, 9));
            assert_eq!(kept.row.day_amount(), row.day_amount());
            assert_eq!(kept.row.card_day(), row.card_day());
            assert_eq!(
                (kept.row.tx(), kept.row.content()),
                (row.tx(), row.content())
            );
        }
    }
}
