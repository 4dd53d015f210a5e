//! Layouts: TOML files that map any table of payments to canonical transactions.
//!
//! A [`Definition`] is the file as written; a [`Layout`] is one that was checked, with its
//! encoding, zone and numbers ready to use.

mod definition;
mod error;
mod field;

use std::fs;
use std::path::Path;

use encoding_rs::{Encoding, UTF_8};
use jiff::tz::TimeZone;

pub use definition::{AmountUnit, Column, Definition, TimePrecision};
pub use error::{Error, Result};
pub use field::Field;

/// Layouts that need no file.
const BUILT_IN: [(&str, &str); 3] = [
    ("canonical", include_str!("canonical.toml")),
    ("funda", include_str!("funda.toml")),
    ("payments", include_str!("payments.toml")),
];

/// Largest unit factor: a million minor units in one.
const FACTOR_MAX: u32 = 1_000_000;

/// A checked layout.
#[derive(Clone, Debug)]
pub struct Layout {
    name: String,
    definition: Definition,
    delimiter: u8,
    encoding: &'static Encoding,
    zone: Option<TimeZone>,
    amount: AmountRule,
}

/// How the text of an amount becomes minor units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AmountRule {
    /// Minor units in one unit of the text; none where the row's currency says it.
    pub(crate) factor: Option<u32>,
    /// The decimal mark.
    pub(crate) decimal: u8,
    /// Whether to round what is finer than a minor unit.
    pub(crate) round: bool,
}

impl Layout {
    /// Returns the built-in layout `canonical`, `funda` or `payments`; `None` for other names.
    ///
    /// # Panics
    /// Never: a test reads all of them.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(name, text).expect("built-in layouts are valid"))
    }

    /// Reads a layout file.
    ///
    /// # Errors
    /// [`Error::Read`] when the file cannot be read, else as [`Layout::parse`].
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Returns the built-in layout of that name, else reads the file of that name.
    ///
    /// # Errors
    /// As [`Layout::load`].
    pub fn named_or_file(name: &str) -> Result<Self> {
        Self::builtin(name).map_or_else(|| Self::load(Path::new(name)), Ok)
    }

    /// Checks the TOML `text` of a layout; errors call it `name`.
    ///
    /// # Errors
    /// [`Error::Syntax`] for bad TOML and unknown keys, [`Error::Value`] for values that make no
    /// sense.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let definition: Definition = toml::from_str(text).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start).min(text.len());
            Error::Syntax {
                name: name.to_owned(),
                line: 1 + text.as_bytes()[..before]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count(),
                message: error.message().replace('\n', " "),
            }
        })?;
        let at = |key: &str, message: &str| Error::Value {
            name: name.to_owned(),
            key: key.to_owned(),
            message: message.to_owned(),
        };
        check_fields(&definition).map_err(|(key, message)| at(&key, message))?;
        let amount = amount_rule(&definition).map_err(|m| at("fields.amount_minor", m))?;
        let encoding = encoding(&definition.encoding).map_err(|message| {
            let label = &definition.encoding;
            at("encoding", &format!("{label:?}: {message}"))
        })?;
        let delimiter =
            delimiter(definition.delimiter, encoding).map_err(|m| at("delimiter", m))?;
        let zone = definition.zone.as_deref().map(TimeZone::get).transpose();
        let zone = zone.map_err(|_| {
            let zone = definition.zone.as_deref().unwrap_or_default();
            at("zone", &format!("{zone:?}: no such IANA zone"))
        })?;
        Ok(Self {
            name: name.to_owned(),
            definition,
            delimiter,
            encoding,
            zone,
            amount,
        })
    }

    /// Returns the built-in layout's name, or the file's path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the layout as written, defaults filled in: what a manifest records.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    pub(crate) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(crate) fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    pub(crate) fn is_utf8(&self) -> bool {
        self.encoding == UTF_8
    }

    pub(crate) fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }

    pub(crate) fn amount(&self) -> AmountRule {
        self.amount
    }

    pub(crate) fn field(&self, field: Field) -> Option<&Column> {
        self.definition.fields.get(&field)
    }

    /// The column of the whole time, or of the date alone where the two are apart.
    pub(crate) fn date(&self) -> Option<&Column> {
        self.definition
            .date
            .as_ref()
            .or_else(|| self.field(Field::Ts))
    }
}

impl Definition {
    /// All columns of fields, dates and times.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Column> {
        let apart = self.date.iter().chain(&self.time);
        apart.chain(self.fields.values())
    }
}

impl Column {
    /// All spellings, first choice first.
    pub(crate) fn spellings(&self) -> impl Iterator<Item = &String> {
        self.columns.iter().chain(&self.fallback)
    }
}

/// The key at fault and what is wrong with its value.
type Fault = (String, &'static str);

fn check_fields(definition: &Definition) -> std::result::Result<(), Fault> {
    for required in [Field::StoreId, Field::AmountMinor, Field::Currency] {
        if !definition.fields.contains_key(&required) {
            return Err((format!("fields.{}", required.as_str()), "is missing"));
        }
    }
    match (
        &definition.date,
        definition.fields.contains_key(&Field::Ts),
        &definition.time,
    ) {
        (None, false, _) => return Err(("fields.ts".to_owned(), "is missing, and so is date")),
        (Some(_), true, _) => return Err(("date".to_owned(), "stands beside fields.ts")),
        (None, _, Some(_)) => return Err(("time".to_owned(), "stands without date")),
        _ => {}
    }
    let parts = [("date", &definition.date), ("time", &definition.time)];
    for (key, column) in parts
        .into_iter()
        .filter_map(|(key, c)| Some((key, c.as_ref()?)))
    {
        check_column(column, Field::Ts).map_err(|message| (key.to_owned(), message))?;
    }
    check_epochs(definition)?;
    for (field, column) in &definition.fields {
        check_column(column, *field)
            .map_err(|message| (format!("fields.{}", field.as_str()), message))?;
    }
    Ok(())
}

/// Checks that seconds since 1970 stand where they say a time.
fn check_epochs(definition: &Definition) -> std::result::Result<(), Fault> {
    let has_epoch = |column: Option<&Column>| {
        column.is_some_and(|column| column.formats.iter().any(|format| reads_epoch(format)))
    };
    let (key, date) = match &definition.date {
        Some(date) => ("date", Some(date)),
        None => ("fields.ts", definition.fields.get(&Field::Ts)),
    };
    let faults = [
        (
            has_epoch(definition.time.as_ref()),
            ("time", "%s is no time of day"),
        ),
        (
            has_epoch(date) && definition.zone.is_none(),
            (key, "%s needs a zone"),
        ),
        (
            has_epoch(date) && definition.time_precision == TimePrecision::Date,
            (
                key,
                "%s writes no date for time_precision = \"date\" to take",
            ),
        ),
    ];
    let fault = faults.into_iter().find(|(wrong, _)| *wrong);
    fault.map_or(Ok(()), |(_, (key, message))| Err((key.to_owned(), message)))
}

/// Whether a format reads seconds since 1970, as `%s` does.
fn reads_epoch(format: &str) -> bool {
    let epoch = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    jiff::fmt::strtime::format(format, &epoch)
        .and_then(|text| jiff::fmt::strtime::parse(format, text))
        .is_ok_and(|parsed| parsed.timestamp().is_some())
}

/// Checks that a column can have a value and that its options belong to its field.
fn check_column(column: &Column, field: Field) -> std::result::Result<(), &'static str> {
    let of_amount = column.factor.is_some()
        || column.unit != AmountUnit::Minor
        || column.decimal.is_some()
        || column.round;
    let misplaced = [
        (
            of_amount && field != Field::AmountMinor,
            "only an amount has factor, unit, decimal or round",
        ),
        (
            !column.formats.is_empty() && field != Field::Ts,
            "only dates and times have formats",
        ),
        (
            column.follow_amount && field != Field::Currency,
            "only a currency can follow_amount",
        ),
        (
            !column.cancelled.is_empty() && field != Field::Status,
            "only a status has cancelled",
        ),
        (
            column.points_from.is_some() && field != Field::Installments,
            "only installments have points_from",
        ),
        (!column.strip.is_ascii(), "strip takes ASCII characters"),
        (
            column
                .constant
                .as_deref()
                .is_some_and(|text| text.contains(char::is_control)),
            "a constant holds no control characters",
        ),
        (
            column.constant.is_none() && column.spellings().next().is_none(),
            "has neither columns nor a constant",
        ),
    ];
    if let Some((_, message)) = misplaced.iter().find(|(wrong, _)| *wrong) {
        return Err(message);
    }
    let is_code = |text: &str| text.len() == 3 && text.bytes().all(|it| it.is_ascii_uppercase());
    if field == Field::Currency && column.constant.as_deref().is_some_and(|it| !is_code(it)) {
        return Err("a constant currency is three capital letters");
    }
    let probe = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0).in_tz("UTC");
    let probe = probe.map_err(|_| "the zone UTC is missing")?;
    for format in &column.formats {
        jiff::fmt::strtime::format(format, &probe).map_err(|_| "not a strptime format")?;
    }
    Ok(())
}

fn amount_rule(definition: &Definition) -> std::result::Result<AmountRule, &'static str> {
    let column = definition
        .fields
        .get(&Field::AmountMinor)
        .ok_or("is missing")?;
    let factor = match (column.unit, column.factor) {
        (AmountUnit::Minor, factor) => Some(factor.unwrap_or(1)),
        (AmountUnit::Major, None) => None,
        (AmountUnit::Major, Some(_)) => return Err("factor stands beside unit = \"major\""),
    };
    if factor.is_some_and(|factor| !(1..=FACTOR_MAX).contains(&factor)) {
        return Err("factor is not between 1 and 1000000");
    }
    let decimal = match column.decimal.unwrap_or('.') {
        '.' => b'.',
        ',' => b',',
        _ => return Err("decimal is neither a point nor a comma"),
    };
    Ok(AmountRule {
        factor,
        decimal,
        round: column.round,
    })
}

fn delimiter(
    delimiter: char,
    encoding: &'static Encoding,
) -> std::result::Result<u8, &'static str> {
    match u8::try_from(delimiter) {
        // Shift_JIS, GBK and Big5 use the byte of a bar inside characters.
        Ok(b'|') if encoding != UTF_8 && !encoding.is_single_byte() => {
            Err("a bar cannot be told in this encoding")
        }
        Ok(byte @ (b'\t' | b',' | b';' | b'|')) => Ok(byte),
        _ => Err("is not a tab, a comma, a semicolon or a bar"),
    }
}

fn encoding(label: &str) -> std::result::Result<&'static Encoding, &'static str> {
    let encoding = Encoding::for_label(label.as_bytes()).ok_or("no such encoding")?;
    if encoding.is_ascii_compatible() {
        Ok(encoding)
    } else {
        // Lines could not be found in the bytes of UTF-16 or ISO-2022-JP.
        Err("convert the files first: lines cannot be told in this encoding")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_layout_is_valid() {
        for (name, _) in BUILT_IN {
            assert_eq!(Layout::builtin(name).unwrap().name(), name);
        }
        assert!(Layout::builtin("other").is_none());
    }
}
