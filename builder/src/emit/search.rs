//! The search dataset: ids and words of names, and what they name.

use std::collections::{BTreeMap, BTreeSet};

use nightshard_format::{
    key::KEY_LEN_MAX,
    record::{EntityKind, Posting, SEARCH, encode_postings},
    text::{TermKind, fold, rotations, term_key, words},
};

use super::{
    catalog::{StoreFacts, regions_of},
    shard_set::{CurrentRecord, Staged, Staging},
};
use crate::{Result, regions::RegionTable};

/// Longest word that is found by its parts; what is longer is no word of a language.
const WORD_LEN_MAX: usize = 128;

type Terms<'a> = BTreeMap<(u8, String), BTreeSet<Posting<'a>>>;

/// Writes what finds stores by id and name, categories by id, and regions, those above others included, by both.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_search(
    staging: &Staging,
    stores: &[StoreFacts],
    tree: &RegionTable,
) -> Result<Vec<Staged>> {
    let mut terms = Terms::new();
    let mut regions = BTreeSet::new();
    for store in stores {
        let name = store.name.as_deref().unwrap_or_default();
        add(&mut terms, EntityKind::Store, &store.id, name);
        regions.extend(regions_of(store, tree));
        if let Some(category) = &store.category {
            add(
                &mut terms,
                EntityKind::Category,
                category.as_bytes(),
                category,
            );
        }
    }
    for region in regions {
        let named = tree.get(region).and_then(|known| known.name.as_deref());
        let name = named.unwrap_or(region);
        add(&mut terms, EntityKind::Region, region.as_bytes(), name);
    }
    let records = terms.into_iter().map(|((kind, text), postings)| {
        let mut value = Vec::new();
        encode_postings(postings.into_iter(), &mut value);
        if kind == TermKind::Id as u8 {
            let key = term_key(TermKind::Id, &text);
            CurrentRecord {
                terms: vec![key.clone()],
                key,
                value,
            }
        } else {
            let terms = rotations(&text).collect();
            CurrentRecord {
                key: term_key(TermKind::Word, &text),
                value,
                terms,
            }
        }
    });
    staging.write_current(SEARCH, records)
}

fn add<'a>(terms: &mut Terms<'a>, kind: EntityKind, id: &'a [u8], name: &str) {
    let posting = Posting { kind, id };
    let folded_id = fold(&String::from_utf8_lossy(id));
    if folded_id.len() < KEY_LEN_MAX {
        terms
            .entry((TermKind::Id as u8, folded_id))
            .or_default()
            .insert(posting);
    }
    for word in words(&fold(name)).filter(|word| word.len() <= WORD_LEN_MAX) {
        terms
            .entry((TermKind::Word as u8, word.to_owned()))
            .or_default()
            .insert(posting);
    }
}
