//! The dimension file: what is known of stores beside their rows.

use std::{collections::HashMap, path::Path};

use jiff::tz::TimeZone;
use nightshard_format::record::StoreProfile;

use crate::{
    Result,
    location::Coordinates,
    small_table::{Columns, Fault, read_file},
    source::Moment,
    transaction::Transaction,
};

/// One store of the dimension file.
#[derive(Debug, Clone, Default)]
struct Store {
    profile: StoreProfile,
    /// The business day ends so many seconds after midnight.
    cutoff_seconds: u32,
    /// Where it has another than the layout's.
    zone: Option<TimeZone>,
    /// Whether it has coordinates that are none of the map.
    is_off_the_map: bool,
    /// Where it stands.
    line: u64,
}

impl Store {
    /// See [`StoreTable::business_moment`].
    fn business_moment(&self, row: &Transaction<'_>) -> BusinessMoment {
        let own = self.zone.as_ref().zip(row.utc_second);
        let own = own.and_then(|(zone, utc)| Moment::in_zone(utc, zone));
        let (day, second) = own.map_or((row.day, row.second_of_day), |it| (it.day, it.second));
        let is_late = second.is_some_and(|second| second < self.cutoff_seconds);
        BusinessMoment {
            day: day - i32::from(is_late),
            second,
        }
    }
}

/// When a row happened, as its store counts days.
///
/// # Units
/// `day` since 1970-01-01; `second` since midnight of the store's clock, which on the business day
/// may come before or after the cutoff; `None` for a row that has only a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessMoment {
    /// The business day.
    pub day: i32,
    /// The time of the clock.
    pub second: Option<u32>,
}

/// The stores of a dimension file, by id; empty without one.
#[derive(Debug, Default)]
pub struct StoreTable {
    stores: HashMap<Box<[u8]>, Store>,
    /// Whether a store has a cutoff or a zone.
    has_own_days: bool,
    off_the_map: u64,
    digest: Option<(String, u64)>,
}

/// The columns, of which only the first is required.
const COLUMNS: Columns<9> = Columns {
    names: [
        "store_id",
        "store_name",
        "merchant_id",
        "category",
        "region",
        "lat",
        "lon",
        "day_cutoff",
        "zone",
    ],
    required: 1,
};

impl StoreTable {
    /// Reads a CSV file with a header of `store_id` and any of `store_name`, `merchant_id`,
    /// `category`, `region`, `lat`, `lon`, `day_cutoff` (HH:MM), `zone` (IANA); plain, .gz or
    /// .zst. Names are compared without regard to case. A store whose coordinates are numbers out of
    /// range is counted in [`StoreTable::off_the_map`], and has none.
    ///
    /// # Errors
    /// [`crate::Error::File`] naming the line at fault: a column that is unknown or stands twice, a store
    /// that does, a quote that is not closed, a text that is too long, of another encoding than UTF-8
    /// or with control characters, a coordinate, cutoff or zone that is none.
    pub fn read(path: &Path) -> Result<Self> {
        let mut table = Self::default();
        let digest = read_file(path, |bytes| table.add_all(bytes))?;
        table.digest = Some(digest);
        Ok(table)
    }

    /// Adds the stores of a file; what is wrong is told with its line.
    fn add_all(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        COLUMNS.read(bytes, |line, fields| {
            let mut store = parse(fields)?;
            store.line = line;
            self.has_own_days |= store.cutoff_seconds > 0 || store.zone.is_some();
            self.off_the_map += u64::from(store.is_off_the_map);
            let earlier = self.stores.insert(fields[0].as_bytes().into(), store);
            match earlier {
                Some(Store { line, .. }) => Err(format!("the store stands in line {line}, too")),
                None => Ok(()),
            }
        })
    }

    /// Returns the digest and length of the file, if there was one.
    #[must_use]
    pub fn digest(&self) -> Option<&(String, u64)> {
        self.digest.as_ref()
    }

    /// Returns how many stores have coordinates that are out of range.
    #[must_use]
    pub fn off_the_map(&self) -> u64 {
        self.off_the_map
    }

    /// Returns what is known of a store: nothing, if the file does not have it.
    #[must_use]
    pub fn profile(&self, id: &[u8]) -> StoreProfile {
        self.stores
            .get(id)
            .map(|store| store.profile.clone())
            .unwrap_or_default()
    }

    /// Returns when a row happened: the date of its local time less the store's cutoff, and that time.
    ///
    /// A time that was written with its offset from UTC is local to the store's zone, where it has
    /// one; any other is as it was written.
    ///
    #[must_use]
    pub fn business_moment(&self, row: &Transaction<'_>) -> BusinessMoment {
        let as_written = BusinessMoment {
            day: row.day,
            second: row.second_of_day,
        };
        if !self.has_own_days {
            return as_written;
        }
        let store = self.stores.get(row.store_id);
        store.map_or(as_written, |store| store.business_moment(row))
    }
}

fn parse(fields: [&str; 9]) -> Result<Store, &'static str> {
    let [
        id,
        name,
        merchant_id,
        category,
        region,
        lat,
        lon,
        cutoff,
        zone,
    ] = fields;
    if id.is_empty() {
        return Err("store_id is empty");
    }
    let text = |field: &str| (!field.is_empty()).then(|| field.to_owned());
    let Coordinates {
        location,
        is_off_the_map,
    } = Coordinates::parse(lat, lon)?;
    Ok(Store {
        profile: StoreProfile {
            name: text(name),
            merchant_id: text(merchant_id),
            category: text(category),
            region: text(region),
            location,
        },
        cutoff_seconds: parse_cutoff(cutoff)?,
        zone: parse_zone(zone)?,
        is_off_the_map,
        line: 0,
    })
}

fn parse_cutoff(field: &str) -> Result<u32, &'static str> {
    let wrong = "day_cutoff is not a time of the morning (HH:MM, below 12:00)";
    if field.is_empty() {
        return Ok(0);
    }
    let [h1, h2, b':', m1, m2] = *field.as_bytes() else {
        return Err(wrong);
    };
    if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
        return Err(wrong);
    }
    let number = |tens: u8, ones: u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    let (hours, minutes) = (number(h1, h2), number(m1, m2));
    if hours < 12 && minutes < 60 {
        Ok(hours * 3600 + minutes * 60)
    } else {
        Err(wrong)
    }
}

fn parse_zone(field: &str) -> Result<Option<TimeZone>, &'static str> {
    if field.is_empty() {
        return Ok(None);
    }
    let zone = TimeZone::get(field).map_err(|_unknown| "zone is no IANA zone")?;
    Ok(Some(zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::TEXT_BYTES_MAX;

    fn read(text: &str) -> Result<StoreTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stores.csv");
        std::fs::write(&path, text).unwrap();
        StoreTable::read(&path)
    }

    #[test]
    fn what_the_file_says_is_found_by_id() {
        let table = read(
            "store_id,store_name,region,lat,lon,day_cutoff\n\
             a,\"Café, Bar\",north,52.48,-1.9,04:00\nb,,,,,\n",
        )
        .unwrap();
        let profile = table.profile(b"a");
        assert_eq!(profile.name.as_deref(), Some("Café, Bar"));
        assert_eq!(profile.location, Some((524_800_000, -19_000_000)));
        assert_eq!(table.profile(b"b"), StoreProfile::default());
        assert_eq!(table.profile(b"c"), StoreProfile::default());
    }

    #[test]
    fn names_of_columns_fold_case_and_ids_are_trimmed_as_those_of_rows_are() {
        let table = read(" Store_ID ,STORE_NAME\n a\t,x\n\" b \",y\n").unwrap();
        let name = |id: &[u8]| table.profile(id).name;
        assert_eq!(name(b"a").as_deref(), Some("x"));
        assert_eq!(name(b"b").as_deref(), Some("y"));
    }

    #[test]
    fn damage_is_named_by_line() {
        for (text, words) in [
            ("store_id,colour\n", "line 1"),
            ("store_name\nx\n", "line 1"),
            ("store_id,lat,lon\na,1,2\nb,x,2\n", "line 3"),
            (
                "store_id,lat,lon\na,1,2\nb,,2\n",
                "line 3: lat and lon must both",
            ),
            ("store_id,lat,lon\na,1,\n", "line 2: lat and lon must both"),
            ("store_id,lat\na,1\n", "line 2: lat and lon must both"),
            (
                "store_id\na\nb\n a \n",
                "line 4: the store stands in line 2, too",
            ),
            (
                "store_id,colour\n",
                "line 1: the column \"colour\" is not known",
            ),
            ("store_id;region\n", "separated by commas"),
            ("store_name\n", "line 1: there is no column store_id"),
            ("store_id,\na,\n", "line 1: the column \"\" is not known"),
            ("store_id,day_cutoff\na,25:00\n", "day_cutoff"),
            ("store_id,day_cutoff\na,4:00\n", "day_cutoff"),
            ("store_id,day_cutoff\na,+4:00\n", "day_cutoff"),
            ("store_id,day_cutoff\na,04:00:00\n", "day_cutoff"),
            (
                "store_id,zone\na,Asia/Seoul\nb,Mars/Base\n",
                "line 3: zone is no IANA zone",
            ),
            ("store_id,region,REGION\n", "line 1: region stands twice"),
            ("store_id,store_name\na\n", "line 2"),
            ("store_id,store_name\n,x\n", "store_id is empty"),
            ("\n", "line 1: there is no header"),
            (
                "store_id,lat,lon\na,NaN,2\n",
                "line 2: lat or lon is not a number",
            ),
            (
                "store_id,lat,lon\na,1e999,2\n",
                "line 2: lat or lon is not a number",
            ),
            (
                "store_id,store_name\na,x\nb,\"y\nc,z\nd,\"w\"\n",
                "line 3: quote never closed",
            ),
            (
                "store_id,store_name\na,\"x\"y\n",
                "line 2: text after a closing quote",
            ),
            (
                "store_id,store_name\na,\"x\ny\"\nb,z\n",
                "line 2: store_name holds a control character",
            ),
            (
                "store_id,region\na,b\nc,d\u{0}\n",
                "line 3: region holds a control character",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_store_off_the_map_is_kept_and_counted_and_has_no_place() {
        let table = read(
            "store_id,region,lat,lon\n\
             a,north,91,2\nb,north,1,-180.1\nc,north,-90,180\nd,north,,\n",
        )
        .unwrap();
        assert_eq!(table.off_the_map(), 2);
        for off in [b"a", b"b", b"d"] {
            let profile = table.profile(off);
            assert_eq!(profile.location, None);
            assert_eq!(profile.region.as_deref(), Some("north"));
        }
        let edge = Some((-900_000_000, 1_800_000_000));
        assert_eq!(table.profile(b"c").location, edge);
    }

    #[test]
    fn other_encodings_are_named_and_a_byte_order_mark_is_no_part_of_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stores.csv");
        for (bytes, words) in [
            (
                &b"store_id,store_name\na,x\nb,Caf\xe9\n"[..],
                Some("line 3: store_name is not UTF-8"),
            ),
            (
                b"store_id,store_name\n\xe9,x\n",
                Some("line 2: store_id is not UTF-8"),
            ),
            (b"store_id,n\xe9\n", Some("line 1: the column")),
            (b"\xff\xfes\0t\0o\0r\0e\0", Some("UTF-16: save it as UTF-8")),
            (
                b"store_id,store_name\ra,x\r",
                Some("line 1: its lines end in carriage returns alone"),
            ),
            (b"\xef\xbb\xbfstore_id,store_name\na,x\n", None),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let read = StoreTable::read(&path).map_err(|error| error.to_string());
            match (words, read) {
                (None, Ok(table)) => {
                    assert_eq!(table.profile(b"a").name.as_deref(), Some("x"));
                }
                (Some(words), Err(error)) => assert!(error.contains(words), "{error}"),
                (_, read) => panic!("{words:?} {read:?}"),
            }
        }
    }

    #[test]
    fn no_text_is_longer_than_one_of_a_row() {
        let texts = |column: &str, len: usize| {
            let text = "x".repeat(len);
            let (id, text) = match column {
                "store_id" => (text.as_str(), ""),
                _ => ("a", text.as_str()),
            };
            read(&format!(
                "store_id,{}\n{id},{text}\n",
                column.replace("store_id", "region")
            ))
        };
        for column in [
            "store_id",
            "store_name",
            "merchant_id",
            "category",
            "region",
        ] {
            assert!(texts(column, TEXT_BYTES_MAX).is_ok());
            let error = texts(column, TEXT_BYTES_MAX + 1).unwrap_err().to_string();
            let words = format!("line 2: {column} is longer than 1024 bytes");
            assert!(error.contains(&words), "{error}");
        }
    }
}
