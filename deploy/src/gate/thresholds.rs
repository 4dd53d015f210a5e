//! How much a generation may differ from the last good one.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

/// The word that turns a check off.
const OFF: &str = "off";

/// The most that something may be; `"off"` in configuration: whatever it likes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// So much and no more.
    Max(f64),
    /// Not checked.
    Off,
}

impl Limit {
    /// Returns the most that is allowed, or `None` if that is not checked.
    #[must_use]
    pub fn max(self) -> Option<f64> {
        match self {
            Self::Max(max) => Some(max),
            Self::Off => None,
        }
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Max(max) => serializer.serialize_f64(*max),
            Self::Off => serializer.serialize_str(OFF),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

struct LimitVisitor;

impl Visitor<'_> for LimitVisitor {
    type Value = Limit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0 on, or \"off\"")
    }

    fn visit_f64<E: Error>(self, max: f64) -> Result<Limit, E> {
        if max.is_finite() && max >= 0.0 {
            Ok(Limit::Max(max))
        } else {
            Err(E::invalid_value(serde::de::Unexpected::Float(max), &self))
        }
    }

    fn visit_i64<E: Error>(self, max: i64) -> Result<Limit, E> {
        self.visit_f64(max as f64)
    }

    fn visit_u64<E: Error>(self, max: u64) -> Result<Limit, E> {
        self.visit_f64(max as f64)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Limit, E> {
        match word {
            OFF => Ok(Limit::Off),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
        }
    }
}

/// The table `[gate]` of the configuration.
///
/// # Units
/// Drops and rises are shares of what the last good generation has: 0.3 is 30 %.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// The fewest rows that figures are computed from; 0: none needed.
    pub min_rows: u64,
    /// The largest share of rejected rows among those read.
    pub rejects_share_max: Limit,
    /// How much that share may rise: 0.05 is from 1 % to 6 %.
    pub rejects_rise_max: Limit,
    /// How many rows may be gone, of those used and of those in the market.
    pub rows_drop_max: Limit,
    /// How many rows may come.
    pub rows_rise_max: Limit,
    /// How many stores may be gone.
    pub stores_drop_max: Limit,
    /// How many stores may come.
    pub stores_rise_max: Limit,
    /// How much the market's sum may fall.
    pub amount_drop_max: Limit,
    /// How much the market's sum may rise.
    pub amount_rise_max: Limit,
    /// How much the size of all shards may fall, packed datasets left out.
    pub size_drop_max: Limit,
    /// How much it may rise.
    pub size_rise_max: Limit,
    /// How many records of a packed dataset may be gone.
    pub records_drop_max: Limit,
    /// How many records of a packed dataset may come.
    pub records_rise_max: Limit,
    /// How many keys of each dataset are looked up.
    pub keys_sampled: u32,
    /// How many of them may be gone.
    pub keys_missing_max: Limit,
    /// Whether the last business day may be an earlier one.
    pub as_of_may_go_back: bool,
    /// Whether datasets may be gone, the currency another, the format older.
    pub schema_may_change: bool,
}

impl Default for Thresholds {
    fn default() -> Self {
        let (drop, rise) = (Limit::Max(0.3), Limit::Max(0.5));
        Self {
            min_rows: 1,
            rejects_share_max: Limit::Max(0.2),
            rejects_rise_max: Limit::Max(0.05),
            rows_drop_max: drop,
            rows_rise_max: rise,
            stores_drop_max: drop,
            stores_rise_max: rise,
            amount_drop_max: drop,
            amount_rise_max: rise,
            size_drop_max: drop,
            size_rise_max: rise,
            records_drop_max: drop,
            records_rise_max: rise,
            keys_sampled: 256,
            keys_missing_max: Limit::Max(0.05),
            as_of_may_go_back: false,
            schema_may_change: false,
        }
    }
}
