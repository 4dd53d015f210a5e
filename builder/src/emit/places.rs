//! The shards of regions, categories, the categories of each region, and merchants: sums of what the shards
//! of their stores say.

use nightshard_format::key::PartitionRun;

use super::{
    catalog::StoreFacts,
    shard_set::{ShardSet, Staged, Staging},
    written::Written,
};
use crate::{
    Result,
    kernel::{
        place_cards::PlaceDistances,
        place_days::PlaceDays,
        places::{Part, Place, PlaceKind, Places},
        store_days::{DaysEncoder, EncodedRecords},
    },
};

/// The records of some places, one after the other.
pub struct PlaceRecords {
    first: usize,
    records: EncodedRecords,
    /// Where the records of each place end.
    ends: Vec<usize>,
}

/// Encodes the records of the places of one partition, from the months of stores and of the places that they
/// are the sum of.
///
/// # Errors
/// [`crate::Error::Format`] if a shard that was just written cannot be read.
pub fn encode(
    distances: &PlaceDistances,
    places: &Places,
    stores: &[StoreFacts],
    [of_stores, of_places]: &[Written; 2],
) -> Result<PlaceRecords> {
    let mut out = PlaceRecords {
        first: distances.first,
        records: EncodedRecords::default(),
        ends: Vec::new(),
    };
    let mut encoder = DaysEncoder::default();
    let list = places.list();
    for (place, counts) in list[distances.first..].iter().zip(&distances.counts) {
        let mut days = match place.kind {
            // Nobody asks how the payments of a part of the map divide.
            PlaceKind::Tile => PlaceDays::default(),
            _ => PlaceDays::with_mixes(),
        };
        for part in &place.parts {
            match part {
                Part::Store(store) => add(of_stores, &stores[*store].id, &mut days)?,
                Part::Place(place) => add(of_places, &list[*place as usize].key, &mut days)?,
            }
        }
        days.encode(counts, &mut encoder, &mut out.records);
        encoder.finish(&place.profile, &mut out.records)?;
        out.ends.push(out.records.spans.len());
    }
    Ok(out)
}

/// Adds the days of a key to `days`.
fn add(written: &Written, key: &[u8], days: &mut PlaceDays) -> Result<()> {
    for month in written.months() {
        if let Some(record) = written.month(month, key)? {
            days.add(&record)?;
        }
    }
    Ok(())
}

/// Takes the records of places, in order, to shards.
pub struct PlaceShards<'a> {
    staging: &'a Staging,
    places: &'a [Place],
    set: Option<(PlaceKind, ShardSet)>,
    staged: Vec<Staged>,
}

impl<'a> PlaceShards<'a> {
    /// Starts writing into `staging`.
    #[must_use]
    pub fn new(staging: &'a Staging, places: &'a Places) -> Self {
        Self {
            staging,
            places: places.list(),
            set: None,
            staged: Vec::new(),
        }
    }

    /// Adds the next records.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn add(&mut self, records: &PlaceRecords) -> Result<()> {
        let EncodedRecords { values, spans } = &records.records;
        let (mut first, mut start) = (0, 0);
        for (place, end_records) in self.places[records.first..].iter().zip(&records.ends) {
            if self
                .set
                .as_ref()
                .is_none_or(|(kind, _)| *kind != place.kind)
            {
                self.finish_kind()?;
            }
            // There are few places: one shard of a span has them all.
            let new = || ShardSet::new(self.staging, place.kind.dataset(), PartitionRun::ALL);
            let (_, set) = self.set.get_or_insert_with(|| (place.kind, new()));
            for (span, end) in &spans[first..*end_records] {
                set.append(*span, &place.key, &values[start..*end])?;
                start = *end;
            }
            first = *end_records;
        }
        Ok(())
    }

    fn finish_kind(&mut self) -> Result<()> {
        if let Some((_, set)) = self.set.take() {
            self.staged.extend(set.finish()?);
        }
        Ok(())
    }

    /// Ends all shards.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn finish(mut self) -> Result<Vec<Staged>> {
        self.finish_kind()?;
        Ok(self.staged)
    }
}
