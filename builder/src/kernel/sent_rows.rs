//! The rows of the exchange by store, of two widths: those that say how they were paid are wider.
//!
//! Which width a row has depends on the row alone, so that data without such columns is sent as if
//! there were none, and files that have them are built together with files that have not.

use bytemuck::{Pod, Zeroable};

use super::{
    mix::{MixTable, Mixes},
    row::StoreRow,
    said::Said,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox, Scratch, Visitor},
};

/// A row, and what it says of how it was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MixedRow {
    row: StoreRow,
    said: u32,
    unused: u32,
}

/// A row of either width.
pub(super) trait SentRow {
    /// Returns what every row has.
    fn row(&self) -> StoreRow;

    /// Returns what it says of how it was paid.
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

impl SentRow for MixedRow {
    #[inline]
    fn row(&self) -> StoreRow {
        self.row
    }

    #[inline]
    fn said(&self) -> Said {
        Said::of_bits(self.said)
    }
}

/// The rows that one worker sends.
pub struct RowOutbox {
    plain: Outbox<StoreRow>,
    /// None until a row says something.
    mixed: Option<Outbox<MixedRow>>,
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
            mixed: None,
            partitions,
            budget_bytes,
            scratch: scratch.clone(),
        }
    }

    /// Adds an entry to a partition's dictionary, of the rows of one width, and returns its ordinal there:
    /// see [`Outbox::define`].
    pub fn define(&mut self, partition: u16, entry: &[u8], is_mixed: bool) -> u16 {
        if is_mixed {
            self.mixed().define(partition, entry)
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
        if said == Said::NOTHING {
            return self.plain.push(partition, row);
        }
        let mixed = MixedRow {
            row,
            said: said.bits(),
            unused: 0,
        };
        self.mixed().push(partition, mixed)
    }

    fn mixed(&mut self) -> &mut Outbox<MixedRow> {
        let budget_bytes = self.budget_bytes;
        self.mixed
            .get_or_insert_with(|| Outbox::new(self.partitions, budget_bytes, &self.scratch))
    }

    /// Spills if the memory or a dictionary's ordinals are used up: see [`Outbox::spill_if_full`].
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    #[inline]
    pub fn spill_if_full(&mut self) -> Result<bool> {
        let Some(mixed) = &mut self.mixed else {
            return self.plain.spill_if_full();
        };
        let is_full = self.plain.is_full_beside(mixed.len_bytes()) || mixed.is_full_beside(0);
        if is_full {
            self.plain.spill()?;
            mixed.spill()?;
        }
        Ok(is_full)
    }
}

/// All rows sent by all workers, and what they say of how they were paid.
#[derive(Debug)]
pub struct SentRows {
    plain: Exchanged<StoreRow>,
    mixed: Exchanged<MixedRow>,
    /// What ordinals stand for.
    pub mixes: Mixes,
}

impl SentRows {
    /// Closes the outboxes, whose rows have ordinals of `mixes`.
    ///
    /// # Errors
    /// As [`Exchanged::new`].
    pub fn new(outboxes: Vec<RowOutbox>, mixes: MixTable) -> Result<Self> {
        let (plain, mixed): (Vec<_>, Vec<_>) =
            outboxes.into_iter().map(|it| (it.plain, it.mixed)).unzip();
        Ok(Self {
            plain: Exchanged::new(plain)?,
            mixed: Exchanged::new(mixed.into_iter().flatten().collect())?,
            mixes: mixes.finish(),
        })
    }

    /// Returns how many rows a partition has.
    #[must_use]
    pub fn len_rows(&self, partition: u16) -> u64 {
        self.plain.len_rows(partition) + self.mixed.len_rows(partition)
    }

    /// Passes a partition's rows to `visitor`.
    ///
    /// # Errors
    /// As [`Exchanged::visit`].
    pub fn visit<V>(&self, partition: u16, visitor: &mut V) -> Result<()>
    where
        V: Visitor<StoreRow> + Visitor<MixedRow>,
    {
        self.plain.visit(partition, visitor)?;
        self.mixed.visit(partition, visitor)
    }

    /// Passes a partition's rows to `visitor` for the last time.
    ///
    /// # Errors
    /// As [`Exchanged::visit`].
    pub fn take<V>(&self, partition: u16, visitor: &mut V) -> Result<()>
    where
        V: Visitor<StoreRow> + Visitor<MixedRow>,
    {
        self.visit(partition, visitor)?;
        self.give_back(partition);
        Ok(())
    }

    /// Lets a partition's pages serve other rows.
    pub fn give_back(&self, partition: u16) {
        self.plain.give_back(partition);
        self.mixed.give_back(partition);
    }

    /// Returns how much was written to the scratch folder, in bytes.
    #[must_use]
    pub fn spilled_bytes(&self) -> u64 {
        self.plain.spilled_bytes() + self.mixed.spilled_bytes()
    }
}
