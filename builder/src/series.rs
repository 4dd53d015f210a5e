//! Side series: daily numbers beside sales, such as a stock index or the weather.

use std::{collections::BTreeMap, path::Path};

use nightshard_format::calendar::Day;

use crate::{
    Error, Result,
    kernel::row::DAYS,
    small_table::{Columns, Fault},
    source::{self, InputSummary},
};

/// No generation has more series, so that their list stays small.
pub const SERIES_MAX: usize = 1_000;

/// The columns, all of which are required.
const COLUMNS: Columns<3> = Columns {
    names: ["date", "name", "value"],
    required: 3,
};

/// The values of some files, by name and day; empty without one.
///
/// # Shape
/// A name has one value at most on each day of those that a transaction may have.
#[derive(Debug, Default)]
pub struct SeriesTable {
    series: BTreeMap<String, BTreeMap<Day, f64>>,
    files: Vec<InputSummary>,
}

/// A side series as far as a generation knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownSeries<'a> {
    /// Its name.
    pub name: &'a str,
    /// The values up to the last business day, by day.
    pub values: Vec<(Day, f64)>,
    /// How many values lie after it.
    pub after_as_of: u64,
}

impl SeriesTable {
    /// Reads CSV files, plain, .gz or .zst, with a header of `date` (YYYY-MM-DD), `name` and `value`, a
    /// decimal number. The order of files, columns and rows does not matter, and equal rows count once.
    ///
    /// # Errors
    /// [`Error::File`] naming the line and the column at fault: what the dimension file is refused for
    /// ([`crate::stores::StoreTable::read`]), a date, name or value that is none, and another value of
    /// the same date and name; and a file without rows. [`Error::Source`] for what cannot be read.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self> {
        let mut table = Self::default();
        for path in paths {
            table.add_file(path.as_ref())?;
        }
        Ok(table)
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let (bytes, summary) = source::read_whole(path)?;
        let path = path.to_owned();
        // As UTF-16 has them; no text has.
        if bytes.contains(&0) {
            return Err(source::Error::Binary { path }.into());
        }
        match self.add_rows(&bytes) {
            Err((line, problem)) => Err(Error::File {
                path,
                problem: format!("line {line}: {problem}"),
            }),
            Ok(0) => Err(Error::File {
                path,
                problem: "there is no row behind the header".to_owned(),
            }),
            Ok(_) => {
                self.files.push(InputSummary {
                    is_open_ended: !bytes.ends_with(b"\n"),
                    ..summary
                });
                Ok(())
            }
        }
    }

    /// Adds the rows of a file, and returns how many there are.
    fn add_rows(&mut self, bytes: &[u8]) -> Result<u64, Fault> {
        let mut rows = 0;
        COLUMNS.read(bytes, |_line, fields| {
            rows += 1;
            self.add_row(fields)
        })?;
        Ok(rows)
    }

    fn add_row(&mut self, [date, name, value]: [&str; 3]) -> Result<(), String> {
        let (day, value) = (parse_date(date)?, parse_value(value)?);
        if name.is_empty() {
            return Err("name is empty".to_owned());
        }
        if self.series.len() >= SERIES_MAX && !self.series.contains_key(name) {
            return Err(format!("name is that of one series more than {SERIES_MAX}"));
        }
        let values = self.series.entry(name.to_owned()).or_default();
        match values.insert(day, value) {
            Some(earlier) if earlier.to_bits() != value.to_bits() => {
                Err("value is another one than a row before has of this date and name".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Returns whether no file was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the files, in the order in which they were read.
    #[must_use]
    pub fn files(&self) -> &[InputSummary] {
        &self.files
    }

    /// Returns what is known of each series as of a day, by name; some may have no value by then.
    ///
    /// What lies after is left out as rows are: else a date that is wrong by years would keep a series
    /// from ever being stale.
    #[must_use]
    pub fn as_of(&self, as_of: Day) -> Vec<KnownSeries<'_>> {
        let known = self.series.iter().map(|(name, values)| {
            let until = values.range(..=as_of);
            let until: Vec<(Day, f64)> = until.map(|(day, value)| (*day, *value)).collect();
            KnownSeries {
                name,
                after_as_of: (values.len() - until.len()) as u64,
                values: until,
            }
        });
        known.collect()
    }
}

fn parse_date(field: &str) -> Result<Day, String> {
    let day: Day = field
        .parse()
        .map_err(|_bad| "date is not a date (YYYY-MM-DD)")?;
    if DAYS.contains(&day.0) {
        return Ok(day);
    }
    let (first, last) = (Day(*DAYS.start()), Day(*DAYS.end()));
    Err(format!("date is not from {first} to {last}"))
}

fn parse_value(field: &str) -> Result<f64, &'static str> {
    // What Rust takes for a number besides, such as inf and nan, has other letters.
    let is_of_number =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let value: Option<f64> = field.parse().ok();
    let value = value.filter(|_| field.bytes().all(is_of_number));
    let value = value.ok_or("value is not a number")?;
    if value.is_finite() {
        // So that a negative 0 is 0.
        Ok(value + 0.0)
    } else {
        Err("value is too large for a number")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(texts: &[&str]) -> Result<SeriesTable> {
        let folder = tempfile::tempdir().unwrap();
        let write = |(number, text): (usize, &&str)| {
            let path = folder.path().join(format!("{number}.csv"));
            std::fs::write(&path, text).unwrap();
            path
        };
        let paths: Vec<_> = texts.iter().enumerate().map(write).collect();
        SeriesTable::read(&paths)
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn values_are_found_by_name_and_day_whatever_the_order_and_repeats() {
        let table = read(&[
            "value,DATE, Name \n2.50,2018-03-06,kospi\n-1e-2,2018-03-05,\"kospi\"\n",
            "\u{feff}date,name,value\r\n2018-03-05,rain,-0\r\n2018-03-06,kospi,+2.5\r\n\
             2018-03-06,kospi,25e-1\r\n",
        ])
        .unwrap();
        let known = table.as_of(day("2018-03-05"));
        let series = |name, value, after_as_of| KnownSeries {
            name,
            values: vec![(day("2018-03-05"), value)],
            after_as_of,
        };
        assert_eq!(known, [series("kospi", -0.01, 1), series("rain", 0.0, 0)]);
        assert!(known[1].values[0].1.is_sign_positive());
        let before = table.as_of(day("2018-03-04"));
        assert!(before.iter().all(|series| series.values.is_empty()));
        assert_eq!(table.files().len(), 2);
    }

    #[test]
    fn damage_is_named_by_line_and_column() {
        for (row, words) in [
            ("2018-02-29,a,1", "line 3: date is not a date"),
            ("05.03.2018,a,1", "line 3: date is not a date"),
            (",a,1", "line 3: date is not a date"),
            ("1969-12-31,a,1", "line 3: date is not from 1970-01-01"),
            ("2100-01-01,a,1", "to 2099-12-31"),
            ("2018-03-05,,1", "line 3: name is empty"),
            ("2018-03-05,a,", "line 3: value is not a number"),
            ("2018-03-05,a,one", "line 3: value is not a number"),
            ("2018-03-05,a,\"1,5\"", "line 3: value is not a number"),
            ("2018-03-05,a,inf", "line 3: value is not a number"),
            ("2018-03-05,a,NaN", "line 3: value is not a number"),
            ("2018-03-05,a,0x10", "line 3: value is not a number"),
            ("2018-03-05,a,1_000", "line 3: value is not a number"),
            ("2018-03-05,a,1e400", "line 3: value is too large"),
            (
                "2018-03-05,a",
                "line 3: fewer or more fields than the header has",
            ),
            (
                "2018-03-05,a,1,2",
                "line 3: fewer or more fields than the header has",
            ),
            ("2018-03-04,a,1.5", "line 3: value is another one"),
            ("2018-03-05,a\u{7},1", "line 3: name holds a control"),
            ("2018-03-05,\"a,1", "line 3: quote never closed"),
        ] {
            let text = format!("date,name,value\n2018-03-04,a,1\n{row}\n");
            let error = read(&[&text]).unwrap_err().to_string();
            assert!(error.contains(words), "{row}: {error}");
        }
        for (text, words) in [
            ("date,name\n", "line 1: there is no column value"),
            ("date,name,value,unit\n", "line 1: the column"),
            ("date;name;value\n", "line 1: the column"),
            ("date,name,value,Value\n", "line 1: value stands twice"),
            ("2018-03-05,a,1\n", "line 1: the column"),
            ("", "line 1: there is no header"),
            ("date,name,value\n", "there is no row"),
            ("date\0,name,value\n", "is not a text file"),
            (
                "date,name,value\r2018-03-05,a,1\r",
                "line 1: its lines end in carriage returns alone",
            ),
        ] {
            let error = read(&[text]).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_contradiction_between_files_names_the_later_one() {
        let error = read(&[
            "date,name,value\n2018-03-05,a,1\n",
            "date,name,value\n2018-03-06,a,1\n2018-03-05,a,2\n",
        ]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("1.csv: line 3: value is another"), "{error}");
    }

    #[test]
    fn there_are_no_more_series_than_a_list_may_have() {
        let rows = |names: usize| {
            let rows = (0..names).map(|name| format!("2018-03-05,s{name},1\n"));
            "date,name,value\n".to_owned() + &rows.collect::<String>()
        };
        assert!(read(&[&rows(SERIES_MAX)]).is_ok());
        let error = read(&[&rows(SERIES_MAX + 1)]).unwrap_err().to_string();
        assert!(error.contains("line 1002: name"), "{error}");
    }

    proptest! {
        #[test]
        fn a_value_is_the_double_that_it_is_written_as(value: f64) {
            prop_assume!(value.is_finite());
            for text in [format!("{value}"), format!("{value:e}")] {
                prop_assert_eq!(parse_value(&text), Ok(value));
            }
        }
    }
}
