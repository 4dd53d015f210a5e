use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::gate::{DatasetMeasures, Market, RowMeasures, SeriesMeasures, StaleSeries};

const OFF: Thresholds = Thresholds {
    min_rows: 0,
    rejects_share_max: Limit::Off,
    rejects_rise_max: Limit::Off,
    rows_drop_max: Limit::Off,
    rows_rise_max: Limit::Off,
    stores_drop_max: Limit::Off,
    stores_rise_max: Limit::Off,
    amount_drop_max: Limit::Off,
    amount_rise_max: Limit::Off,
    size_drop_max: Limit::Off,
    size_rise_max: Limit::Off,
    records_drop_max: Limit::Off,
    records_rise_max: Limit::Off,
    keys_sampled: 0,
    keys_missing_max: Limit::Off,
    as_of_may_go_back: true,
    schema_may_change: true,
};

fn measures(rows: u64, stores: u64, sum_minor: i128) -> Measures {
    let dataset = |records| DatasetMeasures {
        records,
        size_bytes: records * 100,
        is_packed: false,
    };
    Measures {
        as_of: "2018-03-05".into(),
        format_version: 1,
        size_bytes: stores * 100,
        datasets: BTreeMap::from([
            ("stores".to_owned(), dataset(stores)),
            ("markets".to_owned(), dataset(1)),
        ]),
        rows: Some(RowMeasures {
            read: rows,
            used: rows,
            rejected: 0,
            stores,
            currency: "KRW".into(),
        }),
        market: Some(Market {
            count: rows,
            sum_minor,
        }),
        series: SeriesMeasures::default(),
    }
}

fn refused(checks: &[Check]) -> Vec<&str> {
    let checks = checks.iter();
    let checks = checks.filter(|check| check.verdict == Verdict::Refused);
    checks.map(|check| check.name.as_str()).collect()
}

fn any_measures() -> impl Strategy<Value = Measures> {
    let day =
        (2017..2020_u32, 1..=12_u32).prop_map(|(year, month)| format!("{year}-{month:02}-01"));
    let rows = (
        0..1_000_u64,
        0..1_000_u64,
        0..50_u64,
        prop_oneof![Just("KRW"), Just("GBP")],
    );
    let rows = rows.prop_map(|(used, rejected, stores, currency)| RowMeasures {
        read: used + rejected,
        used,
        rejected,
        stores,
        currency: currency.to_owned(),
    });
    let market = (any::<u64>(), any::<i128>());
    let market = market.prop_map(|(count, sum_minor)| Market { count, sum_minor });
    let dataset = (0..1_000_u64, 0..1_000_u64, any::<bool>());
    let dataset = dataset.prop_map(|(records, size_bytes, is_packed)| DatasetMeasures {
        records,
        size_bytes,
        is_packed,
    });
    let datasets = prop::collection::btree_map("[a-c]", dataset, 0..3);
    let (rows, market) = (prop::option::of(rows), prop::option::of(market));
    (day, 1..3_u32, datasets, rows, market).prop_map(
        |(as_of, format_version, datasets, rows, market)| Measures {
            as_of,
            format_version,
            size_bytes: datasets.values().map(|dataset| dataset.size_bytes).sum(),
            datasets,
            rows,
            market,
            series: SeriesMeasures::default(),
        },
    )
}

fn any_sample() -> impl Strategy<Value = Vec<KeySample>> {
    let sample = (0..300_u64, 0..300_u64).prop_map(|(missing, there)| KeySample {
        dataset: "stores".into(),
        sampled: missing + there,
        missing,
    });
    prop::collection::vec(sample, 0..3)
}

proptest! {
    #[test]
    fn a_generation_changes_nothing_from_itself(measures in any_measures()) {
        let thresholds = Thresholds { min_rows: 0, rejects_share_max: Limit::Off, ..Thresholds::default() };
        let checks = judge(&measures, Some(&measures), &[], &thresholds);
        prop_assert_eq!(refused(&checks), Vec::<&str>::new());
    }

    #[test]
    fn with_everything_off_anything_passes(
        candidate in any_measures(), good in any_measures(), samples in any_sample()
    ) {
        let checks = judge(&candidate, Some(&good), &samples, &OFF);
        prop_assert_eq!(refused(&checks), Vec::<&str>::new());
    }

    #[test]
    fn half_of_anything_is_refused(rows in 2..u64::from(u32::MAX), stores in 2..1_000_000_u64) {
        let good = measures(rows, stores, i128::from(rows) * 1_000);
        let halves = [
            (measures(rows / 2, stores, i128::from(rows) * 1_000), "rows_drop_max"),
            (measures(rows, stores / 2, i128::from(rows) * 1_000), "stores_drop_max"),
            (measures(rows, stores, i128::from(rows) * 500), "amount_drop_max"),
        ];
        for (half, name) in halves {
            let checks = judge(&half, Some(&good), &[], &Thresholds::default());
            prop_assert!(refused(&checks).contains(&name), "{name}: {checks:?}");
        }
    }

    #[test]
    fn a_wider_limit_refuses_nothing_more(
        candidate in any_measures(), good in any_measures(), samples in any_sample(),
        narrow in 0.0..2.0_f64, more in 0.0..2.0_f64,
    ) {
        let all = |limit: f64| {
            let limit = Limit::Max(limit);
            Thresholds {
                rejects_share_max: limit, rejects_rise_max: limit,
                rows_drop_max: limit, rows_rise_max: limit,
                stores_drop_max: limit, stores_rise_max: limit,
                amount_drop_max: limit, amount_rise_max: limit,
                size_drop_max: limit, size_rise_max: limit,
                records_drop_max: limit, records_rise_max: limit,
                keys_missing_max: limit,
                ..OFF
            }
        };
        let by = |thresholds| judge(&candidate, Some(&good), &samples, &thresholds);
        let (narrow, wide) = (by(all(narrow)), by(all(narrow + more)));
        prop_assert_eq!(narrow.len(), wide.len());
        for (narrow, wide) in narrow.iter().zip(&wide) {
            let is_refused = wide.verdict == Verdict::Refused;
            prop_assert!(!is_refused || narrow.verdict == Verdict::Refused, "{narrow:?} {wide:?}");
        }
    }

    #[test]
    fn checks_are_read_back_as_they_were(
        candidate in any_measures(), good in any_measures(), samples in any_sample()
    ) {
        let checks = judge(&candidate, Some(&good), &samples, &Thresholds::default());
        for check in checks {
            let json = serde_json::to_string(&check).unwrap();
            let again: Check = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(again.line, check.line);
            prop_assert_eq!(again.verdict, check.verdict);
        }
        let json = serde_json::to_string(&candidate).unwrap();
        prop_assert_eq!(serde_json::from_str::<Measures>(&json).unwrap(), candidate);
    }
}

#[test]
fn the_first_night_is_judged_by_itself() {
    let first = measures(1, 1, 5);
    assert!(refused(&judge(&first, None, &[], &Thresholds::default())).is_empty());
    let empty = measures(0, 0, 0);
    let checks = judge(&empty, None, &[], &Thresholds::default());
    assert_eq!(refused(&checks), ["min_rows"]);
    assert_eq!(checks[0].line, "0 rows used, at least 1 needed");
}

#[test]
fn a_limit_that_is_just_reached_holds() {
    let good = measures(1_000, 100, 1_000_000);
    for (rows, expected) in [
        (700, ""),
        (699, "rows_drop_max"),
        (1_500, ""),
        (1_501, "rows_rise_max"),
    ] {
        let checks = judge(
            &measures(rows, 100, 1_000_000),
            Some(&good),
            &[],
            &Thresholds::default(),
        );
        let refused = refused(&checks);
        assert!(
            refused.iter().all(|name| *name == expected),
            "{rows}: {refused:?}"
        );
        assert_eq!(refused.is_empty(), expected.is_empty());
    }
    let checks = judge(
        &measures(500, 100, 1_000_000),
        Some(&good),
        &[],
        &Thresholds::default(),
    );
    let check = checks
        .iter()
        .find(|check| check.verdict == Verdict::Refused)
        .unwrap();
    assert_eq!(
        check.line,
        "rows used: 500, it was 1000: 50 %, at most 30 %"
    );
    assert_eq!((check.measured, check.limit), (Some(0.5), Some(0.3)));
}

#[test]
fn what_goes_missing_or_back_is_refused() {
    let good = measures(1_000, 100, 1_000_000);
    let sample = |missing| {
        vec![KeySample {
            dataset: "stores".into(),
            sampled: 100,
            missing,
        }]
    };
    let by = |candidate: &Measures, missing| {
        let checks = judge(
            candidate,
            Some(&good),
            &sample(missing),
            &Thresholds::default(),
        );
        refused(&checks)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(by(&good, 5), Vec::<String>::new());
    assert_eq!(by(&good, 6), ["keys_missing_max"]);
    let mut earlier = good.clone();
    earlier.as_of = "2018-03-04".into();
    assert_eq!(by(&earlier, 0), ["as_of_may_go_back"]);
    let mut without = good.clone();
    without.datasets.remove("markets");
    assert_eq!(by(&without, 0), ["schema_may_change"]);
    let mut rejecting = good.clone();
    let rows = rejecting.rows.as_mut().unwrap();
    (rows.rejected, rows.read) = (100, 1_100);
    assert_eq!(by(&rejecting, 0), ["rejects_rise_max"]);
    let mut dear = good.clone();
    dear.rows.as_mut().unwrap().currency = "GBP".into();
    dear.market.as_mut().unwrap().sum_minor = 1;
    assert_eq!(by(&dear, 0), ["schema_may_change"]);
}

#[test]
fn what_is_kept_of_a_month_that_goes_on_may_be_gone_when_it_ends() {
    let ended = measures(1_000, 100, 1_000);
    let mut good = ended.clone();
    good.datasets
        .insert("leaves".into(), DatasetMeasures::default());
    let checks = judge(&ended, Some(&good), &[], &Thresholds::default());
    let refused = checks
        .iter()
        .find(|check| check.verdict == Verdict::Refused);
    assert_eq!(refused, None);
}

#[test]
fn sums_below_zero_fall_and_rise_like_others() {
    let good = measures(1_000, 100, -1_000);
    for (sum, expected) in [
        (-1_300, ""),
        (-1_301, "amount_drop_max"),
        (-500, ""),
        (-499, "amount_rise_max"),
    ] {
        let checks = judge(
            &measures(1_000, 100, sum),
            Some(&good),
            &[],
            &Thresholds::default(),
        );
        assert_eq!(
            refused(&checks).first().copied().unwrap_or_default(),
            expected,
            "{sum}"
        );
    }
    // Nothing has no share of anything.
    let none = measures(1_000, 100, 0);
    let checks = judge(&good, Some(&none), &[], &Thresholds::default());
    assert!(refused(&checks).is_empty(), "{checks:?}");
}

#[test]
fn a_verdict_of_a_newer_release_is_none() {
    assert_eq!(
        serde_json::from_str::<Verdict>("\"doubted\"").unwrap(),
        Verdict::Skipped
    );
}

#[test]
fn a_stale_series_is_a_warning_that_refuses_nothing() {
    let mut candidate = measures(100, 10, 1_000);
    let found = |candidate: &Measures| {
        let checks = judge(
            candidate,
            Some(&measures(100, 10, 1_000)),
            &[],
            &Thresholds::default(),
        );
        assert!(refused(&checks).is_empty(), "{checks:?}");
        let check = checks
            .into_iter()
            .find(|check| check.name == "stale_series");
        check.map(|check| (check.verdict, check.measured))
    };
    assert_eq!(found(&candidate), None);
    candidate.series.series = 2;
    assert_eq!(found(&candidate), Some((Verdict::Passed, Some(0.0))));
    candidate.series.stale.push(StaleSeries {
        name: "index".into(),
        last_date: "2018-02-26".into(),
        days_behind: 7,
    });
    assert_eq!(found(&candidate), Some((Verdict::Warned, Some(1.0))));
}
