//! Random windows of random atoms against a list of atoms that is gone through each time.

use std::{collections::BTreeSet, sync::Arc};

use nightshard_format::calendar::{Day, DayRange, Month};
use serde_json::{Value, json};

use crate::{
    client::Client,
    fixture::{Atom, Fixture, Payment, Place, Random, Shop},
    harness::{Harness, config},
    oracle::{KINDS, label},
};

const K: u64 = 4;
const REGIONS: [&str; 2] = ["leeds", "york"];
const CATEGORIES: [&str; 3] = ["food", "fuel", "toys"];

fn cards(random: &mut Random) -> BTreeSet<u32> {
    let len = 4 + random.below(5);
    let mut cards = BTreeSet::new();
    while (cards.len() as u64) < len {
        cards.insert(random.below(60) as u32);
    }
    cards
}

fn atom(random: &mut Random, days: DayRange, (region, category): Place<'static>) -> Atom {
    let cards = cards(random);
    Atom {
        days,
        region,
        category,
        count: cards.len() as u64 + random.below(20),
        cards,
        sum: i128::from(random.between(-5_000, 50_000)),
    }
}

/// Cuts the months of a leaf into atoms as a build does: from each month's first day on, the last one up to
/// its end, or up to no later than the end of the data.
fn atoms_of(random: &mut Random, leaf: Place<'static>, data: DayRange) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for month in (data.first.month().0..=data.last.month().0).map(Month) {
        let days = month.days();
        let longest = [1, 3, 12, 31][random.below(4) as usize];
        let mut first = days.first;
        while first <= days.last && random.below(9) > 0 {
            let last = Day(first.0.max(data.first.0) + random.below(longest) as i32);
            let ends_month = last.0 + 2 > days.last.0;
            let last = if ends_month { days.last } else { last };
            if last > data.last {
                break;
            }
            atoms.push(atom(random, DayRange { first, last }, leaf));
            first = Day(last.0 + 1);
        }
    }
    atoms
}

fn all_atoms(random: &mut Random, data: DayRange) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for region in REGIONS {
        for category in CATEGORIES {
            atoms.extend(atoms_of(random, (Some(region), Some(category)), data));
        }
    }
    // What leaves are too small for is told of a region, or of the market.
    for place in [(Some("york"), None), (None, None)] {
        for month in (data.first.month().0..data.last.month().0).map(Month) {
            if random.below(3) == 0 {
                atoms.push(atom(random, month.days(), place));
            }
        }
    }
    atoms
}

/// The label of the period of a day, and the first day that it has; everything has none.
struct Labelled {
    label: String,
    first: Option<Day>,
}

/// What a request is about.
struct Asked<'a> {
    kind: &'a str,
    range: DayRange,
    data: DayRange,
    fills: bool,
}

impl Asked<'_> {
    fn label(&self, day: Day) -> String {
        match self.kind {
            "all" => format!("{}/{}", self.range.first, self.range.last),
            kind => label(day, kind),
        }
    }

    fn labelled(&self, day: Day) -> Labelled {
        let label = self.label(day);
        let mut first = day;
        while self.kind != "all" && self.label(Day(first.0 - 1)) == label {
            first = Day(first.0 - 1);
        }
        let first = (self.kind != "all").then_some(first);
        Labelled { label, first }
    }

    /// Where the window begins that has a period: what the data's beginning cuts is whole.
    fn begins(&self, period: &Labelled) -> Option<Day> {
        let reaches_back = self.range.first <= self.data.first;
        match (period.first, reaches_back) {
            (first, true) => first,
            (None, false) => Some(self.range.first),
            (Some(first), false) => Some(first.max(self.range.first)),
        }
    }

    fn has(&self, atom: &Atom) -> bool {
        let DayRange { first, last } = atom.days;
        (self.range.first <= self.data.first || self.range.first <= first)
            && (self.range.last >= self.data.last || self.range.last >= last)
            && self.label(first) == self.label(last)
    }

    fn knows_cards(&self, period: &Labelled) -> bool {
        self.begins(period)
            .is_none_or(|day| day <= self.data.first || day.to_string().ends_with("-01"))
    }

    fn is_partial(&self, label: &str) -> bool {
        let shown = self.range.intersection(self.data);
        match self.kind {
            "all" => shown != self.range,
            _ => [shown.first.0 - 1, shown.last.0 + 1]
                .iter()
                .any(|day| self.label(Day(*day)) == label),
        }
    }

    fn row(&self, period: &Labelled, atoms: &[&Atom]) -> Value {
        let count: u64 = atoms.iter().map(|atom| atom.count).sum();
        let sum: i128 = atoms.iter().map(|atom| atom.sum).sum();
        let cards: BTreeSet<u32> = atoms.iter().flat_map(|atom| atom.cards.clone()).collect();
        let cards = cards.len() as u64;
        let cards = match atoms {
            [] => None,
            [_] => Some(cards),
            _ => self.knows_cards(period).then(|| cards / K * K),
        };
        let is_told = !atoms.is_empty();
        let mean = is_told.then(|| sum as f64 / count as f64);
        let mut row = json!({
            "period": period.label, "count": is_told.then_some(count), "mean": mean,
            "sum": is_told.then_some(sum as i64), "min": null, "max": null, "std": null,
            "cards": cards, "refund_count": null, "refund_sum": null,
        });
        let names = [
            "count",
            "sum",
            "mean",
            "min",
            "max",
            "std",
            "cards",
            "refund_count",
            "refund_sum",
        ];
        let hidden = names.into_iter().filter(|name| row[*name].is_null());
        row["suppressed"] = hidden.collect();
        if self.is_partial(&period.label) {
            row["partial"] = true.into();
        }
        row
    }

    /// The days whose periods have rows: those of atoms, or all that are shown; each label once, in order.
    fn periods(&self, atoms: &[&Atom]) -> Vec<Labelled> {
        let shown = self.range.intersection(self.data);
        let of_atoms = || atoms.iter().map(|atom| atom.days.last);
        let days: BTreeSet<Day> = match self.fills {
            true => shown.iter().collect(),
            false => of_atoms().collect(),
        };
        let mut labels = BTreeSet::new();
        days.into_iter()
            .map(|day| self.labelled(day))
            .filter(|period| labels.insert(period.label.clone()))
            .collect()
    }

    fn check(&self, client: &mut Client, path: &str, atoms: &[&Atom]) {
        let shown = self.range.intersection(self.data);
        let within = |atom: &&&Atom| !shown.is_empty() && self.has(atom);
        let atoms: Vec<&Atom> = atoms.iter().filter(within).copied().collect();
        let target = format!(
            "{path}/statistics?group_by={}&min_date={}&max_date={}&fill={}",
            self.kind,
            self.range.first,
            self.range.last,
            if self.fills { "zero" } else { "none" },
        );
        let data = client.get(&target).data();
        let first = atoms.iter().map(|atom| atom.days.first).min();
        let last = atoms.iter().map(|atom| atom.days.last).max();
        let covered = first.zip(last).map(
            |(first, last)| json!({"min_date": first.to_string(), "max_date": last.to_string()}),
        );
        assert_eq!(data["covered"], json!(covered), "{target}");
        let periods = self.periods(&atoms);
        let rows = data["rows"].as_array().unwrap();
        assert_eq!(rows.len(), periods.len(), "{target}");
        for (row, period) in rows.iter().zip(&periods) {
            let is_of = |atom: &&&Atom| self.label(atom.days.last) == period.label;
            let own: Vec<&Atom> = atoms.iter().filter(is_of).copied().collect();
            let mut expected = self.row(period, &own);
            let mut row = row.clone();
            let [mean, expected_mean] =
                [&mut row, &mut expected].map(|it| it["mean"].take().as_f64());
            let error = mean.zip(expected_mean).map(|(a, b)| (a - b).abs());
            assert!(error.unwrap_or(0.0) < 1e-9, "{target}");
            assert_eq!(mean.is_some(), expected_mean.is_some(), "{target}");
            assert_eq!(row, expected, "{target}");
        }
    }
}

#[test]
fn random_windows_equal_a_sum_of_the_atoms_in_them() {
    let mut random = Random::new(20_260_801);
    let data = DayRange {
        first: "2017-10-20".parse().unwrap(),
        last: "2018-12-12".parse().unwrap(),
    };
    let mut shops = Vec::new();
    for region in REGIONS {
        for category in CATEGORIES {
            shops.push(Shop::new(
                &format!("{region}-{category}"),
                "",
                region,
                category,
            ));
        }
    }
    let payments: Vec<Payment> = (0..shops.len())
        .map(|store| Payment {
            store,
            day: if store == 0 { data.first } else { data.last },
            card: 1,
            amount: 5,
            half_hour: None,
            paid: None,
        })
        .collect();
    let atoms = all_atoms(&mut random, data);
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write_protected(data.last, &shops, &payments, &atoms, K, &[]);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let mut places: Vec<(String, Place<'_>)> = vec![("/v1/markets/all".into(), (None, None))];
    for region in REGIONS {
        places.push((format!("/v1/regions/{region}"), (Some(region), None)));
        for category in CATEGORIES {
            let path = format!("/v1/regions/{region}/categories/{category}");
            places.push((path, (Some(region), Some(category))));
        }
    }
    for category in CATEGORIES {
        places.push((format!("/v1/categories/{category}"), (None, Some(category))));
    }
    for _ in 0..3_000 {
        let (path, place) = &places[random.below(places.len() as u64) as usize];
        let own: Vec<&Atom> = atoms.iter().filter(|atom| atom.is_in(*place)).collect();
        let kind = KINDS
            .get(random.below(6) as usize)
            .copied()
            .unwrap_or("all");
        let mut first = Day(data.first.0 - 30 + random.below(460) as i32);
        if random.below(2) == 0 {
            first = first.month().first_day();
        }
        let longest = 1 << random.below(9);
        let asked = Asked {
            kind,
            range: DayRange {
                first,
                last: Day(first.0 + random.below(longest) as i32),
            },
            data,
            fills: random.below(4) == 0,
        };
        asked.check(&mut client, path, &own);
    }
}
