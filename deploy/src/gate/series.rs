//! What the gate, and whoever tells of it, measure of side series.

use nightshard_format::{
    manifest::Manifest,
    record::{SERIES, SideSeries},
    shard::Shard,
    staleness::Staleness,
};
use serde::{Deserialize, Serialize};

use super::shards::ShardBytes;
use crate::{Repository, Result};

/// What is known of the side series of a generation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesMeasures {
    /// How many there are.
    pub series: u64,
    /// Those that are stale, by name.
    pub stale: Vec<StaleSeries>,
}

/// A side series that is stale.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StaleSeries {
    /// Its name.
    pub name: String,
    /// The last day that has a value.
    pub last_date: String,
    /// How many days that lies before the last business day.
    pub days_behind: u32,
}

/// So many stale series are named in one line.
const NAMED_MAX: usize = 3;

impl SeriesMeasures {
    /// Returns which series are stale, in one line, or `None` if none is.
    #[must_use]
    pub fn stale_line(&self) -> Option<String> {
        let named = self.stale.iter().take(NAMED_MAX).map(|series| {
            let (name, last, days) = (&series.name, &series.last_date, series.days_behind);
            format!("{name} ends on {last}, {days} days before the last business day")
        });
        let mut line = named.collect::<Vec<_>>().join("; ");
        match self.stale.len() {
            0 => return None,
            len if len > NAMED_MAX => line += &format!("; and {} more", len - NAMED_MAX),
            _ => {}
        }
        Some(line)
    }
}

impl Repository {
    /// Reads when each side series of a generation ends.
    ///
    /// # Errors
    /// [`crate::Error::MissingBlob`], [`crate::Error::BadBlob`] or [`crate::Error::Storage`].
    pub async fn series_of(&self, manifest: &Manifest) -> Result<SeriesMeasures> {
        let mut measures = SeriesMeasures::default();
        for entry in manifest.shards_of(SERIES) {
            let shard = self.read_shard(entry).await?;
            let added = add(&mut measures, &shard, manifest);
            added.map_err(|source| self.bad_blob(entry, source))?;
        }
        measures.stale.sort_unstable();
        Ok(measures)
    }
}

fn add(
    measures: &mut SeriesMeasures,
    shard: &Shard<ShardBytes>,
    manifest: &Manifest,
) -> nightshard_format::Result<()> {
    let rule = Staleness::of(manifest)?;
    for record in shard.iter() {
        let record = record?;
        let last = SideSeries::parse(&record.value.read()?)?.days()?.last;
        measures.series += 1;
        if rule.is_stale(last) {
            measures.stale.push(StaleSeries {
                name: String::from_utf8_lossy(record.key).into_owned(),
                last_date: last.to_string(),
                days_behind: rule.days_behind(last),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stale_series_are_named_and_the_others_counted() {
        let stale = |name: &str| StaleSeries {
            name: name.to_owned(),
            last_date: "2018-03-01".to_owned(),
            days_behind: 9,
        };
        let line = |names: &[&str]| {
            let stale = names.iter().map(|name| stale(name)).collect();
            SeriesMeasures { series: 9, stale }.stale_line()
        };
        assert_eq!(line(&[]), None);
        let one = "a ends on 2018-03-01, 9 days before the last business day";
        assert_eq!(line(&["a"]).unwrap(), one);
        let five = line(&["a", "b", "c", "d", "e"]).unwrap();
        assert!(
            five.starts_with(one) && five.ends_with("; and 2 more"),
            "{five}"
        );
        assert!(!five.contains("d ends"), "{five}");
    }
}
