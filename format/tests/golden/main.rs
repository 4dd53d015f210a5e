//! Golden files: bytes that were written once, and are read and written alike for ever.
//!
//! Three readings must agree: that of docs/format.md in `plain.rs`, that of the package, and what
//! is written down here by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "the plain reader trusts golden files"
)]

mod content;
mod customer;
mod loyalty;
mod plain;
mod told;

use std::{collections::BTreeMap, fs, path::PathBuf};

use nightshard_format::{
    calendar::{Day, DayRange, Month},
    histogram::FineHistogram,
    key::{PartitionRun, hash, order, partition_of},
    manifest::Manifest,
    record::{EntityKind, HalfHour, MonthRecord, Postings, Ranking, Run, SideSeries, Summary},
    shard::{Identity, Search, Searched, Shard, ShardWriter, Span},
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/v1")
        .join(name)
}

fn golden(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

/// Opens a golden shard with the package, and with the plain reader.
fn open(name: &str) -> (Shard<Vec<u8>>, plain::Shard) {
    let file = golden(name);
    let read = plain::read_shard(&file);
    let shard = Shard::open(file).unwrap();
    shard.verify().unwrap();
    (shard, read)
}

fn in_place<'a>(shard: &'a Shard<Vec<u8>>, key: &[u8]) -> &'a [u8] {
    shard.get(key).unwrap().unwrap().in_place().unwrap()
}

fn march() -> Month {
    Month::new(2018, 3).unwrap()
}

#[test]
fn todays_writer_reproduces_the_golden_bytes() {
    for (name, written) in content::shards() {
        assert!(written == golden(name), "{name}");
    }
}

#[test]
#[ignore = "writes the golden files of a new version; never run it to make a test pass"]
fn write_golden_files() {
    for (name, written) in content::shards() {
        fs::write(path(name), written).unwrap();
    }
    for (name, manifest) in [
        ("manifest.json", content::manifest()),
        ("packed-manifest.json", content::packed_manifest()),
    ] {
        fs::write(path(name), manifest.to_json().unwrap()).unwrap();
    }
}

#[test]
fn headers_and_sections_are_as_specified() {
    let march = 12 * 2018 + 3;
    for (name, dataset, span, partitions, records) in [
        ("stores-2018-03.shard", "stores", march, (0, 1024), 2),
        ("stores-current.shard", "stores", 0, (0, 1024), 1),
        ("markets-2018-03.shard", "markets", march, (0, 1024), 1),
        ("rankings-current.shard", "rankings", 0, (0, 512), 3),
        ("series-current.shard", "series", 0, (0, 1024), 1),
        ("loyalty-current.shard", "loyalty", 0, (0, 1024), 1),
        ("customers-current.shard", "customers", 0, (0, 1024), 1),
    ] {
        let (shard, read) = open(name);
        assert_eq!(read.dataset, dataset);
        assert_eq!((read.span, read.partitions), (span, partitions));
        let sections = [(1, 0, 1, records), (2, 0, 1, records), (4, 0, 1, 1)];
        assert_eq!(read.sections, sections);
        let identity = shard.identity();
        assert_eq!(identity.dataset, dataset);
        assert_eq!((identity.run.first, identity.run.end), partitions);
        let expected = match span {
            0 => Span::Current,
            _ => Span::Month(self::march()),
        };
        assert_eq!(identity.span, expected);
        for (key, value) in &read.records {
            assert_eq!(in_place(&shard, key), value);
        }
    }
}

/// Writes records of these value lengths, as far as their keys fall into `run`, and has them read
/// by the plain reader.
fn assert_as_specified(run: PartitionRun, records: usize, value_len: impl Fn(usize) -> usize) {
    let record = |at: usize| {
        let value = (0..value_len(at)).map(|byte| (at ^ byte) as u8);
        (format!("{at:06}").into_bytes(), value.collect::<Vec<u8>>())
    };
    let mut records: Vec<_> = (0..records).map(record).collect();
    records.retain(|(key, _)| run.contains(partition_of(hash(key))));
    records.sort_by(|(a, _), (b, _)| order(a).cmp(&order(b)));
    let identity = Identity {
        dataset: "shapes".into(),
        span: Span::Current,
        run,
    };
    let mut file = Vec::new();
    let mut writer = ShardWriter::new(&mut file, &identity).unwrap();
    for (key, value) in &records {
        writer.append(key, value).unwrap();
        writer.add_term(key).unwrap();
    }
    writer.finish().unwrap();
    let read = plain::read_shard(&file);
    assert!(read.records == records);
    let terms = records.iter().map(|(key, _)| (key.clone(), key.clone()));
    assert!(read.terms.into_iter().eq(terms.collect::<BTreeMap<_, _>>()));
}

/// The golden shards are small: none has a crowded line, a line of nine records, or a second
/// block.
#[test]
fn shards_of_any_shape_are_as_specified() {
    let run = |first, end| PartitionRun { first, end };
    for run in [run(0, 1024), run(1, 1024), run(341, 682), run(1023, 1024)] {
        assert_as_specified(run, 3_000, |_| 9);
        assert_as_specified(run, 3_000, |at| at % 40);
        assert_as_specified(run, 500, |at| at % 5 * 3_000);
    }
    // Up to one of 64 is too long, by that much; what is much too long is far in a narrow line.
    for (many, excess) in [(10, 4_681), (11, 4_680), (11, 4_681), (10, 70_000)] {
        // Lengths of values are written in two bytes.
        assert_as_specified(run(0, 1024), 640, |at| {
            if at < many { 200 + excess } else { 200 }
        });
    }
}

#[test]
fn a_small_month_is_these_bytes() {
    let (shard, _) = open("stores-2018-03.shard");
    let expected = [
        &[2][..],                     // no roll-up, but buyer days
        &[0b100, 0, 0, 0],            // the third day
        &[2],                         // count
        &[0xaa, 0x1b],                // sum 1749
        &[0x85, 0xdb, 0xf7, 0x01],    // sum of squares 4,058,501
        &[0xf3, 0x03],                // minimum -250
        &[0xc9, 0x11],                // maximum less minimum 2,249
        &[1, 0xfa, 0x01],             // one refund of 250
        &[0],                         // no amount of 0
        &[1, 1],                      // a new card and another
        &[5, 3],                      // lengths
        &[4, 0xf3, 0x03, 0xc9, 0x11], // two amounts
        &[1, 1, 18],                  // a new card, and one after nine days
        &[7, 4, 0, 0, 0],             // seven bytes of buyers, who differ on the third
        &[1, 9, 1],                   // one fewer after nine days
    ];
    assert_eq!(in_place(&shard, b"bar"), &expected.concat()[..]);
}

/// Returns what the package reads of a month: totals, cards, and for each day its number, count
/// and sum.
fn read(record: &MonthRecord<'_>) -> (plain::Statistics, u64, Vec<(u32, u64, i128)>) {
    let totals = record.statistics();
    let mut days = Vec::new();
    let visit = |day: Day, totals: nightshard_format::statistics::Statistics| {
        let number = (day.0 - march().first_day().0 + 1).cast_unsigned();
        days.push((number, totals.count, totals.sum));
    };
    record.visit_days(march().days(), visit).unwrap();
    let totals = [
        totals.count.into(),
        totals.sum,
        totals.sum_squares.cast_signed(),
        totals.min.into(),
        totals.max.into(),
        totals.refund_count.into(),
        totals.refund_sum,
        totals.zero_count.into(),
    ];
    (totals, record.cards(), days)
}

#[test]
fn a_busy_month_has_these_figures() {
    let (shard, plain) = open("stores-2018-03.shard");
    let statistics = [1_112, 633_535, 502_280_543, -7, 10_000, 1, -7, 1];
    let of_first = [1_100, 623_400, 402_275_600, 500, 1_234, 0, 0, 0];
    let fibonacci = [1, 2, 3, 5, 8, 13, 21, 34, 55];
    let mut cells = vec![(-7, 1), (0, 1)];
    cells.extend(fibonacci.map(|cell| (cell, 1)));
    cells.extend([(140, 1_000), (192, 100), (280, 1)]);
    let expected = plain::Month {
        statistics,
        first_ever: 4,
        others: 9,
        days: vec![
            (
                1,
                plain::Day::Totals(of_first, vec![(140, 1_000), (192, 100)]),
            ),
            (2, plain::Day::Amounts(fibonacci.into())),
            (15, plain::Day::Amounts(vec![-7, 0, 10_000])),
        ],
        cards: vec![
            (3, vec![(1, 1), (40, 2)]),
            (0, vec![(1, 2), (30, 1)]),
            (1, vec![(14, 1), (20, 5)]),
        ],
        buyers: vec![
            (1, vec![(1, -1), (7, 1)]),
            (15, vec![(0, -1), (14, -1), (20, -4)]),
        ],
        hours: vec![
            (1, vec![[24, 1_000, 500_000]]),
            (15, vec![[0, 1, -7], [47, 1, 10_000]]),
        ],
        second: vec![(1, vec![(40, 2)]), (2, vec![(1, 1)])],
        cohorts: vec![(1, 3), (14, 2)],
        // Cards seen before March, by the days before the first that they were last seen.
        roll_up: Some((
            cells.clone(),
            vec![(0, -1), (1, -1), (6, -4), (7, 1)],
            vec![(1, 1), (6, 5), (29, 1), (40, 2)],
        )),
    };
    assert_eq!(plain::read_month(plain.value(b"busy")), expected);

    let record = in_place(&shard, b"busy");
    let record = MonthRecord::parse(march(), record).unwrap();
    let days = vec![(1, 1_100, 623_400), (2, 9, 142), (15, 3, 9_993)];
    assert_eq!(read(&record), (statistics, 13, days));
    let mut bins = FineHistogram::new();
    record.add_bins(march().days(), &mut bins).unwrap();
    let bins = bins
        .iter()
        .map(|(cell, count)| (cell.index().into(), count.into()));
    assert!(bins.eq(cells));
    let mut hours = Vec::new();
    let of_last = DayRange {
        first: Day(march().first_day().0 + 14),
        last: march().days().last,
    };
    let visit = |_day, hour: HalfHour| hours.push((hour.half_hour, hour.count, hour.sum));
    record.visit_hours(of_last, visit).unwrap();
    assert_eq!(hours, [(0, 1, -7), (47, 1, 10_000)]);
    let mut second = Vec::new();
    let visit = |day: Day, run: Run| second.push((day.0, run.distance, run.count));
    record.visit_second_visits(march().days(), visit).unwrap();
    let first = march().first_day().0;
    assert_eq!(second, [(first, 40, 2), (first + 1, 1, 1)]);
    let mut cohorts = Vec::new();
    let visit = |run: Run| cohorts.push((run.distance, run.count));
    record.visit_cohorts(visit).unwrap();
    assert_eq!(cohorts, [(1, 3), (14, 2)]);
    // Of the 13 cards, those seen in the week before March are not new to a range that has it.
    let week_before = DayRange {
        first: Day(march().first_day().0 - 7),
        last: march().days().last,
    };
    assert_eq!(
        record.cards_since(week_before, week_before.first).unwrap(),
        7
    );
    let second = Day(march().first_day().0 + 1);
    let from_second = DayRange {
        first: second,
        last: march().days().last,
    };
    // On the second all three; on the fifteenth those from before the second, and the new one.
    assert_eq!(record.cards_since(from_second, second).unwrap(), 3 + 7);
    // Five of 13 buy nothing in March; one was there the day before, and bought a week ago.
    let march = march().days();
    assert_eq!(record.buyers_since(march, march.first).unwrap(), 8);
    assert_eq!(
        record.buyers_since(week_before, week_before.first).unwrap(),
        6
    );
    assert_eq!(record.buyers_since(from_second, second).unwrap(), 3 + 1);
}

#[test]
fn a_market_has_its_days_by_totals() {
    let (shard, plain) = open("markets-2018-03.shard");
    let statistics = [2, 249, 62_501, -1, 250, 1, -1, 0];
    let expected = plain::Month {
        statistics,
        first_ever: 200,
        others: 0,
        days: vec![(31, plain::Day::Totals(statistics, vec![(-1, 1), (115, 1)]))],
        cards: vec![(200, vec![])],
        buyers: vec![(31, vec![(0, -199)])],
        hours: vec![],
        second: vec![],
        cohorts: vec![],
        roll_up: None,
    };
    assert_eq!(plain::read_month(plain.value(b"all")), expected);
    let record = in_place(&shard, b"all");
    let record = MonthRecord::parse(march(), record).unwrap();
    assert_eq!(read(&record), (statistics, 200, vec![(31, 2, 249)]));
}

#[test]
fn a_summary_has_these_figures() {
    let (shard, plain) = open("stores-current.shard");
    let profile = [
        &[1, 4][..],
        "Bär".as_bytes(),
        &[0],
        &[1, 4],
        b"food",
        &[1, 0],
        &[1, 252, 0xc0, 0x65, 0x5b, 0x3d], // 2 x 514,700,000 = 0x3d5b65c0
        &[251, 0xcf, 0x07],                // 2 x 1,000 - 1 = 0x07cf
    ];
    let large = 100_000_000_000_000;
    let year = 12 * 2018;
    let expected = plain::Summary {
        profile: profile.concat(),
        days: (17_584, 17_897),
        cards: 2,
        months: vec![
            (year + 2, [1, 500, 250_000, 500, 500, 0, 0, 0], 1),
            (year + 3, [2, 1_749, 4_058_501, -250, 1_999, 1, -250, 0], 2),
            (year + 6, [1, 0, 0, 0, 0, 0, 0, 1], 0),
            (
                year + 13,
                [1, large, large * large, large, large, 0, 0, 0],
                1,
            ),
        ],
        quarters: vec![2, 0, 1],
        years: vec![2, 1],
    };
    assert_eq!(plain::read_summary(plain.value(b"bar"), year + 2), expected);

    let summary = Summary::parse(in_place(&shard, b"bar")).unwrap();
    let profile = &summary.profile;
    assert_eq!(profile.name.as_deref(), Some("Bär"));
    assert_eq!(
        (&profile.merchant_id, profile.region.as_deref()),
        (&None, Some(""))
    );
    assert_eq!(profile.category.as_deref(), Some("food"));
    assert_eq!(profile.location, Some((514_700_000, -1_000)));
    assert_eq!(
        (summary.days.first, summary.days.last),
        (Day(17_584), Day(17_897))
    );
    assert_eq!(
        (summary.cards, summary.statistics().sum),
        (2, large + 2_249)
    );
    let months = [(2018, 2), (2018, 3), (2018, 6), (2019, 1)];
    let cards = [1, 2, 0, 1];
    for ((month, (year, number)), cards) in summary.months.iter().zip(months).zip(cards) {
        assert_eq!(month.month, Month::new(year, number).unwrap());
        assert_eq!(month.cards, cards);
    }
    assert_eq!(summary.months.len(), 4);
    let quarter = |year, month, cards| (Month::new(year, month).unwrap(), cards);
    assert_eq!(
        summary.quarters,
        [
            quarter(2018, 1, 2),
            quarter(2018, 4, 0),
            quarter(2019, 1, 1)
        ]
    );
    assert_eq!(summary.years, [(2018, 2), (2019, 1)]);
}

#[test]
fn a_searched_word_leads_to_its_postings() {
    let (shard, plain) = open("search-current.shard");
    let sections = [(1, 0, 1, 2), (2, 0, 1, 2), (3, 0, 1, 4), (4, 0, 1, 1)];
    assert_eq!(plain.sections, sections);
    let word = "wbär".as_bytes();
    let terms: [(&str, &[u8]); 4] = [
        ("ibar", b"ibar"),
        ("wbär\0", word),
        ("wr\0bä", word),
        ("wär\0b", word),
    ];
    let as_text = plain.terms.iter().map(|(term, key)| {
        let term = std::str::from_utf8(term).unwrap();
        (term, &key[..])
    });
    assert!(as_text.eq(terms), "{:?}", plain.terms);
    let postings: [(u8, &[u8]); 4] = [(0, b"BAR"), (0, b"busy"), (1, b""), (2, b"food")];
    assert_eq!(plain::read_postings(plain.value(word)), postings);
    assert_eq!(plain::read_postings(plain.value(b"ibar")), postings[..1]);

    let mut found = Vec::new();
    let visit = |term: &[u8], record: nightshard_format::shard::Record<'_>| {
        found.push((term.to_vec(), record.key.to_vec()));
        true
    };
    let searched = Search::prefix(b"w").visit(std::slice::from_ref(&shard), u64::MAX, visit);
    assert_eq!(searched.unwrap(), Searched::Whole);
    assert_eq!(found, plain.terms[1..]);
    let kinds = [EntityKind::Store, EntityKind::Store, EntityKind::Region];
    let read = Postings::new(in_place(&shard, word)).map(Result::unwrap);
    let read: Vec<_> = read.map(|posting| (posting.kind, posting.id)).collect();
    assert_eq!(read.len(), 4);
    for ((kind, (_, id)), read) in kinds.into_iter().zip(postings).zip(read) {
        assert_eq!(read, (kind, id));
    }
}

#[test]
fn a_ranking_lists_its_ids_in_order() {
    let (shard, plain) = open("rankings-current.shard");
    let ids: [&[u8]; 3] = [b"busy", b"", b"bar"];
    let keys = plain.records.iter().map(|(key, _)| &key[..]);
    let expected: [&[u8]; 3] = [
        b"amount\0\0",
        b"transactions\0\x01north\0",
        b"transactions\0\x01\0\x01food",
    ];
    assert!(keys.eq(expected), "{:?}", plain.records);
    for (key, value) in &plain.records {
        assert_eq!(plain::read_ranking(value), ids);
        let ranking = Ranking::parse(in_place(&shard, key)).unwrap();
        assert!((0..3).map(|at| ranking.get(at)).eq(ids.map(Some)));
        assert_eq!(ranking.len(), 3);
    }
}

#[test]
fn a_side_series_is_these_bytes() {
    let (shard, plain) = open("series-current.shard");
    let (first, second, third, last) = (17_590, 17_592, 17_593, 17_896);
    let expected = [
        &[4][..],                                       // values
        &[0xec, 0x92, 0x02],                            // 2018-02-28: 2 x 17,590
        &[1, 0],                                        // a day between, none
        &[0xae, 0x02],                                  // 302 days between
        &[0, 0, 0, 0, 0, 0xf7, 0xa2, 0x40],             // 2427.5
        &[0, 0, 0, 0, 0, 0, 0xd0, 0xbf],                // -0.25
        &[0; 8],                                        // 0
        &[0x9c, 0x75, 0, 0x88, 0x3c, 0xe4, 0x37, 0x7e], // 10^300
    ];
    let value = in_place(&shard, b"index");
    assert_eq!(value, &expected.concat()[..]);
    let bits = [2_427.5_f64, -0.25, 0.0, 1e300].map(f64::to_bits);
    let days = [first, second, third, last];
    let read: Vec<(i128, u64)> = days.map(i128::from).into_iter().zip(bits).collect();
    assert_eq!(plain::read_side_series(plain.value(b"index")), read);
    let mut visited = Vec::new();
    let series = SideSeries::parse(value).unwrap();
    let visit = |day: Day, value: f64| visited.push((i128::from(day.0), value.to_bits()));
    series.visit(visit).unwrap();
    assert_eq!(visited, read);
}

#[test]
fn compressed_values_are_those_that_were_written() {
    let (shard, plain) = open("prices-current.shard");
    let sections = [(1, 1, 1, 32), (2, 0, 1, 32), (5, 0, 1, 1), (4, 0, 1, 1)];
    assert_eq!(plain.sections, sections);
    let mut frames = 0;
    for (key, value) in content::price_list(30) {
        assert_eq!(plain.value(&key), value);
        let found = shard.get(&key).unwrap().unwrap();
        assert_eq!(*found.read().unwrap(), *value);
        assert_eq!(found.len_bytes().unwrap(), value.len());
        match found.stored() {
            [0, stored @ ..] => assert_eq!(stored, value),
            frame => {
                assert!(frame.len() < value.len());
                frames += 1;
            }
        }
    }
    assert_eq!(frames, 30);
}

#[test]
fn a_manifest_is_these_bytes() {
    // What is digested, written down by hand.
    let (a, b, c) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
    let (one, two, three) = ("1".repeat(64), "2".repeat(64), "3".repeat(64));
    let packed = [
        r#""packed":{"prices":{"key":"sku","media_type":"application/json","#,
        r#""on_duplicate":"last","rows":{"excluded":{"duplicate":1},"read":3,"rejected":{},"#,
        r#""used":2},"values":["price","name"]}},"#,
    ]
    .concat();
    let packed_input = format!(
        r#"{{"blake3":"{b}","dataset":"prices","kind":"file","role":"packed","size_bytes":90}}"#
    );
    let packed_shard = [
        &format!(r#"{{"blob":"{three}","dataset":"prices","end_partition":1024,"#),
        r#""first_partition":0,"records":2,"size_bytes":384,"span":"current"}"#,
    ]
    .concat();
    let whole = [
        r#"{"as_of":"2018-03-31","card_key":"0123456789abcdef","#,
        r#""configuration":{"histogram.method":"v_optimal","shards.runs":16},"#,
        r#""currency":"GBP","currency_exponent":2,"days":["2018-03-01","2018-03-15"],"#,
        r#""format_version":1,"inputs":["#,
        &format!(r#"{{"blake3":"{c}","kind":"file","role":"transactions","size_bytes":123456}},"#),
        &format!(r#"{{"blake3":"{a}","kind":"file","role":"stores","size_bytes":78}},"#),
        &packed_input,
        "],",
        &packed,
        r#""rows":{"excluded":{"after_as_of":1,"duplicate":3},"read":1120,"#,
        r#""rejected":{"impossible date":2},"used":1114},"shards":["#,
        &packed_shard,
        &format!(r#",{{"blob":"{one}","dataset":"stores","end_partition":1024,"#),
        r#""first_partition":0,"records":2,"size_bytes":384,"span":"2018-03"},"#,
        &format!(r#"{{"blob":"{two}","dataset":"stores","end_partition":1024,"#),
        r#""first_partition":0,"records":2,"size_bytes":384,"span":"current"}],"#,
        r#""stores":2}"#,
    ]
    .concat();
    let packed_alone = [
        r#"{"as_of":"2018-03-31","configuration":{},"format_version":1,"inputs":["#,
        &packed_input,
        "],",
        &packed,
        r#""shards":["#,
        &packed_shard,
        "]}",
    ]
    .concat();
    for (name, manifest, canonical) in [
        ("manifest.json", content::manifest(), whole),
        (
            "packed-manifest.json",
            content::packed_manifest(),
            packed_alone,
        ),
    ] {
        let digest = blake3::hash(canonical.as_bytes()).to_hex();
        let id = format!("2018-03-31-{}", &digest[..12]);
        assert_eq!(manifest.id.as_str(), id);
        let json = golden(name);
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
        assert!(manifest.to_json().unwrap() == json);
    }
}
