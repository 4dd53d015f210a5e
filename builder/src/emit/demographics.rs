//! What is told of who pays once all stores are known: months that have ended, and stores of places together.

use std::{collections::BTreeMap, fs};

use nightshard_format::{
    calendar::Month,
    key,
    record::{DEMOGRAPHICS, MARKET_ALL, MARKETS, PLACE_DEMOGRAPHICS, atoms_key},
    shard::Span,
};

use super::{
    month_shards::{CountedMonths, write_month_counts},
    shard_set::{Staged, Staging},
};
use crate::{
    Error, Result,
    kernel::{
        cardholder::Cardholders,
        hiding::Hiding,
        place_cardholders::{PlaceCardholders, PlaceOrMarket},
        places::{Place, PlaceKind, Places},
    },
};

/// Takes the shards of months after `ended` back: what is told of a month must not change while it goes on.
///
/// # Errors
/// [`Error::File`] if one cannot be removed.
pub fn hold_back_demographics(staged: &mut Vec<Staged>, ended: Month) -> Result<()> {
    let mut removed = Ok(());
    staged.retain(|it| {
        let is_held_back = month_of(it).is_some_and(|month| month > ended);
        if is_held_back && removed.is_ok() {
            removed = fs::remove_file(&it.path).map_err(Error::at(&it.path));
        }
        !is_held_back
    });
    removed
}

/// Writes how many stores have a record of who pays, by month.
///
/// # Errors
/// [`Error::File`] if the staging folder takes no more.
pub fn count_demographics(staging: &Staging, stores: &[Staged]) -> Result<Vec<Staged>> {
    let mut months = BTreeMap::<Month, u64>::new();
    for (month, staged) in stores.iter().filter_map(|it| Some((month_of(it)?, it))) {
        *months.entry(month).or_default() += staged.entry.records;
    }
    write_month_counts(staging, DEMOGRAPHICS, months)
}

/// Who pays at the stores of each place, and of the market.
pub struct PlacesToWrite<'a> {
    /// The places.
    pub places: &'a Places,
    /// What is known of them.
    pub found: &'a PlaceCardholders,
    /// What cardholders stand for.
    pub cardholders: &'a Cardholders,
    /// What hides cards and merchants, where anything is hidden.
    pub hiding: Option<Hiding>,
    /// The last month that is told, if not all are.
    pub last: Option<Month>,
}

impl PlacesToWrite<'_> {
    /// Writes the record of each month of a place and of the market, and how many of them have one.
    ///
    /// # Errors
    /// [`Error::File`] if the staging folder takes no more.
    pub fn write(&self, staging: &Staging) -> Result<Vec<Staged>> {
        let mut shards = CountedMonths::new(staging, PLACE_DEMOGRAPHICS);
        for (key, place) in self.keys() {
            let told_by = (self.cardholders, self.hiding);
            let append = |month, value: &[u8]| shards.append(Span::Month(month), &key, value);
            self.found.encode(place, self.last, told_by, append)?;
        }
        shards.finish()
    }

    /// Returns the market and all places but tiles by their keys, in the order of a shard's keys.
    fn keys(&self) -> Vec<(Vec<u8>, PlaceOrMarket)> {
        let places = (0..).zip(self.places.list());
        let places = places.filter(|(_, place)| place.kind != PlaceKind::Tile);
        let key_of_place = |(ordinal, place): (u32, &Place)| {
            let key = atoms_key(place.kind.dataset(), &place.key);
            (key, Some(ordinal))
        };
        let market = (atoms_key(MARKETS, MARKET_ALL), None);
        let mut keys: Vec<_> = places.map(key_of_place).chain([market]).collect();
        keys.sort_unstable_by(|(a, _), (b, _)| key::order(a).cmp(&key::order(b)));
        keys
    }
}

/// Returns the month of a shard of who pays.
fn month_of(staged: &Staged) -> Option<Month> {
    let entry = &staged.entry;
    match entry
        .span
        .parse()
        .ok()
        .filter(|_| entry.dataset == DEMOGRAPHICS)?
    {
        Span::Month(month) => Some(month),
        Span::Current => None,
    }
}
