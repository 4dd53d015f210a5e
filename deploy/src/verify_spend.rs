//! Shares of observed spend checked against the stores' months.

use nightshard_format::{
    Result,
    calendar::Month,
    generation::Generation,
    privacy::Privacy,
    record::{SPEND_SHARES, STORES, SpendShare},
    shard::Mapped,
};

use crate::verify_months::check_months;

/// Checks that stores of a known region and category have the records, that what cards spent at a store is no more than
/// it sold in the month and no less than what it paid back, that cards hide each other where they have to, and that as
/// many stores have a record as there are said to be, in each month. Where what was told before stays, the store's month
/// may have other rows by now.
///
/// # Errors
/// [`nightshard_format::Error::Corrupt`] naming the store or month of what does not agree.
pub(crate) fn check_spend_shares(generation: &Generation<Mapped>) -> Result<()> {
    let privacy = Privacy::of(generation.manifest())?;
    check_months(generation, SPEND_SHARES, |month, key, value| {
        let share = SpendShare::parse(value)?;
        contradiction(generation, privacy, (month, key), share)
    })
}

/// Returns what contradicts the store's summary in a record, if anything does.
fn contradiction(
    generation: &Generation<Mapped>,
    privacy: Privacy,
    (month, key): (Month, &[u8]),
    share: SpendShare,
) -> Result<Option<&'static str>> {
    if generation.manifest().keeps_atoms() {
        // What was told stays, whatever came late for the store since, or if it is gone.
        return Ok(None);
    }
    let summary = generation.summary(STORES, key)?;
    let Some(summary) = summary else {
        return Ok(Some("there is no such store"));
    };
    let profile = &summary.profile;
    if profile.region.is_none() || profile.category.is_none() {
        return Ok(Some("the store's region or category is not known"));
    }
    let of_month = summary.months.iter().find(|totals| totals.month == month);
    let Some(totals) = of_month else {
        return Ok(Some("the store has no row in it"));
    };
    let sold = i128::try_from(totals.statistics.sale_sum()).unwrap_or(i128::MAX);
    // Rows without a card are in the month, and in no share.
    let is_of_rows = (totals.statistics.refund_sum..=sold).contains(&share.own);
    Ok(if !is_of_rows {
        Some("its cards spent more than the store sold, or less than it paid back")
    } else if totals.cards < privacy.k() {
        Some("it has too few cards to be told")
    } else {
        None
    })
}
