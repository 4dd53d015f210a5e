//! `GET /v1/stores/{id}/payment_mix`, and of merchants, places and the market: how their payments divide.

use nightshard_format::record::{MixValue, Stated};

use super::{
    Lookup,
    asked_period::AskedPeriod,
    check_length,
    consumption_pattern::write_share,
    places::write_id,
    protected::{check_period, write_covered, write_suppressed},
};
use crate::{
    json::Json,
    payment_mix::{PaymentMix, ToldMix},
    problem::Result,
    protected::Protected,
    series::Series,
    settlements::SaidBeside,
};

/// Writes the answer.
pub(super) fn write(
    asked: &AskedPeriod,
    lookup: &mut Lookup<'_>,
    series: &Series<'_>,
) -> Result<()> {
    let transactions = lookup.served.transactions()?;
    let mix = PaymentMix::of(series, &asked.window, lookup.work)?;
    let beside = SaidBeside::of(series, &asked.window, lookup.work)?;
    let json = &mut *lookup.json;
    json.begin_object();
    write_id(json, series.subject());
    asked.write(json);
    json.members(&transactions.currency);
    json.key("count").integer(mix.all.count);
    json.key("sum").integer(mix.all.sum);
    write_stated(json.key("points"), beside.points);
    write_stated(json.key("fees"), beside.fees);
    write_stated(json.key("deposits"), beside.deposits);
    json.key("mix").begin_object();
    for (dimension, values) in &mix.dimensions {
        json.key(dimension.as_str()).begin_array();
        for (value, rows) in values {
            check_length(json)?;
            let [of_count, of_sum] = rows.shares_of(mix.all);
            json.begin_object();
            write_value(json.key("value"), *value);
            json.key("count").integer(rows.count);
            json.key("sum").integer(rows.sum);
            json.key("count_share").float(of_count);
            json.key("sum_share").float(of_sum);
            json.end_object();
        }
        json.end_array();
    }
    json.end_object();
    json.end_object();
    Ok(())
}

/// Writes the answer where it is protected.
pub(super) fn write_protected(
    asked: &AskedPeriod,
    lookup: &mut Lookup<'_>,
    protected: &Protected<'_>,
) -> Result<()> {
    check_period(asked, protected.k())?;
    let mixes = protected.mixes(asked.period, &asked.window, lookup.work)?;
    let (covered, mixes) = mixes.unzip();
    let json = &mut *lookup.json;
    json.begin_object();
    write_id(json, protected.subject());
    asked.write(json);
    write_covered(json, covered);
    json.key("count").null();
    json.key("sum").null();
    json.key("mix").begin_object();
    for (dimension, mix) in mixes.into_iter().flat_map(|mixes| mixes.dimensions) {
        if let Some(told) = ToldMix::of(mix, protected.k()) {
            write_told(json.key(dimension.as_str()), &told);
        }
    }
    json.end_object();
    write_suppressed(json, &[("count", true), ("sum", true)]);
    json.end_object();
    Ok(())
}

fn write_told(json: &mut Json, told: &ToldMix) {
    json.begin_array();
    for (value, share) in &told.values {
        json.begin_object();
        write_value(json.key("value"), value.as_deref());
        write_told_share(json, *share);
    }
    if let Some(share) = told.others {
        json.begin_object();
        json.key("value").null();
        json.key("others").boolean(true);
        write_told_share(json, share);
    }
    json.end_array();
}

/// Ends a row with its share, beside which nothing is told.
fn write_told_share(json: &mut Json, percents: u64) {
    json.key("count").null();
    json.key("sum").null();
    write_share(json.key("count_share"), percents);
    json.key("sum_share").null();
    let hidden = ["count", "sum", "sum_share"];
    write_suppressed(json, &hidden.map(|name| (name, true)));
    json.end_object();
}

/// Writes rows that say an amount and the sum of what they say; null without any.
fn write_stated(json: &mut Json, stated: Stated) {
    if stated.count == 0 {
        return json.null();
    }
    json.begin_object();
    json.key("count").integer(stated.count);
    json.key("sum").integer(stated.sum);
    json.end_object();
}

fn write_value(json: &mut Json, value: MixValue<&[u8]>) {
    match value {
        MixValue::Flag(flag) => json.boolean(flag),
        MixValue::Months(months) => json.integer(months),
        MixValue::Text(text) => json.bytes(text),
        MixValue::Unknown => json.null(),
    }
}
