use nightshard_format::{
    calendar::{Day, Month},
    key::PartitionRun,
    record::{
        AtomCards, AtomGroup, DayCards, EntityKind, LeafAtom, MonthBuilder, MonthTotals,
        PatternCell, Posting, Run, StoreProfile, SummaryBuilder, encode_growth_ranking,
        encode_postings, encode_ranking, encode_side_series,
    },
};

use super::*;

#[track_caller]
fn assert_found(dataset: &str, span: Span, value: &[u8], problem: &str) {
    assert_record_found(dataset, span, (b"the key", value), problem);
}

#[track_caller]
fn assert_key_found(key: &[u8], span: Span, value: &[u8], problem: &str) {
    assert_record_found(record::ATOMS, span, (key, value), problem);
}

#[track_caller]
fn assert_record_found(dataset: &str, span: Span, (key, value): (&[u8], &[u8]), problem: &str) {
    let identity = Identity {
        dataset: dataset.into(),
        span,
        run: PartitionRun {
            first: 0,
            end: 1024,
        },
    };
    let record = Record {
        key,
        value: value.into(),
    };
    let key = format!("{:?}", String::from_utf8_lossy(key));
    let error =
        check_record(&identity, record).map_or_else(|error| error.to_string(), |()| String::new());
    match problem {
        "" => assert_eq!(error, ""),
        _ => assert!(error.contains(&key) && error.contains(problem), "{error:?}"),
    }
}

/// One row a day in January, February and May; one card comes each time, another in May.
fn summary_bytes() -> Vec<u8> {
    let mut summary = SummaryBuilder::new();
    let mut before: Option<Day> = None;
    for (month, first_ever) in [(1, 1), (2, 0), (5, 1)] {
        let day = Day::from_civil(2018, month, 10).unwrap();
        let returning = before.map(|before| Run {
            distance: (day.0 - before.0).cast_unsigned(),
            count: 1,
        });
        let cards = DayCards {
            first_ever,
            returning: returning.as_slice(),
            buyers: &[],
            ..DayCards::default()
        };
        let mut builder = MonthBuilder::new();
        builder.begin(day.month());
        builder.day(day, &[5], cards);
        summary.day(day, cards);
        let (statistics, cards) = builder.totals();
        summary.month(MonthTotals {
            month: day.month(),
            statistics,
            cards,
        });
        before = Some(day);
    }
    let mut value = Vec::new();
    summary
        .finish(&StoreProfile::default(), &mut value)
        .unwrap();
    value
}

#[test]
fn summaries_whose_cards_contradict_each_other_are_found() {
    let right = summary_bytes();
    let problem = "its cards of longer periods do not fit";
    assert_found(record::STORES, Span::Current, &right, "");
    // The last three bytes are the cards of two quarters and the year.
    let [.., first, second, year] = right[..] else {
        unreachable!()
    };
    assert_eq!([first, second, year], [1, 2, 2]);
    for (from_end, forged) in [(1, 1), (1, 4), (2, 1), (2, 3), (3, 0), (3, 3)] {
        let mut value = right.clone();
        let at = value.len() - from_end;
        value[at] = forged;
        assert_found(record::STORES, Span::Current, &value, problem);
        assert_found(record::MARKETS, Span::Current, &value, problem);
    }
    // Profile with its length, first day, last day: then the cards of everything.
    let mut value = right.clone();
    let at = 1 + usize::from(right[0]) + 3 + 1;
    assert_eq!(value[at..at + 2], [2, 3], "two cards, three months");
    value[at] = 3;
    assert_found(record::STORES, Span::Current, &value, problem);
    let mut value = right.clone();
    value[at - 1] = 10;
    let problem = "its months are not those of its days";
    assert_found(record::STORES, Span::Current, &value, problem);
    value.push(0);
    assert_found(record::STORES, Span::Current, &value, "left over");
}

#[test]
fn rankings_with_ids_outside_or_bytes_left_over_are_found() {
    let mut right = Vec::new();
    encode_ranking([&b"one"[..], b"", b"two"].into_iter(), &mut right).unwrap();
    for dataset in [record::RANKINGS, record::CATALOG] {
        assert_found(dataset, Span::Current, &right, "");
        let mut value = right.clone();
        value.push(b'x');
        assert_found(dataset, Span::Current, &value, "bytes are left over");
        value.truncate(right.len() - 1);
        assert_found(dataset, Span::Current, &value, "an id is outside it");
        let mut value = right.clone();
        *value.last_mut().unwrap() = 0;
        assert_found(dataset, Span::Current, &value, "an id holds a NUL");
        let mut value = right.clone();
        // The second id ends before the first does.
        value[8] = 2;
        assert_found(dataset, Span::Current, &value, "an id is outside it");
    }
}

#[test]
fn rankings_by_growth_that_lack_one_or_do_not_descend_are_found() {
    let growth = |now| Growth { now, before: 60 };
    for (second, is_right) in [
        (growth(1), true),
        (growth(2), true),
        (Growth::default(), true),
        (growth(3), false),
    ] {
        let entries = [(&b"a"[..], growth(2)), (b"b", second)];
        let mut value = Vec::new();
        encode_growth_ranking(entries.into_iter(), &mut value).unwrap();
        assert_eq!(check_ranking(&value, true).is_ok(), is_right, "{second:?}");
        assert!(check_ranking(&value, false).is_err());
    }
    let mut value = Vec::new();
    encode_ranking([&b"a"[..]].into_iter(), &mut value).unwrap();
    assert!(check_ranking(&value, true).is_err());
}

#[test]
fn postings_that_do_not_ascend_are_found() {
    let posting = |kind, id| Posting { kind, id };
    let (store, region) = (EntityKind::Store, EntityKind::Region);
    let problem = "they are out of order or repeated";
    for (postings, problem) in [
        (vec![posting(store, b"a"), posting(region, b"a")], ""),
        (vec![posting(store, b"b"), posting(store, b"a")], problem),
        (vec![posting(store, b"a"), posting(store, b"a")], problem),
        (vec![posting(region, b"a"), posting(store, b"b")], problem),
        (vec![], "there are none"),
    ] {
        let mut value = Vec::new();
        encode_postings(postings.into_iter(), &mut value);
        assert_found(record::SEARCH, Span::Current, &value, problem);
    }
    assert_found(record::SEARCH, Span::Current, &[3, 0], "an unknown kind");
}

#[test]
fn side_series_with_values_or_days_that_are_none_are_found() {
    let mut right = Vec::new();
    let values = [(Day(17_600), 1.5), (Day(17_610), 2.5)];
    encode_side_series(&values, &mut right).unwrap();
    assert_found(record::SERIES, Span::Current, &right, "");
    let mut value = right.clone();
    value.push(0);
    assert_found(record::SERIES, Span::Current, &value, "left over");
    value.truncate(right.len() - 1);
    assert_found(record::SERIES, Span::Current, &value, "ends early");
    let mut value = right.clone();
    let at = value.len() - 2;
    value[at..].copy_from_slice(&[0xf0, 0x7f]);
    assert_found(
        record::SERIES,
        Span::Current,
        &value,
        "a value is not finite",
    );
    assert_found(record::SERIES, Span::Current, &[0, 0], "it has no value");
}

#[test]
fn loyalty_that_contradicts_itself_is_found() {
    let march = Span::Month(Month::new(2018, 3).unwrap());
    // One card that comes on the last day of January, and of the quarter.
    let right = [1 | 8, 0, 1, 2, 0, 59, 1, 2, 0];
    assert_found(record::LOYALTY, march, &right, "");
    assert_found(record::LOYALTY, march, &[0], "");
    for (at, byte, problem) in [
        (0, 1, "left over"),
        (0, 16, "does not end with its span"),
        (1, 31, "its last visit is not in it"),
        (3, 22, "its numbers of visits"),
        (4, 1, "its regulars stay beyond its end"),
        (7, 3, "do not fit those of shorter ones"),
    ] {
        let mut value = right.to_vec();
        value[at] = byte;
        // Where two cards come once each, another number follows.
        if at == 7 {
            value.insert(8, 0);
        }
        assert_found(record::LOYALTY, march, &value, problem);
    }
}

#[test]
fn atoms_of_nothing_are_found() {
    let month = Month::new(2018, 3).unwrap();
    let days = month.days();
    let right = AtomMonth {
        groups: vec![AtomGroup {
            days,
            atoms: 1,
            cards: Some(10),
            count: 12,
            sum: 500,
        }],
        cards: vec![AtomCards {
            day: days.last,
            first_ever: 10,
            returning: Vec::new(),
        }],
    };
    let mut value = Vec::new();
    right.encode(month, &mut value).unwrap();
    assert_key_found(b"regions\0leeds", Span::Month(month), &value, "");
    value.push(0);
    assert_key_found(b"regions\0leeds", Span::Month(month), &value, "left over");
    let mut value = Vec::new();
    AtomSummary::default().encode(&mut value).unwrap();
    for (key, problem) in [
        (&b"markets\0all"[..], ""),
        (b"categories\0", ""),
        (b"region_categories\0leeds\0food", ""),
        (b"markets\0some", "of no market or place"),
        (b"regions\0leeds\0food", "of no market or place"),
        (b"region_categories\0leeds", "of no market or place"),
        (b"stores\0a", "of no market or place"),
        (b"regions", "of no market or place"),
    ] {
        assert_key_found(key, Span::Current, &value, problem);
    }
}

#[test]
fn patterns_of_nothing_are_found() {
    let month = Month::new(2018, 3).unwrap();
    let mut pattern = PlacePattern::default();
    pattern.hours[12] = PatternCell::of([4, 2]);
    pattern.weekdays[0] = pattern.hours[12];
    let mut value = Vec::new();
    pattern.encode(&mut value).unwrap();
    let check = |key: &[u8], value: &[u8], problem| {
        assert_record_found(record::PATTERNS, Span::Month(month), (key, value), problem);
    };
    check(b"regions\0leeds", &value, "");
    check(b"markets\0all", &value, "");
    check(b"stores\0a", &value, "of no market or place");
    value.push(0);
    check(b"regions\0leeds", &value, "left over");
}

#[test]
fn mixes_of_nothing_are_found() {
    let month = Month::new(2018, 3).unwrap();
    let check = |key: &[u8], value: &[u8], problem| {
        assert_record_found(
            record::PLACE_MIXES,
            Span::Month(month),
            (key, value),
            problem,
        );
    };
    // Three rows of two merchants, all paid with points.
    let value = [0, 3, 2, 1, 2, 32, 0, 0, 1, 2, 3, 2, 1, 2];
    check(b"regions\0leeds", &value, "");
    check(b"markets\0all", &value, "");
    check(b"stores\0a", &value, "of no market or place");
    for (at, byte, problem) in [
        (1, 4, "a dimension has other rows than all"),
        (9, 1, "no row says anything of one of its dimensions"),
        (11, 0, "its merchants cannot have these rows"),
    ] {
        let mut forged = value;
        forged[at] = byte;
        check(b"regions\0leeds", &forged, problem);
    }
}

#[test]
fn leaves_of_nothing_are_found() {
    let month = Month::new(2018, 3).unwrap();
    let leaf = LeafRecord {
        stores: vec![b"a".to_vec()],
        atoms: vec![LeafAtom {
            days: month.days(),
            cards: 10,
            count: 12,
            sum: 500,
        }],
    };
    let mut value = Vec::new();
    leaf.encode(month, &mut value).unwrap();
    let check = |key: &[u8], value: &[u8], problem| {
        assert_record_found(record::LEAVES, Span::Month(month), (key, value), problem);
    };
    check(b"leeds\0food", &value, "");
    check(b"\0", &value, "");
    check(b"leeds", &value, "of no region and category");
    value.push(0);
    check(b"leeds\0food", &value, "left over");
}

#[test]
fn customers_that_cannot_be_are_found_and_not_named() {
    let identity = Identity {
        dataset: record::CUSTOMERS.into(),
        span: Span::Current,
        run: PartitionRun {
            first: 0,
            end: 1024,
        },
    };
    let own = b"00112233445566778899aabbccddeeff";
    let right = [1, 10, 10, 0, 0, 0, 0, 0];
    let mut wrong = right;
    wrong[0] = 2;
    for (key, value, problem) in [
        (&own[..], right, ""),
        (own, wrong, "its sum is none of its rows"),
        (b"4929123456789012", right, "its key is no pseudonym"),
    ] {
        let record = Record {
            key,
            value: value[..].into(),
        };
        let error = check_record(&identity, record).err();
        let error = error.map_or(String::new(), |error| error.to_string());
        assert!(error.is_empty() == problem.is_empty() && error.contains(problem));
        assert!(
            !error.contains(std::str::from_utf8(key).unwrap()),
            "{error}"
        );
    }
}

#[test]
fn benchmarks_of_what_cannot_be_are_found() {
    let march = Span::Month(Month::new(2018, 3).unwrap());
    // The month is hidden; of the quarter there are six others.
    let right = [1 | 2 | 8, 6, 50, 200, 1, 0, 0, 128];
    assert_found(record::BENCHMARKS, march, &right, "");
    for (at, byte, problem) in [
        (0, 3 | 4 | 8, "does not end with its span"),
        (0, 0, "it has no period"),
        (1, 0, "compares a store with none"),
        (7, 128 | 101, "above 100"),
        (7, 50, "ends early"),
    ] {
        let mut value = right.to_vec();
        value[at] = byte;
        assert_found(record::BENCHMARKS, march, &value, problem);
    }
}

#[test]
fn demographics_of_what_cannot_be_are_found() {
    let march = Span::Month(Month::new(2018, 3).unwrap());
    // One text; a cell of it, unknown and merged.
    let right = [1, 1, b'f', 1, 2, 1, 0, 9, 4, 8];
    assert_found(record::DEMOGRAPHICS, march, &right, "");
    for (at, byte, problem) in [
        (0, 0, "a text that no cell uses"),
        (4, 0, "told behind one that is merged"),
        (4, 3, "none of its texts"),
        (9, 11, "more cards than rows"),
        (3, 2, "ends early"),
    ] {
        let mut value = right.to_vec();
        value[at] = byte;
        if at == 0 {
            value = [&[1, 1, b'g'][..], &[1, 1, 0, 0, 9, 4, 8]].concat();
        }
        assert_found(record::DEMOGRAPHICS, march, &value, problem);
    }
    // Ten rows of a text, all told.
    let place = [9, 1, 1, b'f', 1, 2, 1, 1, 9];
    let found = |key: &[u8], value: &[u8], problem| {
        assert_record_found(record::PLACE_DEMOGRAPHICS, march, (key, value), problem);
    };
    found(b"markets\0all", &place, "");
    found(b"region_categories\0leeds\0food", &place, "");
    found(b"stores\0a", &place, "of no market or place");
    let mut more = place;
    more[0] = 8;
    found(b"regions\0leeds", &more, "more rows than there are");
}

#[test]
fn loyalty_of_what_is_no_place_and_damaged_loyalty_are_found() {
    let march = Span::Month(Month::new(2018, 3).unwrap());
    for span in [march, Span::Current] {
        let found = |dataset, key: &[u8], value: &[u8], problem| {
            assert_record_found(dataset, span, (key, value), problem);
        };
        found(record::PLACE_LOYALTY, b"markets\0all", &[0], "");
        found(record::PLACE_LOYALTY, b"regions\0leeds", &[0], "");
        found(record::PLACE_LOYALTY, b"bar", &[0], "of no market or place");
        found(
            record::PLACE_LOYALTY,
            b"regions\0leeds",
            &[0, 0],
            "left over",
        );
        found(record::MERCHANT_LOYALTY, b"m", &[0], "");
        found(record::MERCHANT_LOYALTY, b"m", &[0, 0], "left over");
    }
}

#[test]
fn what_cards_cannot_do_elsewhere_is_found() {
    let march = Span::Month(Month::new(2018, 3).unwrap());
    // Two cards that are merged, and ten of a region.
    let right = [2, 0, 1, 2, b'f', 9];
    assert_found(record::ORIGINS, march, &right, "");
    for (at, byte, problem) in [
        (0, 1, "left over"),
        (0, 3, "ends early"),
        (4, 255, "an id is not UTF-8"),
    ] {
        let mut value = right;
        value[at] = byte;
        assert_found(record::ORIGINS, march, &value, problem);
    }
    let out_of_order = [2, 2, b'f', 9, 1, 1];
    assert_found(record::ORIGINS, march, &out_of_order, "do not ascend");
    assert_found(record::ORIGINS, march, &[0], "it has no cell");
    // One card before in a region, and none else.
    let beside = [1, 2, b'f', 0, 0, 0, 0];
    assert_found(record::BEFORE_AFTER, march, &beside, "");
    assert_found(record::BEFORE_AFTER, march, &beside[..6], "ends early");
    assert_found(record::BEFORE_AFTER, march, &[0; 4], "it has no cell");
    assert_found(record::BEFORE_AFTER, march, &[0; 5], "left over");
    // 5 of 9 minor units.
    assert_found(record::SPEND_SHARES, march, &[10, 18], "");
    assert_found(record::SPEND_SHARES, march, &[10], "ends early");
    assert_found(record::SPEND_SHARES, march, &[10, 18, 0], "left over");
    for dataset in [
        record::DEMOGRAPHICS,
        record::PLACE_DEMOGRAPHICS,
        record::PLACE_MIXES,
        record::ORIGINS,
        record::BEFORE_AFTER,
        record::SPEND_SHARES,
    ] {
        let found = |key: &[u8], value: &[u8], problem| {
            assert_record_found(dataset, Span::Current, (key, value), problem);
        };
        found(b"2018-03", &[4], "");
        found(b"2018-03", &[4, 1], "left over");
        found(b"a store", &[4], "its key is no month");
    }
}

#[test]
fn settlements_that_cannot_be_are_found() {
    let march = Span::Month(Month::new(2018, 3).unwrap());
    // A row of 5 that settles on the third day of 1970.
    let right = [1, 6, 1, 10, 0, 0, 0, 0];
    assert_found(record::SETTLEMENTS, march, &right, "");
    for (at, byte, problem) in [
        (0, 2, "a day has no rows"),
        (7, 1, "ends early"),
        (4, 2, "more rows say an amount than there are"),
    ] {
        let mut value = right;
        value[at] = byte;
        assert_found(record::SETTLEMENTS, march, &value, problem);
    }
    assert_found(
        record::SETTLEMENTS,
        march,
        &[0, 0, 0],
        "no row says anything",
    );
    let current = Span::Current;
    // Two rows of January 1970 that settle on its third day, and none that does not say when.
    let mut right = vec![1];
    nightshard_format::bytes::put_signed(&mut right, 1970 * 12);
    right.extend([2, 20, 4, 0, 0]);
    assert_found(record::SETTLEMENTS, current, &right, "");
    right.push(0);
    assert_found(record::SETTLEMENTS, current, &right, "left over");
    assert_found(record::SETTLEMENTS, current, &[0], "it has no month");
}

#[test]
fn months_are_checked_and_unknown_datasets_are_bytes() {
    let month = Span::Month(Month::new(2018, 3).unwrap());
    for dataset in SERIES_OF_DAYS {
        assert_found(dataset, month, &[64, 0], "its first byte is not 0 to 63");
    }
    assert_found("later", month, &[2, 0], "");
    assert_found("later", Span::Current, &[], "");
}
