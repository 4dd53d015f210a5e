//! What the golden files hold, and how today's writer writes it.
//!
//! A store `bar` has four rows in a year, a store `busy` a month that is rolled up; `index` is a side
//! series.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, Month},
    histogram::{Cell, FineHistogram},
    key::{PartitionRun, hash, partition_of},
    manifest::{
        Input, InputRole, MANIFEST_VERSION, Manifest, OnDuplicate, Packed, Rows, ShardEntry,
        Transactions,
    },
    record::{
        self, Change, DayCards, EntityKind, HalfHour, MonthBuilder, MonthTotals, Posting, RankBy,
        Run, StoreProfile, SummaryBuilder, encode_postings, encode_ranking, encode_side_series,
        ranking_key,
    },
    shard::{Identity, Samples, ShardWriter, Span},
    statistics::Statistics,
    text::rotations,
};

use super::{customer, loyalty};

/// Key, value, terms.
type Record = (Vec<u8>, Vec<u8>, Vec<Vec<u8>>);

/// Returns every golden shard by its name, as today's writer writes it.
pub(crate) fn shards() -> Vec<(&'static str, Vec<u8>)> {
    let march = Month::new(2018, 3).unwrap();
    let (bar, summary) = bar(march);
    let month = Span::Month(march);
    let whole = PartitionRun {
        first: 0,
        end: 1024,
    };
    let lower = PartitionRun { first: 0, end: 512 };
    let plain = |key: &[u8], value| (key.to_vec(), value, vec![]);
    let shard = |dataset, span, run, records| shard(dataset, span, run, records);
    let [of_year, of_all] = loyalty::records()
        .map(|(span, value)| shard(record::LOYALTY, span, whole, vec![plain(b"bar", value)]));
    vec![
        ("loyalty-2018-12.shard", of_year),
        ("loyalty-current.shard", of_all),
        (
            "stores-2018-03.shard",
            shard(
                record::STORES,
                month,
                whole,
                vec![plain(b"bar", bar), plain(b"busy", busy(march))],
            ),
        ),
        (
            "stores-current.shard",
            shard(
                record::STORES,
                Span::Current,
                whole,
                vec![plain(b"bar", summary)],
            ),
        ),
        (
            "markets-2018-03.shard",
            shard(
                record::MARKETS,
                month,
                whole,
                vec![plain(record::MARKET_ALL, market(march))],
            ),
        ),
        (
            "search-current.shard",
            shard(record::SEARCH, Span::Current, whole, search()),
        ),
        (
            "rankings-current.shard",
            shard(record::RANKINGS, Span::Current, lower, rankings()),
        ),
        ("prices-current.shard", compressed(whole)),
        (
            "customers-current.shard",
            shard(
                record::CUSTOMERS,
                Span::Current,
                whole,
                vec![plain(customer::KEY, customer::record())],
            ),
        ),
        (
            "series-current.shard",
            shard(
                record::SERIES,
                Span::Current,
                whole,
                vec![plain(b"index", side_series())],
            ),
        ),
    ]
}

/// Returns the golden manifest: what its members are, every one of them.
pub(crate) fn manifest() -> Manifest {
    with_id(unnamed_manifest())
}

/// Returns the golden manifest of a generation without transactions.
pub(crate) fn packed_manifest() -> Manifest {
    let whole = unnamed_manifest();
    with_id(Manifest {
        transactions: None,
        inputs: whole.inputs[2..].to_vec(),
        configuration: BTreeMap::new(),
        shards: whole.shards[..1].to_vec(),
        ..whole
    })
}

fn with_id(mut manifest: Manifest) -> Manifest {
    manifest.id = manifest.compute_id().unwrap();
    manifest
}

fn unnamed_manifest() -> Manifest {
    let input = |role, dataset: Option<&str>, digit: &str, size_bytes| Input::File {
        role,
        dataset: dataset.map(Into::into),
        blake3: digit.repeat(64),
        size_bytes,
    };
    let shard = |dataset: &str, span: &str, digit: &str| ShardEntry {
        dataset: dataset.into(),
        span: span.into(),
        first_partition: 0,
        end_partition: 1024,
        blob: digit.repeat(64),
        size_bytes: 384,
        records: 2,
    };
    Manifest {
        format_version: MANIFEST_VERSION,
        id: "2018-03-31-000000000000".parse().unwrap(),
        as_of: "2018-03-31".into(),
        transactions: Some(Transactions {
            days: ["2018-03-01".into(), "2018-03-15".into()],
            currency: "GBP".into(),
            currency_exponent: 2,
            rows: Rows {
                read: 1_120,
                used: 1_114,
                rejected: [("impossible date".into(), 2)].into(),
                excluded: [("after_as_of".into(), 1), ("duplicate".into(), 3)].into(),
            },
            stores: 2,
            card_key: "0123456789abcdef".into(),
        }),
        packed: [("prices".into(), prices())].into(),
        inputs: vec![
            input(InputRole::Transactions, None, "c", 123_456),
            input(InputRole::Stores, None, "a", 78),
            input(InputRole::Packed, Some("prices"), "b", 90),
        ],
        configuration: [
            ("histogram.method".into(), "v_optimal".into()),
            ("shards.runs".into(), 16.into()),
        ]
        .into(),
        shards: vec![
            shard("prices", "current", "3"),
            shard("stores", "2018-03", "1"),
            shard("stores", "current", "2"),
        ],
    }
}

fn prices() -> Packed {
    Packed {
        media_type: "application/json".into(),
        key: "sku".into(),
        values: vec!["price".into(), "name".into()],
        on_duplicate: OnDuplicate::Last,
        rows: Rows {
            read: 3,
            used: 2,
            excluded: [("duplicate".into(), 1)].into(),
            ..Rows::default()
        },
    }
}

fn shard(dataset: &str, span: Span, run: PartitionRun, mut records: Vec<Record>) -> Vec<u8> {
    let identity = Identity {
        dataset: dataset.into(),
        span,
        run,
    };
    records.sort_by_key(|(key, ..)| (hash(key), key.clone()));
    let mut file = Vec::new();
    let mut writer = ShardWriter::new(&mut file, &identity).unwrap();
    for (key, value, terms) in records {
        writer.append(&key, &value).unwrap();
        for term in terms {
            writer.add_term(&term).unwrap();
        }
    }
    writer.finish().unwrap();
    file
}

/// Returns what is packed of prices: keys and values, of which the first two are not compressed.
pub(crate) fn price_list(rows: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut prices = vec![
        (b"none".to_vec(), vec![]),
        (b"odd".to_vec(), (0..=255).rev().collect()),
    ];
    for row in 0..rows {
        let (name, pence) = (["tea", "milk", "bread"][row as usize % 3], row * 7 % 100);
        let value = format!(
            r#"{{"sku":"sku-{row}","name":"{name}","price":"{}.{pence:02}","stock":{}}}"#,
            row % 11,
            row * row % 1_009
        );
        prices.push((format!("sku-{row}").into_bytes(), value.into_bytes()));
    }
    prices
}

/// Returns a shard of prices that are compressed, with a dictionary made of more prices.
fn compressed(run: PartitionRun) -> Vec<u8> {
    let mut samples = Samples::new();
    let more = price_list(400);
    more[2..].iter().for_each(|(_, value)| samples.add(value));
    let dictionary = samples.dictionary().unwrap().unwrap();
    let identity = Identity {
        dataset: "prices".into(),
        span: Span::Current,
        run,
    };
    let mut records = price_list(30);
    records.sort_by_key(|(key, _)| (hash(key), key.clone()));
    let mut file = Vec::new();
    let mut writer = ShardWriter::compressing(&mut file, &identity, dictionary).unwrap();
    for (key, value) in records {
        writer.append(&key, &value).unwrap();
    }
    writer.finish().unwrap();
    file
}

const fn run(distance: u32, count: u64) -> Run {
    Run { distance, count }
}

const fn change(distance: u32, cards: i64) -> Change {
    Change { distance, cards }
}

const fn half_hour(half_hour: u8, count: u64, sum: i128) -> HalfHour {
    HalfHour {
        half_hour,
        count,
        sum,
    }
}

/// Returns the record of March and the summary of `bar`.
fn bar(march: Month) -> (Vec<u8>, Vec<u8>) {
    let rows: [(Day, &[i64], u64, &[Run]); 4] = [
        (Day::from_civil(2018, 2, 22).unwrap(), &[500], 1, &[]),
        (
            Day::from_civil(2018, 3, 3).unwrap(),
            &[-250, 1999],
            1,
            &[run(9, 1)],
        ),
        (Day::from_civil(2018, 6, 30).unwrap(), &[0], 0, &[]),
        (
            Day::from_civil(2019, 1, 1).unwrap(),
            &[100_000_000_000_000],
            0,
            &[run(304, 1)],
        ),
    ];
    // In March the card that was there before takes money back.
    let who_returns = [change(9, -1)];
    let mut of_march = Vec::new();
    let mut summary = SummaryBuilder::new();
    for (day, amounts, first_ever, returning) in rows {
        let cards = DayCards {
            first_ever,
            returning,
            buyers: if day.month() == march {
                &who_returns
            } else {
                &[]
            },
            ..DayCards::default()
        };
        let mut builder = MonthBuilder::new();
        builder.begin(day.month());
        builder.day(day, amounts, cards);
        summary.day(day, cards);
        let (statistics, cards) = builder.totals();
        summary.month(MonthTotals {
            month: day.month(),
            statistics,
            cards,
        });
        if day.month() == march {
            builder.finish(&mut of_march);
        }
    }
    let profile = StoreProfile {
        name: Some("Bär".into()),
        merchant_id: None,
        category: Some("food".into()),
        region: Some(String::new()),
        location: Some((514_700_000, -1_000)),
    };
    let mut value = Vec::new();
    summary.finish(&profile, &mut value).unwrap();
    (of_march, value)
}

/// Returns the month of `busy`: its first day is by totals, the others are by amounts.
///
/// On the first a card buys that was there the day before and bought a week before; on the
/// fifteenth one card buys, that was there twenty days before. On the first 1,000 rows have a time between 12:00 and 12:30, on
/// the fifteenth one at 00:10 and one at 23:45. Two buy a second time on the first, one on the second;
/// of the five who bought before, three began a month before, and two fourteen months.
fn busy(month: Month) -> Vec<u8> {
    let mut many = vec![500; 1_000];
    many.extend([1_234; 100]);
    let fibonacci = [1, 2, 3, 5, 8, 13, 21, 34, 55];
    let mut builder = MonthBuilder::new();
    builder.begin(month);
    let mut add = |number: i32, amounts: &[i64], cards: DayCards<'_>, hours: &[HalfHour]| {
        let day = Day(month.first_day().0 + number - 1);
        builder.day(day, amounts, cards);
        builder.hours(day, hours);
    };
    let cards = DayCards {
        first_ever: 3,
        returning: &[run(1, 1), run(40, 2)],
        buyers: &[change(1, -1), change(7, 1)],
        second: &[run(40, 2)],
        cohorts: &[run(1, 1), run(14, 2)],
    };
    add(1, &many, cards, &[half_hour(24, 1_000, 500_000)]);
    let cards = DayCards {
        first_ever: 0,
        returning: &[run(1, 2), run(30, 1)],
        buyers: &[],
        second: &[run(1, 1)],
        cohorts: &[run(1, 1)],
    };
    add(2, &fibonacci, cards, &[]);
    let cards = DayCards {
        first_ever: 1,
        returning: &[run(14, 1), run(20, 5)],
        buyers: &[change(0, -1), change(14, -1), change(20, -4)],
        second: &[],
        cohorts: &[run(1, 1)],
    };
    let hours = [half_hour(0, 1, -7), half_hour(47, 1, 10_000)];
    add(15, &[-7, 0, 10_000], cards, &hours);
    let mut value = Vec::new();
    builder.finish(&mut value);
    value
}

fn market(month: Month) -> Vec<u8> {
    let amounts = [-1, 250];
    let mut bins = FineHistogram::new();
    for amount in amounts {
        bins.add(Cell::of(amount), 1);
    }
    let cards = DayCards {
        first_ever: 200,
        returning: &[],
        buyers: &[change(0, -199)],
        ..DayCards::default()
    };
    let mut builder = MonthBuilder::new();
    builder.begin(month);
    builder.day_totals(month.days().last, &Statistics::of(&amounts), &bins, cards);
    let mut value = Vec::new();
    builder.finish(&mut value);
    value
}

fn search() -> Vec<Record> {
    let posting = |kind, id| Posting { kind, id };
    let record = |key: &str, postings: &[Posting<'_>], terms| {
        let mut value = Vec::new();
        encode_postings(postings.iter().copied(), &mut value);
        (key.as_bytes().to_vec(), value, terms)
    };
    vec![
        record(
            "ibar",
            &[posting(EntityKind::Store, b"BAR")],
            vec![b"ibar".to_vec()],
        ),
        record(
            "wbär",
            &[
                posting(EntityKind::Store, b"BAR"),
                posting(EntityKind::Store, b"busy"),
                posting(EntityKind::Region, b""),
                posting(EntityKind::Category, b"food"),
            ],
            rotations("bär").collect(),
        ),
    ]
}

fn rankings() -> Vec<Record> {
    let keys = [
        ranking_key(RankBy::Amount, None, None),
        ranking_key(RankBy::Amount, None, Some("food")),
        ranking_key(RankBy::Transactions, Some(""), Some("food")),
        ranking_key(RankBy::Transactions, Some("north"), None),
    ];
    let of_lower = |key: &Vec<u8>| partition_of(hash(key)) < 512;
    let record = |key| {
        let mut value = Vec::new();
        encode_ranking([&b"busy"[..], b"", b"bar"].into_iter(), &mut value).unwrap();
        (key, value, vec![])
    };
    keys.into_iter().filter(of_lower).map(record).collect()
}

/// Returns a series whose second value is of two days after the first, and whose third of the day after
/// that.
fn side_series() -> Vec<u8> {
    let day = |month, day| Day::from_civil(2018, month, day).unwrap();
    let values = [
        (day(2, 28), 2_427.5),
        (day(3, 2), -0.25),
        (day(3, 3), 0.0),
        (day(12, 31), 1e300),
    ];
    let mut value = Vec::new();
    encode_side_series(&values, &mut value).unwrap();
    value
}
