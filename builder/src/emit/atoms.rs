//! The shards of atoms.

use nightshard_format::{
    calendar::Month,
    key::{self, PartitionRun},
    record::{
        ATOMS, AtomCards, AtomGroup, AtomMonth, AtomSummary, AtomTotals, MARKET_ALL, MARKETS,
        StoreProfile, atoms_key,
    },
    shard::Span,
};

use super::shard_set::{ShardSet, Staged, Staging};
use crate::{
    Result,
    kernel::{place_atoms::PlaceAtoms, places::Places},
};

/// Returns the key of a place, or of the market, which comes after all places.
fn key_of(places: &Places, place: usize) -> Vec<u8> {
    match places.list().get(place) {
        Some(place) => atoms_key(place.kind.dataset(), &place.key),
        None => atoms_key(MARKETS, MARKET_ALL),
    }
}

/// Writes the atoms of all places that have some, and of the market; `cards` are those of each place, by day.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_atoms(
    staging: &Staging,
    places: &Places,
    atoms: &PlaceAtoms,
    cards: &[Vec<AtomCards>],
) -> Result<Vec<Staged>> {
    let mut keys: Vec<(Vec<u8>, usize)> = (0..cards.len())
        .map(|place| (key_of(places, place), place))
        .collect();
    keys.sort_unstable_by(|(a, _), (b, _)| key::order(a).cmp(&key::order(b)));
    // There are few places: one shard of a span has them all.
    let mut set = ShardSet::new(staging, ATOMS, PartitionRun::ALL);
    let mut value = Vec::new();
    for (key, place) in keys {
        let mut summary = AtomSummary {
            profile: match places.list().get(place) {
                Some(place) => place.profile.clone(),
                None => StoreProfile::default(),
            },
            months: Vec::new(),
        };
        let mut rest = &cards[place][..];
        for (month, groups) in atoms.months(place) {
            let of_month = rest.partition_point(|it| it.day <= month.days().last);
            let (of_month, later) = rest.split_at(of_month);
            rest = later;
            summary.months.push(totals(month, &groups, of_month));
            let record = AtomMonth {
                groups,
                cards: of_month.to_vec(),
            };
            value.clear();
            record.encode(month, &mut value)?;
            set.append(Span::Month(month), &key, &value)?;
        }
        value.clear();
        summary.encode(&mut value)?;
        set.append(Span::Current, &key, &value)?;
    }
    set.finish()
}

fn totals(month: Month, groups: &[AtomGroup], cards: &[AtomCards]) -> AtomTotals {
    let distinct = |cards: &AtomCards| {
        let returning = cards.returning.iter().map(|run| run.count);
        cards.first_ever + returning.sum::<u64>()
    };
    AtomTotals {
        month,
        count: groups.iter().map(|group| group.count).sum(),
        sum: groups.iter().map(|group| group.sum).sum(),
        cards: cards.iter().map(distinct).sum(),
    }
}
