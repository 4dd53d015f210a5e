//! Values of what is told of stores beside others, of places and of who pays, written down byte by byte in files: what
//! each is made of stands here, is read from them, and writes them.

use nightshard_format::{
    calendar::{Day, DayRange, Month, Period},
    record::{
        AtomCards, AtomGroup, AtomMonth, AtomSummary, Benchmark, BenchmarkRecord, DemographicCell,
        DemographicsRecord, Dimension, Label, LeafAtom, LeafRecord, MixValue, PatternCell,
        PlaceCell, PlaceDemographics, PlaceMix, PlaceMixes, Run, Settled, SettlementMonth,
        SettlementSummary, SettlementTotals, SpendShare, Standing, Stated, StoreProfile,
        encode_benchmarks, encode_demographics,
    },
};

use super::{golden, march};

/// Days of March 2018, by their dates.
fn days(first: i32, last: i32) -> DayRange {
    let day = |date: i32| Day(march().first_day().0 + date - 1);
    DayRange {
        first: day(first),
        last: day(last),
    }
}

#[test]
fn benchmarks_are_these_bytes() {
    let standing = |index, percentile| Standing::Rounded { index, percentile };
    let benchmark = Benchmark {
        others: 12,
        net_sales: standing(Some(120), 75),
        sales_count: standing(Some(98), 50),
        ticket: standing(None, 0),
    };
    // Of the quarter, too little may be told.
    let quarter = Period::Quarter(Month(march().0 - 2));
    let periods = vec![(Period::Month(march()), Some(benchmark)), (quarter, None)];
    let value = golden("benchmarks-2018-03.value");
    let mut written = Vec::new();
    encode_benchmarks(march(), &periods, &mut written).unwrap();
    assert_eq!(written, value);
    let read = BenchmarkRecord::parse(march(), &value).unwrap();
    assert_eq!(read, BenchmarkRecord { periods });
}

#[test]
fn exact_benchmarks_are_these_bytes() {
    let standing = |own, twice_median, twice_below| Standing::Exact {
        own,
        twice_median,
        twice_below,
    };
    let benchmark = Benchmark {
        others: 3,
        net_sales: standing(600, 1_000, 4),
        sales_count: standing(2, 2, 5),
        ticket: standing(-1, 0, 0),
    };
    // Of the quarter, nobody is beside it.
    let quarter = Period::Quarter(Month(march().0 - 2));
    let periods = vec![(Period::Month(march()), Some(benchmark)), (quarter, None)];
    let value = golden("benchmarks-exact-2018-03.value");
    let mut written = Vec::new();
    encode_benchmarks(march(), &periods, &mut written).unwrap();
    assert_eq!(written, value);
    let read = BenchmarkRecord::parse(march(), &value).unwrap();
    assert_eq!(read, BenchmarkRecord { periods });
}

#[test]
fn a_spend_share_is_these_bytes() {
    let share = SpendShare {
        own: 12_345,
        cell: 50_000,
    };
    let value = golden("spend_shares-2018-03.value");
    let mut written = Vec::new();
    share.encode(&mut written);
    assert_eq!(written, value);
    assert_eq!(SpendShare::parse(&value).unwrap(), share);
}

fn settlements() -> SettlementMonth {
    let stated = |count, sum| Stated { count, sum };
    let paid_out = Settled {
        rows: stated(2, 3_000),
        fees: stated(2, 45),
        deposits: stated(1, 1_180),
    };
    let taken_back = Settled {
        rows: stated(1, -500),
        fees: stated(1, -8),
        deposits: stated(0, 0),
    };
    SettlementMonth {
        days: vec![
            (days(7, 7).first, paid_out),
            (days(12, 12).first, taken_back),
        ],
        undated: Settled {
            rows: stated(3, 700),
            ..Settled::default()
        },
        points: stated(1, 300),
    }
}

#[test]
fn settlements_are_these_bytes() {
    let value = golden("settlements-2018-03.value");
    let mut written = Vec::new();
    settlements().encode(&mut written).unwrap();
    assert_eq!(written, value);
    assert_eq!(SettlementMonth::parse(&value).unwrap(), settlements());
}

#[test]
fn a_summary_of_settlements_is_these_bytes() {
    let without_days = SettlementTotals {
        month: Month(march().0 - 2),
        dated: None,
        undated: Stated { count: 4, sum: 900 },
    };
    let summary = SettlementSummary {
        months: vec![without_days, settlements().totals(march())],
    };
    let value = golden("settlements-current.value");
    let mut written = Vec::new();
    summary.encode(&mut written).unwrap();
    assert_eq!(written, value);
    assert_eq!(SettlementSummary::parse(&value).unwrap(), summary);
}

#[test]
fn demographics_are_these_bytes() {
    let merged = DemographicCell {
        labels: [Label::Merged; 3],
        count: 20,
        sum: -300,
        cards: 10,
    };
    let told = DemographicCell {
        labels: [Label::Text(&b"30s"[..]), Label::Text(b"f"), Label::Unknown],
        count: 300,
        sum: 90_000,
        cards: 14,
    };
    let cells = vec![merged, told];
    let value = golden("demographics-2018-03.value");
    let mut written = Vec::new();
    encode_demographics(&cells, &mut written);
    assert_eq!(written, value);
    let read = DemographicsRecord::parse(&value).unwrap();
    assert_eq!(read, DemographicsRecord { cells });
}

#[test]
fn demographics_of_a_place_are_these_bytes() {
    let [unknown, female] = [Label::Unknown, Label::Text(&b"f"[..])];
    let cell = |labels, count| PlaceCell { labels, count };
    let place = PlaceDemographics {
        count: 1_000,
        cells: vec![
            cell([Label::Merged; 3], 350),
            cell([unknown, female, unknown], 400),
            cell([Label::Text(b"30s"), female, unknown], 250),
        ],
    };
    let value = golden("place_demographics-2018-03.value");
    let mut written = Vec::new();
    place.encode(&mut written);
    assert_eq!(written, value);
    assert_eq!(PlaceDemographics::parse(&value).unwrap(), place);
}

fn atoms() -> AtomMonth {
    let one = AtomGroup {
        days: days(1, 3),
        atoms: 1,
        cards: Some(12),
        count: 15,
        sum: 4_500,
    };
    let two = AtomGroup {
        days: days(1, 31),
        atoms: 2,
        cards: None,
        count: 60,
        sum: -1,
    };
    let run = |distance, count| Run { distance, count };
    AtomMonth {
        groups: vec![one, two],
        cards: vec![
            AtomCards {
                day: days(3, 3).last,
                first_ever: 12,
                returning: vec![],
            },
            AtomCards {
                day: days(31, 31).last,
                first_ever: 20,
                returning: vec![run(1, 1), run(3, 5)],
            },
        ],
    }
}

#[test]
fn mixes_of_a_place_are_these_bytes() {
    let cell = |count, largest, second, merchants| PatternCell {
        count,
        largest,
        second,
        merchants,
    };
    let companies = PlaceMix {
        values: [
            (MixValue::Text(b"amber".to_vec()), cell(12, 5, 3, 6)),
            (MixValue::Unknown, cell(3, 2, 1, 2)),
        ]
        .into(),
        others: cell(5, 3, 1, 3),
    };
    let points = PlaceMix {
        values: [(MixValue::Flag(true), cell(20, 9, 5, 6))].into(),
        others: PatternCell::default(),
    };
    let mixes = PlaceMixes {
        all: cell(20, 9, 5, 6),
        dimensions: [
            (Dimension::CardCompany, companies),
            (Dimension::PointsUsed, points),
        ]
        .into(),
    };
    let value = golden("place_mixes-2018-03.value");
    let mut written = Vec::new();
    mixes.encode(&mut written).unwrap();
    assert_eq!(written, value);
    assert_eq!(PlaceMixes::parse(&value).unwrap(), mixes);
}

#[test]
fn atoms_are_these_bytes() {
    let value = golden("atoms-2018-03.value");
    let mut written = Vec::new();
    atoms().encode(march(), &mut written).unwrap();
    assert_eq!(written, value);
    assert_eq!(AtomMonth::parse(march(), &value).unwrap(), atoms());
}

#[test]
fn a_summary_of_atoms_is_these_bytes() {
    let summary = AtomSummary {
        profile: StoreProfile {
            region: Some("leeds".into()),
            ..StoreProfile::default()
        },
        months: vec![atoms().totals(march())],
    };
    let totals = &summary.months[0];
    assert_eq!((totals.count, totals.sum, totals.cards), (75, 4_499, 38));
    let value = golden("atoms-current.value");
    let mut written = Vec::new();
    summary.encode(&mut written).unwrap();
    assert_eq!(written, value);
    assert_eq!(AtomSummary::parse(&value).unwrap(), summary);
}

#[test]
fn a_leaf_is_these_bytes() {
    let atom = |days, cards, count, sum| LeafAtom {
        days,
        cards,
        count,
        sum,
    };
    let leaf = LeafRecord {
        stores: vec![b"a".to_vec(), b"bc".to_vec()],
        atoms: vec![
            atom(days(1, 3), 12, 15, 4_500),
            atom(days(4, 4), 10, 10, -5),
        ],
    };
    let value = golden("leaves-2018-03.value");
    let mut written = Vec::new();
    leaf.encode(march(), &mut written).unwrap();
    assert_eq!(written, value);
    assert_eq!(LeafRecord::parse(march(), &value).unwrap(), leaf);
}
