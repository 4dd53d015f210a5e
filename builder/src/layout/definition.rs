//! The layout as its TOML file spells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Field;

/// A layout file: how to find and read each canonical field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Definition {
    /// What separates two fields; an ASCII character.
    pub delimiter: char,
    /// Name of the encoding as the WHATWG lists it, such as `utf-8`, `windows-1252`, `euc-kr`.
    pub encoding: String,
    /// IANA zone that times with an offset are converted to.
    pub zone: Option<String>,
    /// Whether the hour of a row is known.
    pub time_precision: TimePrecision,
    /// Columns outside the canonical set to carry along.
    pub carry: Vec<String>,
    /// The date, where it has a column of its own; instead of `fields.ts`.
    pub date: Option<Column>,
    /// The time of day that goes with `date`; empty in a row means a date alone.
    pub time: Option<Column>,
    /// Where each canonical field comes from.
    pub fields: BTreeMap<Field, Column>,
}

impl Default for Definition {
    fn default() -> Self {
        Self {
            delimiter: ',',
            encoding: "utf-8".to_owned(),
            zone: None,
            time_precision: TimePrecision::default(),
            carry: Vec::new(),
            date: None,
            time: None,
            fields: BTreeMap::new(),
        }
    }
}

/// How exactly the source knows when a payment was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimePrecision {
    /// To the second or minute; a row with a date alone has no hour.
    #[default]
    Second,
    /// The day; whatever hour is written means nothing.
    Date,
}

/// The unit in which a source writes amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountUnit {
    /// The currency's smallest, or `factor` of them.
    #[default]
    Minor,
    /// The currency's own: as many decimals as ISO 4217 gives the currency of the row.
    Major,
}

/// Where one field comes from and how its text is read.
///
/// Names match a header after trimming, without regard to case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Column {
    /// Spellings of the column; the first that a header or a line of JSON has is taken.
    pub columns: Vec<String>,
    /// Spellings of a second column, read in rows where the first is missing or empty.
    pub fallback: Vec<String>,
    /// The value where the row has none.
    pub constant: Option<String>,
    /// Whether a header without the column is an error. By default it is for the store, the
    /// time, the amount and the currency.
    pub required: Option<bool>,
    /// Characters taken off both ends of a text, such as the asterisks of a masked card number.
    pub strip: String,
    /// `strptime` formats of a date or time, tried in order; without one, ISO 8601.
    pub formats: Vec<String>,
    /// Minor units in one unit of an amount; not with `unit = "major"`.
    pub factor: Option<u32>,
    /// The unit in which an amount is written.
    pub unit: AmountUnit,
    /// The decimal mark of an amount: `.` or `,`.
    pub decimal: Option<char>,
    /// Rounds an amount to the minor unit, half away from zero, instead of rejecting it.
    pub round: bool,
    /// Pairs the currency's columns with the amount's: where the amount came from its fallback,
    /// the currency's fallback is asked first, elsewhere not at all.
    pub follow_amount: bool,
    /// Values of a status that mean cancelled, without regard to case.
    pub cancelled: Vec<String>,
    /// Terms from this one up mean that points were used, and the months are what exceeds it.
    pub points_from: Option<u16>,
}
