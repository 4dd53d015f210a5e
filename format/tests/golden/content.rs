//! What the golden files hold, and how today's writer writes it.
//!
//! A store `bar` has four rows in a year, a store `busy` a month that is rolled up.

use nightshard_format::{
    calendar::{Day, Month},
    histogram::{Cell, FineHistogram},
    key::{PartitionRun, hash, partition_of},
    manifest::{Input, InputRole, MANIFEST_VERSION, Manifest, Rows, ShardEntry},
    record::{
        self, DayCards, EntityKind, MonthBuilder, MonthTotals, Posting, RankBy, Run, StoreProfile,
        SummaryBuilder, encode_postings, encode_ranking, ranking_key,
    },
    shard::{Identity, ShardWriter, Span},
    statistics::Statistics,
    text::rotations,
};

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
    vec![
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
    ]
}

/// Returns the golden manifest: what its members are, every one of them.
pub(crate) fn manifest() -> Manifest {
    let input = |role, digit: &str, size_bytes| Input::File {
        role,
        blake3: digit.repeat(64),
        size_bytes,
    };
    let shard = |span: &str, digit: &str| ShardEntry {
        dataset: "stores".into(),
        span: span.into(),
        first_partition: 0,
        end_partition: 1024,
        blob: digit.repeat(64),
        size_bytes: 384,
        records: 2,
    };
    Manifest {
        format_version: MANIFEST_VERSION,
        id: "2018-03-31-ea0065b06afe".parse().unwrap(),
        as_of: "2018-03-31".into(),
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
        inputs: vec![
            input(InputRole::Transactions, "c", 123_456),
            input(InputRole::Stores, "a", 78),
        ],
        configuration: [
            ("histogram.method".into(), "v_optimal".into()),
            ("shards.runs".into(), 16.into()),
        ]
        .into(),
        card_key: "0123456789abcdef".into(),
        shards: vec![shard("2018-03", "1"), shard("current", "2")],
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

const fn run(distance: u32, count: u64) -> Run {
    Run { distance, count }
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
    let mut of_march = Vec::new();
    let mut summary = SummaryBuilder::new();
    for (day, amounts, first_ever, returning) in rows {
        let cards = DayCards {
            first_ever,
            returning,
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
fn busy(month: Month) -> Vec<u8> {
    let mut many = vec![500; 1_000];
    many.extend([1_234; 100]);
    let days: [(i32, &[i64], u64, &[Run]); 3] = [
        (1, &many, 3, &[run(1, 1), run(40, 2)]),
        (
            2,
            &[1, 2, 3, 5, 8, 13, 21, 34, 55],
            0,
            &[run(1, 2), run(30, 1)],
        ),
        (15, &[-7, 0, 10_000], 1, &[run(14, 1), run(20, 5)]),
    ];
    let mut builder = MonthBuilder::new();
    builder.begin(month);
    for (day, amounts, first_ever, returning) in days {
        let cards = DayCards {
            first_ever,
            returning,
        };
        builder.day(Day(month.first_day().0 + day - 1), amounts, cards);
    }
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
