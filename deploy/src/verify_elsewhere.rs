//! Records of what cards do elsewhere checked against the stores' months, and against how many cards hide each other.

use nightshard_format::{
    Result,
    calendar::Month,
    generation::Generation,
    privacy::Privacy,
    record::{BEFORE_AFTER, BesideRecord, Label, LabelledCards, ORIGINS, OriginsRecord, STORES},
    shard::Mapped,
};

use crate::verify_months::check_months;

/// Checks that no list of a store's month has more cards than the month, that each cell has enough of these, and that
/// as many stores have a record as there are said to be, in each month. Where what was told before stays, the store's
/// month may have other cards by now.
///
/// # Errors
/// [`Error::Corrupt`] naming the store or month of what does not agree.
pub(crate) fn check_elsewhere(generation: &Generation<Mapped>) -> Result<()> {
    [ORIGINS, BEFORE_AFTER]
        .into_iter()
        .try_for_each(|dataset| check_dataset(generation, dataset))
}

fn check_dataset(generation: &Generation<Mapped>, dataset: &'static str) -> Result<()> {
    let privacy = Privacy::of(generation.manifest())?;
    check_months(generation, dataset, |month, key, value| {
        let lists = lists(dataset, value)?;
        contradiction(generation, privacy, (month, key), &lists)
    })
}

/// Returns the lists of a record.
fn lists<'a>(dataset: &str, value: &'a [u8]) -> Result<Vec<Vec<LabelledCards<'a>>>> {
    Ok(match dataset {
        ORIGINS => vec![OriginsRecord::parse(value)?.cells],
        _ => BesideRecord::parse(value)?.lists.into(),
    })
}

/// Returns what contradicts the store's month in its cells, if anything does.
fn contradiction(
    generation: &Generation<Mapped>,
    privacy: Privacy,
    (month, key): (Month, &[u8]),
    lists: &[Vec<LabelledCards<'_>>],
) -> Result<Option<&'static str>> {
    let mut cells = lists.iter().flatten();
    if privacy.is_protecting() {
        if cells.any(|cell| cell.cards < privacy.k()) {
            return Ok(Some("a cell has too few cards to be told"));
        }
    } else if cells.any(|cell| cell.label == Label::Merged) {
        return Ok(Some("a cell is merged, and nothing is to be hidden"));
    }
    if generation.manifest().keeps_atoms() {
        // What was told stays, whatever came late for the store since, or if it is gone.
        return Ok(None);
    }
    let cards = |list: &Vec<LabelledCards<'_>>| {
        let cells = list.iter();
        cells.fold(0_u64, |all, cell| all.saturating_add(cell.cards))
    };
    let most = lists.iter().map(cards).max().unwrap_or(0);
    let summary = generation.summary(STORES, key)?;
    let months = summary.map(|summary| summary.months).unwrap_or_default();
    let of_month = months.into_iter().find(|totals| totals.month == month);
    Ok(match of_month {
        None => Some("the store has no row in it"),
        // Cards that have refunds alone are in none.
        Some(totals) if most > totals.cards => Some("its cells have more cards than the store"),
        Some(_) => None,
    })
}
