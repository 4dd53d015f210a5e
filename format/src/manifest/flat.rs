//! The manifest as it stands in JSON: the members of transactions beside the others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{GenerationId, Input, Manifest, Packed, Rows, ShardEntry, Transactions};

/// The members, of which those of transactions stand all or none.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flat {
    format_version: u32,
    id: GenerationId,
    as_of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days: Option<[String; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency_exponent: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<Rows>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stores: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    card_key: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    packed: BTreeMap<String, Packed>,
    inputs: Vec<Input>,
    configuration: BTreeMap<String, serde_json::Value>,
    shards: Vec<ShardEntry>,
}

impl From<Manifest> for Flat {
    fn from(manifest: Manifest) -> Self {
        let mut flat = Self {
            format_version: manifest.format_version,
            id: manifest.id,
            as_of: manifest.as_of,
            days: None,
            currency: None,
            currency_exponent: None,
            rows: None,
            stores: None,
            card_key: None,
            packed: manifest.packed,
            inputs: manifest.inputs,
            configuration: manifest.configuration,
            shards: manifest.shards,
        };
        if let Some(transactions) = manifest.transactions {
            flat.days = Some(transactions.days);
            flat.currency = Some(transactions.currency);
            flat.currency_exponent = Some(transactions.currency_exponent);
            flat.rows = Some(transactions.rows);
            flat.stores = Some(transactions.stores);
            flat.card_key = Some(transactions.card_key);
        }
        flat
    }
}

impl TryFrom<Flat> for Manifest {
    type Error = String;

    fn try_from(flat: Flat) -> Result<Self, String> {
        let has_any = flat.days.is_some()
            || flat.currency.is_some()
            || flat.currency_exponent.is_some()
            || flat.rows.is_some()
            || flat.stores.is_some()
            || flat.card_key.is_some();
        let missing = |member: &str| format!("it has transactions and no {member}");
        let transactions = if has_any {
            Some(Transactions {
                days: flat.days.ok_or_else(|| missing("days"))?,
                currency: flat.currency.ok_or_else(|| missing("currency"))?,
                currency_exponent: flat
                    .currency_exponent
                    .ok_or_else(|| missing("currency_exponent"))?,
                rows: flat.rows.ok_or_else(|| missing("rows"))?,
                stores: flat.stores.ok_or_else(|| missing("stores"))?,
                card_key: flat.card_key.ok_or_else(|| missing("card_key"))?,
            })
        } else {
            None
        };
        Ok(Self {
            format_version: flat.format_version,
            id: flat.id,
            as_of: flat.as_of,
            transactions,
            packed: flat.packed,
            inputs: flat.inputs,
            configuration: flat.configuration,
            shards: flat.shards,
        })
    }
}
