//! What the generator promises: the same bytes for the same plan, exact counts, and everything
//! that it says it plants.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::Read,
    num::NonZeroUsize,
    path::Path,
};

use nightshard_builder::generate::{self, AnomalyKind, Date, Error, OutputLayout, Plan, Written};

const LAYOUTS: [OutputLayout; 3] = [
    OutputLayout::Canonical,
    OutputLayout::Funda,
    OutputLayout::Payments,
];

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn write(plan: &Plan, output: &Path, threads: usize) -> Written {
    let threads = NonZeroUsize::new(threads).unwrap();
    generate::write(plan, output, threads, &|_| {}).unwrap()
}

fn bytes(plan: &Plan, name: &str, threads: usize) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join(name);
    let written = write(plan, &output, threads);
    let bytes = fs::read(output).unwrap();
    assert_eq!(written.size_bytes, bytes.len() as u64);
    bytes
}

fn text(plan: &Plan) -> String {
    String::from_utf8(bytes(plan, "rows.csv", 2)).unwrap()
}

/// The fields of each row, without the header.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect()
}

/// A canonical plan large enough for anomalies.
fn busy_plan() -> Plan {
    Plan::new(OutputLayout::Canonical, 200, 5_000, 400_000).seed(7)
}

#[test]
fn one_plan_gives_the_same_bytes_with_any_number_of_threads() {
    for layout in LAYOUTS {
        let plan = Plan::new(layout, 300, 5_000, 100_000).seed(1);
        for name in ["rows.csv", "rows.csv.zst"] {
            let one = bytes(&plan, name, 1);
            assert!(one == bytes(&plan, name, 2));
            assert!(one == bytes(&plan, name, 3));
        }
    }
}

#[test]
fn another_seed_gives_other_rows() {
    let plan = Plan::new(OutputLayout::Canonical, 300, 5_000, 1_000);
    assert_ne!(text(&plan.clone().seed(1)), text(&plan.seed(2)));
}

#[test]
fn compressed_files_hold_the_same_text() {
    let plan = Plan::new(OutputLayout::Funda, 100, 1_000, 40_000);
    let plain = bytes(&plan, "rows.csv", 2);
    let gzip = bytes(&plan, "rows.csv.gz", 2);
    let zstandard = bytes(&plan, "rows.csv.zst", 2);
    let mut unzipped = Vec::new();
    flate2::read::MultiGzDecoder::new(&gzip[..])
        .read_to_end(&mut unzipped)
        .unwrap();
    assert!(unzipped == plain);
    assert!(zstd::decode_all(&zstandard[..]).unwrap() == plain);
    assert!(zstandard.len() * 2 < plain.len());
}

#[test]
fn every_layout_has_its_header_and_the_exact_number_of_rows() {
    let headers = [
        "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,lat,lon,installments,\
         card_company,channel,age_band,gender,segment,points_used,original_tx_id",
        "store_id,card_id,card_company,transacted_date,transacted_time,installment_term,region,\
         type_of_business,amount",
        "transaction_id,transaction_ts,customer_id,merchant_id,amount,currency,latitude,\
         longitude,device_id,payment_method,is_foreign",
    ];
    for (layout, header) in LAYOUTS.into_iter().zip(headers) {
        for count in [1, 2, 99, 8_192, 20_001] {
            let text = text(&Plan::new(layout, 50, 500, count));
            assert_eq!(text.lines().next(), Some(header));
            let rows = rows(&text);
            assert_eq!(rows.len() as u64, count);
            let columns = header.split(',').count();
            assert!(rows.iter().all(|row| row.len() == columns));
        }
    }
}

#[test]
fn settlements_are_columns_behind_rows_that_stay_as_they_are() {
    let plan = Plan::new(OutputLayout::Canonical, 50, 500, 20_000).seed(3);
    let settled = Plan {
        settlements: true,
        ..plan.clone()
    };
    assert!(bytes(&settled, "rows.csv", 1) == bytes(&settled, "rows.csv", 3));
    let (plain, settled) = (text(&plan), text(&settled));
    let mut said = 0;
    for (number, (plain, settled)) in plain.lines().zip(settled.lines()).enumerate() {
        let [fee, deposit, settles_on] = settled.strip_prefix(plain).unwrap()[1..]
            .split(',')
            .collect::<Vec<_>>()[..]
        else {
            panic!("{settled}")
        };
        if number == 0 {
            let names = [fee, deposit, settles_on];
            assert_eq!(names, ["fee_minor", "deposit_minor", "settles_on"]);
            continue;
        }
        let columns: Vec<&str> = plain.split(',').collect();
        if let (Ok(fee), Ok(deposit)) = (fee.parse::<i64>(), deposit.parse::<i64>()) {
            assert_eq!(fee + deposit, columns[4].parse::<i64>().unwrap());
            assert!(date(settles_on) > date(&columns[3][..10]));
            said += 1;
        }
    }
    assert!((18_000..20_000).contains(&said), "{said}");
}

#[test]
fn rows_are_in_the_order_of_time_and_cover_the_period() {
    for layout in LAYOUTS {
        let plan =
            Plan::new(layout, 100, 1_000, 50_000).between(date("2020-02-10"), date("2020-03-10"));
        let text = text(&plan);
        let times: Vec<String> = rows(&text)
            .iter()
            .map(|row| match layout {
                OutputLayout::Canonical => row[3].to_owned(),
                OutputLayout::Funda => format!("{}T{}", row[3], row[4]),
                _ => row[1].to_owned(),
            })
            .collect();
        assert!(times.is_sorted());
        assert!(
            times
                .iter()
                .all(|time| &time[11..13] < "24" && &time[14..16] < "60")
        );
        let days: HashSet<&str> = times.iter().map(|time| &time[..10]).collect();
        assert_eq!(days.len(), 30);
        assert!(days.contains("2020-02-10") && days.contains("2020-02-29"));
        assert!(days.contains("2020-03-10"));
    }
}

#[test]
fn transaction_ids_are_unique() {
    let text = text(&Plan::new(OutputLayout::Canonical, 50, 500, 30_000));
    let rows = rows(&text);
    let ids: HashSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(ids.len(), 30_000);
}

#[test]
fn stores_and_cards_differ_in_size_by_a_zipf_law() {
    let text = text(&Plan::new(OutputLayout::Canonical, 2_000, 20_000, 400_000));
    let rows = rows(&text);
    let sizes = |column: usize| {
        let mut counts: HashMap<&str, u32> = HashMap::new();
        rows.iter()
            .for_each(|row| *counts.entry(row[column]).or_default() += 1);
        let mut sizes: Vec<u32> = counts.into_values().collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    };
    let share = |sizes: &[u32], first: usize| {
        f64::from(sizes[..first].iter().sum::<u32>()) / f64::from(sizes.iter().sum::<u32>())
    };
    // A Zipf law of 2,000 with its head flattened by 9: ln(29/9) / ln(2009/9) = 0.22 for the
    // first 20 before the categories' own shares, and 0.70 for the first 400.
    let stores = sizes(1);
    assert!(stores.len() > 1_900);
    assert!(
        (0.08..0.3).contains(&share(&stores, 20)),
        "{}",
        share(&stores, 20)
    );
    assert!(
        (0.5..0.8).contains(&share(&stores, 400)),
        "{}",
        share(&stores, 400)
    );
    assert!(stores[0] < 5 * stores[10]);
    // Cards are flattened by a 200th: ln(41) / ln(201) = 0.70 for the first fifth.
    let cards = sizes(2);
    assert!(
        (0.55..0.85).contains(&share(&cards, 4_000)),
        "{}",
        share(&cards, 4_000)
    );
}

#[test]
fn stores_take_payments_and_refunds_in_their_hours_only() {
    let text = text(&busy_plan());
    for row in rows(&text) {
        let hour: u32 = row[3][11..13].parse().unwrap();
        match row[6] {
            "health" | "pharmacy" => assert!((8..20).contains(&hour), "{row:?}"),
            "bar" => assert!(!(4..16).contains(&hour), "{row:?}"),
            "cafe" => assert!((7..23).contains(&hour), "{row:?}"),
            _ => {}
        }
    }
}

#[test]
fn some_stores_open_and_some_close_during_the_period() {
    let text = text(&Plan::new(OutputLayout::Canonical, 500, 5_000, 300_000));
    let mut spans: HashMap<&str, (&str, &str, u32)> = HashMap::new();
    for row in rows(&text) {
        let day = &row[3][..10];
        let span = spans.entry(row[1]).or_insert((day, day, 0));
        (span.1, span.2) = (day, span.2 + 1);
    }
    let busy = || spans.values().filter(|span| span.2 > 60);
    let opened = busy().filter(|span| span.0 > "2018-03-31").count();
    let closed = busy().filter(|span| span.1 < "2018-09-30").count();
    assert!(
        opened * 100 > 3 * busy().count(),
        "{opened} of {}",
        busy().count()
    );
    assert!(
        closed * 100 > 3 * busy().count(),
        "{closed} of {}",
        busy().count()
    );
}

#[test]
fn cards_return_to_their_favourite_stores() {
    let text = text(&Plan::new(OutputLayout::Canonical, 2_000, 5_000, 200_000));
    let mut visits: HashMap<(&str, &str), u32> = HashMap::new();
    rows(&text)
        .iter()
        .for_each(|row| *visits.entry((row[1], row[2])).or_default() += 1);
    let again: u32 = visits.values().filter(|&&count| count >= 3).sum();
    assert!((60_000..160_000).contains(&again), "{again}");
}

#[test]
fn about_two_percent_are_refunds_of_an_earlier_payment() {
    let text = text(&busy_plan());
    let rows = rows(&text);
    let by_id: HashMap<&str, usize> = (0..).zip(&rows).map(|(i, row)| (row[0], i)).collect();
    let mut refunded = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let amount: i64 = row[4].parse().unwrap();
        assert_ne!(amount, 0);
        assert_eq!(amount < 0, !row[17].is_empty());
        if amount < 0 {
            let original = by_id[row[17]];
            assert!(original < index);
            assert!(refunded.insert(original), "refunded twice: {row:?}");
            let sale = &rows[original];
            assert_eq!((sale[1], sale[2]), (row[1], row[2]));
            assert_eq!(sale[4].parse::<i64>().unwrap(), -amount);
        }
    }
    assert!(
        (6_000..10_000).contains(&refunded.len()),
        "{}",
        refunded.len()
    );
}

#[test]
fn cards_that_pay_in_the_first_store_of_a_pair_tend_to_pay_in_the_next() {
    let plan = busy_plan();
    let affinities = plan.affinities().unwrap();
    assert!(affinities.len() >= 3, "{affinities:?}");
    let text = text(&plan);
    // The cards of each store and day.
    let mut visits: HashMap<&str, HashSet<(&str, &str)>> = HashMap::new();
    let mut card_days = HashSet::new();
    for row in rows(&text) {
        visits
            .entry(row[1])
            .or_default()
            .insert((row[2], &row[3][..10]));
        card_days.insert((row[2], row[3][..10].to_owned()));
    }
    for pair in affinities {
        let (first, next) = (&visits[&*pair.first], &visits[&*pair.next]);
        let both = first.intersection(next).count() as f64;
        let lift = both * card_days.len() as f64 / (first.len() * next.len()) as f64;
        assert!(lift > 5.0, "{pair:?}: lift {lift}");
        assert!(
            both / first.len() as f64 > 0.08,
            "{pair:?}: {both} of {}",
            first.len()
        );
    }
}

#[test]
fn every_planted_anomaly_shows() {
    let plan = busy_plan();
    let text = text(&plan);
    let rows = rows(&text);
    let mut daily: HashMap<(&str, Date), f64> = HashMap::new();
    for row in &rows {
        *daily.entry((row[1], date(&row[3][..10]))).or_default() += 1.0;
    }
    let anomalies = plan.anomalies().unwrap();
    assert_eq!(anomalies.len(), 6);
    for anomaly in anomalies {
        let count = |day: Date| {
            daily
                .get(&(&*anomaly.store_id, day))
                .copied()
                .unwrap_or(0.0)
        };
        let mean = |days: &mut dyn Iterator<Item = Date>| {
            let counts: Vec<f64> = days.map(count).collect();
            counts.iter().sum::<f64>() / counts.len() as f64
        };
        let days = |from: Date, to: Date| from.series(one_day()).take_while(move |&day| day <= to);
        let usual = mean(&mut days(plan.from, anomaly.from.yesterday().unwrap()));
        let now = mean(&mut days(anomaly.from, anomaly.to));
        let length = days(anomaly.from, anomaly.to).count();
        assert!(usual > 2.0, "{anomaly:?}: {usual}");
        match &anomaly.kind {
            AnomalyKind::Spike => assert!(length == 1 && now > 4.0 * usual, "{usual} {now}"),
            AnomalyKind::Drop => assert!(length == 7 && now < 0.4 * usual, "{usual} {now}"),
            AnomalyKind::Closed => assert!(length == 3 && now == 0.0, "{usual} {now}"),
            AnomalyKind::LevelShift => {
                assert!(anomaly.to == plan.to && now < 0.6 * usual, "{usual} {now}");
            }
            AnomalyKind::Outliers => {
                assert_eq!(length, 5);
                let lowest = days(anomaly.from, anomaly.to)
                    .map(count)
                    .fold(f64::MAX, f64::min);
                assert!(lowest > 3.0 * usual, "{usual} {lowest}");
            }
            AnomalyKind::RepeatedPayments { card_id, count } => {
                let mut amounts: HashMap<&str, u64> = HashMap::new();
                for row in rows.iter().filter(|row| {
                    row[1] == anomaly.store_id
                        && row[2] == card_id
                        && date(&row[3][..10]) == anomaly.from
                }) {
                    *amounts.entry(row[4]).or_default() += 1;
                }
                assert!(amounts.into_values().max().unwrap_or(0) >= *count);
            }
            other => panic!("unknown anomaly {other:?}"),
        }
    }
}

fn one_day() -> jiff::Span {
    jiff::Span::new().days(1)
}

#[test]
fn small_plans_have_no_anomalies() {
    let plan = Plan::new(OutputLayout::Canonical, 10, 100, 1_000);
    assert_eq!(plan.anomalies().unwrap(), vec![]);
}

#[test]
fn the_payments_rule_flags_the_share_that_its_uniform_amounts_imply() {
    let text = text(&Plan::new(OutputLayout::Payments, 100, 5_000, 200_000));
    let flagged = rows(&text)
        .iter()
        .filter(|row| {
            let amount: f64 = row[4].parse().unwrap();
            assert!((10.0..=5_000.0).contains(&amount));
            assert!(["true", "false"].contains(&row[10]));
            amount > 3_000.0 || row[10] == "true"
        })
        .count();
    // 0.5 + 0.5 * 2,000 / 4,990 = 0.7004; the standard error of the share is 0.001.
    assert!(
        (0.696..0.705).contains(&(flagged as f64 / 200_000.0)),
        "{flagged}"
    );
}

#[test]
fn funda_rows_have_points_and_blanks() {
    let text = text(&Plan::new(OutputLayout::Funda, 300, 5_000, 50_000));
    let rows = rows(&text);
    let count = |keep: &dyn Fn(&[&str]) -> bool| rows.iter().filter(|row| keep(row)).count();
    let term = |row: &[&str]| row[5].parse::<u32>().unwrap();
    assert!(rows.iter().all(|row| row[4].len() == 5 && term(row) <= 72));
    assert!((300..1_500).contains(&count(&|row| term(row) >= 60)));
    assert!(count(&|row| (2..=12).contains(&term(row))) > 500);
    assert!((5_000..35_000).contains(&count(&|row| row[6].is_empty())));
    assert!((10_000..45_000).contains(&count(&|row| row[7].is_empty())));
    assert!(count(&|row| row[8].starts_with('-')) > 500);
}

#[test]
fn korean_won_have_no_minor_unit() {
    let mut plan = Plan::new(OutputLayout::Canonical, 50, 500, 2_000);
    plan.currency = "KRW".to_owned();
    let canonical = text(&plan);
    assert!(
        rows(&canonical)
            .iter()
            .all(|row| row[5] == "KRW" && row[4].ends_with('0'))
    );
    plan.layout = OutputLayout::Payments;
    let payments = text(&plan);
    assert!(rows(&payments).iter().all(|row| !row[4].contains('.')));
}

#[test]
fn the_table_of_stores_describes_every_store() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(OutputLayout::Canonical, 400, 1_000, 20_000);
    let output = folder.path().join("rows.csv.zst");
    let written = write(&plan, &output, 2);
    assert_eq!(written.stores, folder.path().join("rows.stores.csv"));
    let table = fs::read_to_string(written.stores).unwrap();
    assert_eq!(
        table.lines().next(),
        Some("store_id,store_name,merchant_id,category,region,lat,lon")
    );
    let stores: HashMap<&str, Vec<&str>> =
        rows(&table).into_iter().map(|row| (row[0], row)).collect();
    assert_eq!(stores.len(), 400);
    let merchants: HashSet<&str> = stores.values().map(|row| row[2]).collect();
    assert!(merchants.len() < 350);
    let named = |test: fn(char) -> bool| {
        stores
            .values()
            .filter(|row| row[1].chars().any(test))
            .count()
    };
    assert!(named(|letter| ('가'..='힣').contains(&letter)) > 50);
    assert!(named(|letter| "éèôâç".contains(letter)) > 50);

    let text = zstd::decode_all(&fs::read(output).unwrap()[..]).unwrap();
    for row in rows(std::str::from_utf8(&text).unwrap()) {
        assert_eq!(stores[row[1]][3..7], row[6..10]);
    }
}

#[test]
fn progress_rises_to_the_number_of_rows() {
    let folder = tempfile::tempdir().unwrap();
    let seen = std::sync::Mutex::new(vec![]);
    let plan = Plan::new(OutputLayout::Funda, 10, 100, 200_000);
    let threads = NonZeroUsize::new(2).unwrap();
    let output = folder.path().join("rows.csv");
    generate::write(&plan, &output, threads, &|rows| {
        seen.lock().unwrap().push(rows)
    })
    .unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted() && seen.len() > 1);
    assert_eq!(seen.last(), Some(&200_000));
}

#[test]
fn impossible_plans_are_refused_by_the_name_of_the_option() {
    let good = Plan::new(OutputLayout::Canonical, 10, 100, 1_000);
    let refusals = [
        (
            "stores",
            Plan {
                stores: 0,
                ..good.clone()
            },
        ),
        (
            "stores",
            Plan {
                stores: u32::MAX,
                ..good.clone()
            },
        ),
        (
            "cards",
            Plan {
                cards: 0,
                ..good.clone()
            },
        ),
        (
            "transactions",
            Plan {
                transactions: 0,
                ..good.clone()
            },
        ),
        (
            "transactions",
            Plan {
                transactions: u64::MAX,
                ..good.clone()
            },
        ),
        (
            "to",
            good.clone().between(date("2018-02-01"), date("2018-01-31")),
        ),
        (
            "to",
            good.clone().between(date("1900-01-01"), date("2018-01-31")),
        ),
        (
            "from",
            good.clone()
                .between(date("-000500-01-01"), date("-000500-01-02")),
        ),
        (
            "currency",
            Plan {
                currency: "euro".to_owned(),
                ..good.clone()
            },
        ),
        (
            "settlements",
            Plan {
                layout: OutputLayout::Funda,
                settlements: true,
                ..good.clone()
            },
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (option, plan) in refusals {
        let output = folder.path().join("rows.csv");
        let error = generate::write(&plan, &output, NonZeroUsize::MIN, &|_| {}).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with(&format!("--{option} ")), "{message}");
        assert!(error.is_usage() && !message.contains('\n'));
    }
    let crowded = Plan {
        transactions: 1 << 33,
        ..good.clone()
    };
    let crowded = crowded.between(date("2018-01-01"), date("2018-01-01"));
    assert!(crowded.affinities().is_err());
    let parquet = folder.path().join("rows.parquet");
    let error = generate::write(&good, &parquet, NonZeroUsize::MIN, &|_| {}).unwrap_err();
    assert!(error.to_string().starts_with("--output "));
    assert!("klingon".parse::<OutputLayout>().unwrap_err().is_usage());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(OutputLayout::Canonical, 10, 100, 1_000);
    let missing = folder.path().join("missing/rows.csv");
    let taken = folder.path().join("taken.csv");
    fs::create_dir(&taken).unwrap();
    for output in [missing, taken] {
        let error = generate::write(&plan, &output, NonZeroUsize::MIN, &|_| {}).unwrap_err();
        assert!(
            matches!(&error, Error::Write { path, .. } if *path == output),
            "{error}"
        );
        assert!(!error.is_usage());
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("partial"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}
