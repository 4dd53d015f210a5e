//! Records of who pays checked against the months of stores and places, and against how many cards hide each other.

use nightshard_format::{
    Result,
    calendar::Month,
    generation::Generation,
    privacy::Privacy,
    record::{
        DEMOGRAPHICS, DemographicsRecord, MonthTotals, PLACE_DEMOGRAPHICS, PlaceDemographics,
        STORES, split_atoms_key,
    },
    shard::Mapped,
};

use crate::verify_months::check_months;

/// Checks that the cells of every store's month are all its rows and cards, and that each has enough of these; that
/// those of a place's month are all rows where nothing is hidden, and no more than the place has; and that there are as
/// many records as there are said to be, in each month. Where what was told before stays, rows that came since are in
/// no cell.
///
/// # Errors
/// [`nightshard_format::Error::Corrupt`] naming the store, place or month of what does not agree.
pub(crate) fn check_demographics(generation: &Generation<Mapped>) -> Result<()> {
    let privacy = Privacy::of(generation.manifest())?;
    check_months(generation, DEMOGRAPHICS, |month, key, value| {
        let record = DemographicsRecord::parse(value)?;
        contradiction(generation, privacy, (month, key), &record)
    })?;
    check_months(generation, PLACE_DEMOGRAPHICS, |month, key, value| {
        let record = PlaceDemographics::parse(value)?;
        // What places have is told as atoms where anything is hidden, which need not be all.
        match privacy.is_protecting() {
            true => Ok(None),
            false => contradiction_of_place(generation, (month, key), &record),
        }
    })
}

/// Returns the totals of a month of a key, if it has rows in it.
fn totals_of(
    generation: &Generation<Mapped>,
    dataset: &str,
    (month, key): (Month, &[u8]),
) -> Result<Option<MonthTotals>> {
    let summary = generation.summary(dataset, key)?;
    let months = summary.map(|summary| summary.months).unwrap_or_default();
    Ok(months.into_iter().find(|totals| totals.month == month))
}

/// Returns what contradicts the store's month in its cells, if anything does.
fn contradiction(
    generation: &Generation<Mapped>,
    privacy: Privacy,
    of: (Month, &[u8]),
    record: &DemographicsRecord<'_>,
) -> Result<Option<&'static str>> {
    if privacy.is_protecting() && record.cells.iter().any(|cell| cell.cards < privacy.k()) {
        return Ok(Some("a cell has too few cards to be told"));
    }
    if generation.manifest().keeps_atoms() {
        // What was told stays, whatever came late for the store since, or if it is gone.
        return Ok(None);
    }
    let Some(totals) = totals_of(generation, STORES, of)? else {
        return Ok(Some("the store has no row in it"));
    };
    let (mut count, mut sum, mut cards) = (0_u64, 0_i128, 0_u64);
    for cell in &record.cells {
        count = count.saturating_add(cell.count);
        sum = sum.saturating_add(cell.sum);
        cards = cards.saturating_add(cell.cards);
    }
    let has = (totals.statistics.count, totals.statistics.sum, totals.cards);
    Ok(((count, sum, cards) != has).then_some("its cells are not the rows and cards of the store"))
}

/// Returns what contradicts the month of a place or the market in its cells, where nothing is hidden, if anything does.
fn contradiction_of_place(
    generation: &Generation<Mapped>,
    (month, key): (Month, &[u8]),
    record: &PlaceDemographics<'_>,
) -> Result<Option<&'static str>> {
    let Some((dataset, key)) = split_atoms_key(key) else {
        return Ok(Some("its key is of no market or place"));
    };
    let Some(totals) = totals_of(generation, dataset, (month, key))? else {
        return Ok(Some("the place has no row in it"));
    };
    let counts = record.cells.iter().map(|cell| cell.count);
    let told = counts.fold(0, u64::saturating_add);
    Ok(if told != record.count {
        Some("its cells are not all its rows, and nothing is to be hidden")
    } else if record.count > totals.statistics.count {
        Some("its cells have more rows than the place")
    } else {
        None
    })
}
