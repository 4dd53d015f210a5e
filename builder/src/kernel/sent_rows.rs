//! The rows of the exchange by store, of three widths: those that say how they were paid or by whom, or have marks,
//! are wider, and those that say something of their settlement are the widest.
//!
//! Which width a row has depends on the row alone, so that data without such columns is sent as if
//! there were none, and files that have them are built together with files that have not.

use bytemuck::{Pod, Zeroable};

use super::{
    cardholder::{CardholderTable, Cardholders},
    mix::{MixTable, Mixes},
    row::{PartitionRow, StoreRow},
    said::Said,
    settlement::Settlement,
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

/// A row, and all that it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SettledRow {
    wide: WideRow,
    settlement: Settlement,
}

const _: () = assert!(size_of::<SettledRow>() == 72);

/// Which of the rows a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// A [`StoreRow`].
    Plain,
    /// A [`WideRow`].
    Wide,
    /// A [`SettledRow`].
    Settled,
}

/// What a row says beside what every row does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    pub(super) said: Said,
    pub(super) settlement: Option<Settlement>,
}

impl Beside {
    /// Returns the width that a row needs to say that.
    #[inline]
    pub(super) fn width(&self) -> Width {
        match self.settlement {
            Some(_) => Width::Settled,
            None if self.said.is_nothing() => Width::Plain,
            None => Width::Wide,
        }
    }
}

/// A row of any width.
pub(super) trait SentRow {
    /// Returns what every row has.
    fn row(&self) -> StoreRow;

    /// Returns what it says beside, but for its settlement.
    fn said(&self) -> Said;

    /// Returns what it says of its settlement; all rows of a width say something of it, or none does.
    fn settlement(&self) -> Option<Settlement> {
        None
    }
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

impl SentRow for SettledRow {
    #[inline]
    fn row(&self) -> StoreRow {
        self.wide.row
    }

    #[inline]
    fn said(&self) -> Said {
        self.wide.said
    }

    #[inline]
    fn settlement(&self) -> Option<Settlement> {
        Some(self.settlement)
    }
}

/// The rows that one worker sends.
pub struct RowOutbox {
    plain: Outbox<StoreRow>,
    /// None until a row says something.
    wide: Option<Outbox<WideRow>>,
    /// Likewise of its settlement.
    settled: Option<Outbox<SettledRow>>,
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
            settled: None,
            partitions,
            budget_bytes,
            scratch: scratch.clone(),
        }
    }

    /// Adds an entry to a partition's dictionary, of the rows of one width, and returns its ordinal there:
    /// see [`Outbox::define`].
    pub fn define(&mut self, partition: u16, entry: &[u8], width: Width) -> u16 {
        match width {
            Width::Plain => self.plain.define(partition, entry),
            Width::Wide => self.wide().define(partition, entry),
            Width::Settled => self.settled().define(partition, entry),
        }
    }

    /// Adds a row to a partition.
    ///
    /// # Errors
    /// As [`Outbox::push`].
    #[inline]
    pub(super) fn push(&mut self, partition: u16, row: StoreRow, beside: &Beside) -> Result<()> {
        let said = beside.said;
        if let Some(settlement) = beside.settlement {
            let wide = WideRow { row, said };
            let settled = SettledRow { wide, settlement };
            return self.settled().push(partition, settled);
        }
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

    fn settled(&mut self) -> &mut Outbox<SettledRow> {
        let budget_bytes = self.budget_bytes;
        self.settled
            .get_or_insert_with(|| Outbox::new(self.partitions, budget_bytes, &self.scratch))
    }

    /// Spills if the memory or a dictionary's ordinals are used up: see [`Outbox::spill_if_full`].
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    #[inline]
    pub fn spill_if_full(&mut self) -> Result<bool> {
        let Self {
            plain,
            wide,
            settled,
            ..
        } = self;
        if wide.is_none() && settled.is_none() {
            return plain.spill_if_full();
        }
        let wide_bytes = wide.as_ref().map_or(0, Outbox::len_bytes);
        let settled_bytes = settled.as_ref().map_or(0, Outbox::len_bytes);
        let is_full = plain.is_full_beside(wide_bytes + settled_bytes)
            || wide.as_ref().is_some_and(|wide| wide.is_full_beside(0))
            || settled.as_ref().is_some_and(|it| it.is_full_beside(0));
        if is_full {
            plain.spill()?;
            wide.as_mut().map_or(Ok(()), Outbox::spill)?;
            settled.as_mut().map_or(Ok(()), Outbox::spill)?;
        }
        Ok(is_full)
    }
}

/// All rows sent by all workers, and what they say of how they were paid and by whom.
#[derive(Debug)]
pub struct SentRows {
    plain: Exchanged<StoreRow>,
    wide: Exchanged<WideRow>,
    settled: Exchanged<SettledRow>,
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
        let (mut plain, mut wide, mut settled) = (Vec::new(), Vec::new(), Vec::new());
        for outbox in outboxes {
            plain.push(outbox.plain);
            wide.extend(outbox.wide);
            settled.extend(outbox.settled);
        }
        Ok(Self {
            plain: Exchanged::new(plain)?,
            wide: Exchanged::new(wide)?,
            settled: Exchanged::new(settled)?,
            mixes: Mixes::of(mixes),
            cardholders: Cardholders::of(cardholders),
        })
    }

    /// Returns how many rows a partition has.
    #[must_use]
    pub fn len_rows(&self, partition: u16) -> u64 {
        self.plain.len_rows(partition)
            + self.wide.len_rows(partition)
            + self.settled.len_rows(partition)
    }

    /// Returns how many rows without a settlement take as much memory as those of a partition, or more.
    pub(super) fn weight(&self, partition: u16) -> u64 {
        const _: () = assert!(size_of::<Settlement>() <= size_of::<PartitionRow>());
        self.len_rows(partition) + self.settled.len_rows(partition)
    }

    /// Passes a partition's rows to `visitor`, those with a settlement last.
    ///
    /// # Errors
    /// As [`Exchanged::visit`].
    pub fn visit<V>(&self, partition: u16, visitor: &mut V) -> Result<()>
    where
        V: Visitor<StoreRow> + Visitor<WideRow> + Visitor<SettledRow>,
    {
        self.plain.visit(partition, visitor)?;
        self.wide.visit(partition, visitor)?;
        self.settled.visit(partition, visitor)
    }

    /// Passes a partition's rows to `visitor` for the last time.
    ///
    /// # Errors
    /// As [`Exchanged::visit`].
    pub fn take<V>(&self, partition: u16, visitor: &mut V) -> Result<()>
    where
        V: Visitor<StoreRow> + Visitor<WideRow> + Visitor<SettledRow>,
    {
        self.visit(partition, visitor)?;
        self.give_back(partition);
        Ok(())
    }

    /// Lets a partition's pages serve other rows.
    pub fn give_back(&self, partition: u16) {
        self.plain.give_back(partition);
        self.wide.give_back(partition);
        self.settled.give_back(partition);
    }

    /// Returns how much was written to the scratch folder, in bytes.
    #[must_use]
    pub fn spilled_bytes(&self) -> u64 {
        self.plain.spilled_bytes() + self.wide.spilled_bytes() + self.settled.spilled_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        customers::Marks,
        kernel::{row::RowParts, settlement::tests::settlement},
    };

    #[test]
    fn a_row_of_a_partition_keeps_all_that_a_row_of_any_width_says() {
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
        let wide = WideRow { row, said };
        let given = settlement(["", "12", "", "2018-03-07"]);
        let settled = SettledRow {
            wide,
            settlement: given.unwrap(),
        };
        assert_eq!(settled.settlement(), given);
        assert_eq!((wide.settlement(), row.settlement()), (None, None));
        for (kept, said) in [
            (PartitionRow::new(&row, 9), Said::NOTHING),
            (PartitionRow::new(&wide, 9), said),
            (PartitionRow::new(&settled, 9), said),
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

    #[test]
    fn rows_are_as_wide_as_what_they_say() {
        let beside = |said, texts| Beside {
            said,
            settlement: settlement(texts),
        };
        let mixed = Said::new(1, 0, None);
        for (said, texts, width) in [
            (Said::NOTHING, ["", "", "", ""], Width::Plain),
            // A fee that is no number, and no points.
            (Said::NOTHING, ["0", "free", "", ""], Width::Plain),
            (mixed, ["", "", "", ""], Width::Wide),
            (mixed, ["", "", "", "2018-03-07"], Width::Settled),
            (Said::NOTHING, ["", "0", "", ""], Width::Settled),
        ] {
            assert_eq!(beside(said, texts).width(), width, "{texts:?}");
        }
    }
}
