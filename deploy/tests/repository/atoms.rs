//! Atoms that contradict one another.

use nightshard_format::{
    calendar::Month,
    record::{
        ATOMS, AtomCards, AtomGroup, AtomMonth, AtomSummary, Dimension, LEAVES, LeafAtom,
        LeafRecord, MARKET_ALL, MARKETS, MixValue, PATTERNS, PLACE_MIXES, PatternCell, PlaceMix,
        PlaceMixes, PlacePattern, REGIONS, Run, atoms_key, encode_month_stores, leaf_key,
    },
    shard::Span,
};

use crate::support::{Bench, Tables};

/// What a place has in January, and again in February of the same cards.
struct Place {
    dataset: &'static str,
    key: &'static [u8],
    atoms: u64,
    count: u64,
    cards: u64,
}

/// A market whose atoms are those of two regions, which some cards are in both of.
fn places() -> [Place; 3] {
    let place = |dataset, key, atoms, count, cards| Place {
        dataset,
        key,
        atoms,
        count,
        cards,
    };
    [
        place(MARKETS, MARKET_ALL, 2, 60, 20),
        place(REGIONS, b"leeds", 1, 40, 14),
        place(REGIONS, b"york", 1, 20, 11),
    ]
}

fn month(number: u32) -> Month {
    Month::new(2018, number).unwrap()
}

impl Place {
    fn atoms_of(&self, month: Month) -> AtomMonth {
        let days = month.days();
        let is_first = month.number() == 1;
        let again = Run {
            distance: 1,
            count: self.cards,
        };
        AtomMonth {
            groups: vec![AtomGroup {
                days,
                atoms: self.atoms,
                cards: (self.atoms == 1).then_some(self.cards),
                count: self.count,
                sum: 1_000,
            }],
            cards: vec![AtomCards {
                day: days.last,
                first_ever: if is_first { self.cards } else { 0 },
                returning: if is_first { vec![] } else { vec![again] },
            }],
        }
    }

    fn put(&self, tables: &mut Tables) {
        let key = atoms_key(self.dataset, self.key);
        let mut summary = AtomSummary::default();
        for month in [1, 2].map(month) {
            let atoms = self.atoms_of(month);
            summary.months.push(atoms.totals(month));
            let mut value = Vec::new();
            atoms.encode(month, &mut value).unwrap();
            let table = tables.entry((ATOMS, Span::Month(month))).or_default();
            table.insert(key.clone(), value);
        }
        put_summary(tables, &key, &summary);
    }
}

fn put_summary(tables: &mut Tables, key: &[u8], summary: &AtomSummary) {
    let mut value = Vec::new();
    summary.encode(&mut value).unwrap();
    let table = tables.entry((ATOMS, Span::Current)).or_default();
    table.insert(key.to_vec(), value);
}

/// Writes the right atoms, and then york's summary as `forge` makes it.
fn put_with_york(tables: &mut Tables, forge: fn(&mut AtomSummary)) {
    places().iter().for_each(|place| place.put(tables));
    let key = atoms_key(REGIONS, "york");
    let value = &tables[&(ATOMS, Span::Current)][&key];
    let mut summary = AtomSummary::parse(value).unwrap();
    forge(&mut summary);
    put_summary(tables, &key, &summary);
}

/// Writes atoms of which those of leeds are as `forge` makes them, with a summary that fits.
fn put_with_leeds(tables: &mut Tables, forge: fn(&mut Place)) {
    let mut places = places();
    forge(&mut places[1]);
    places.iter().for_each(|place| place.put(tables));
}

/// Writes other cards in January than those of the single atom of leeds.
fn put_cards_of_leeds(tables: &mut Tables, cards: u64) {
    let [_, leeds, _] = places();
    let key = atoms_key(REGIONS, leeds.key);
    let mut summary = AtomSummary::parse(&tables[&(ATOMS, Span::Current)][&key]).unwrap();
    let mut atoms = leeds.atoms_of(month(1));
    atoms.cards[0].first_ever = cards;
    summary.months[0] = atoms.totals(month(1));
    let mut value = Vec::new();
    atoms.encode(month(1), &mut value).unwrap();
    let months = tables.get_mut(&(ATOMS, Span::Month(month(1)))).unwrap();
    months.insert(key.clone(), value);
    put_summary(tables, &key, &summary);
}

/// Writes a leaf that has all that is told of February, which has so many rows.
fn put_leaves(tables: &mut Tables, count: u64) {
    let leaf = LeafRecord {
        stores: vec![b"a".to_vec()],
        atoms: vec![LeafAtom {
            days: month(2).days(),
            cards: 20,
            count,
            sum: 1_000,
        }],
    };
    let mut value = Vec::new();
    leaf.encode(month(2), &mut value).unwrap();
    let table = tables.entry((LEAVES, Span::Month(month(2)))).or_default();
    table.insert(leaf_key(Some("leeds"), None), value);
}

/// Writes when york was visited in a month.
fn put_pattern(tables: &mut Tables, number: u32) {
    let mut pattern = PlacePattern::default();
    pattern.hours[12] = PatternCell::of([11, 9]);
    pattern.weekdays[0] = pattern.hours[12];
    let mut value = Vec::new();
    pattern.encode(&mut value).unwrap();
    let table = tables.entry((PATTERNS, Span::Month(month(number))));
    table.or_default().insert(atoms_key(REGIONS, "york"), value);
}

/// Writes how so many rows of york were paid in a month, and of how many places that is said to be known.
fn put_mixes(tables: &mut Tables, number: u32, count: u64, places: u64) {
    let all = PatternCell::of([count]);
    let mix = PlaceMix {
        values: [(MixValue::Flag(true), all)].into(),
        others: PatternCell::default(),
    };
    let mixes = PlaceMixes {
        all,
        dimensions: [(Dimension::PointsUsed, mix)].into(),
    };
    let mut value = Vec::new();
    mixes.encode(&mut value).unwrap();
    let table = tables.entry((PLACE_MIXES, Span::Month(month(number))));
    table.or_default().insert(atoms_key(REGIONS, "york"), value);
    let mut value = Vec::new();
    encode_month_stores(places, &mut value);
    let current = tables.entry((PLACE_MIXES, Span::Current)).or_default();
    current.insert(month(number).to_string().into_bytes(), value);
}

/// A forgery of records, and what is to be found of it.
type Forgery = (fn(&mut Tables), &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn atoms_that_contradict_one_another_are_found() {
    let forgeries: [Forgery; 17] = [
        (|tables| put_with_york(tables, |_right| ()), ""),
        (
            |tables| put_with_york(tables, |york| york.months[1].count += 1),
            "\"regions\\0york\": its totals of 2018-02 are not the record's",
        ),
        (
            |tables| put_with_york(tables, |york| york.months[0].cards -= 1),
            "\"regions\\0york\": its totals of 2018-01 are not the record's",
        ),
        (
            |tables| {
                put_with_york(tables, |york| {
                    york.months.pop();
                });
            },
            "there are month records of which no summary knows",
        ),
        (
            |tables| {
                put_with_york(tables, |york| york.months[1].month = month(3));
            },
            "\"regions\\0york\": 2018-03 has no record",
        ),
        (
            |tables| put_with_leeds(tables, |leeds| leeds.count = 41),
            "regions of 2018-01 have more than the market has",
        ),
        (
            |tables| put_with_leeds(tables, |leeds| leeds.cards = 21),
            "regions of 2018-01 have more than the market has",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                let months = tables.get_mut(&(ATOMS, Span::Month(month(2)))).unwrap();
                let mut value = Vec::new();
                AtomMonth::default().encode(month(2), &mut value).unwrap();
                months.insert(atoms_key(REGIONS, "york"), value);
            },
            "\"regions\\0york\": 2018-02 has no atoms",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_cards_of_leeds(tables, 13);
            },
            "\"regions\\0leeds\": its cards of 2018-01 do not fit those of its atoms",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_leaves(tables, 60);
            },
            "",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_leaves(tables, 61);
            },
            "leaves of 2018-02 have together what the market has not",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_pattern(tables, 1);
            },
            "",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_pattern(tables, 3);
            },
            "\"regions\\0york\" has a pattern of 2018-03, of which nothing is told",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_mixes(tables, 1, 20, 1);
            },
            "",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_mixes(tables, 1, 21, 1);
            },
            "its mixes have more rows than its atoms",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_mixes(tables, 3, 20, 1);
            },
            "nothing is told of it",
        ),
        (
            |tables| {
                put_with_york(tables, |_right| ());
                put_mixes(tables, 1, 20, 2);
            },
            "the stores of a month are not those that it is said to have",
        ),
    ];
    for (forge, problem) in forgeries {
        let bench = Bench::new();
        let repository = bench.repository();
        let staged = bench.stage_forged(forge);
        repository.publish(&staged).await.unwrap();
        let id = &staged.manifest.id;
        let verification = repository.verify(id, |_progress| {}).await.unwrap();
        let problems = verification.damage.iter();
        let problems: Vec<&str> = problems.map(|damage| damage.problem.as_str()).collect();
        match problem {
            "" => assert!(problems.is_empty(), "{problems:?}"),
            _ => {
                assert!(
                    problems.len() == 1 && problems[0].contains(problem),
                    "{problems:?}"
                );
                assert_eq!(verification.damage[0].shard, None);
            }
        }
    }
}
