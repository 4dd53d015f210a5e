//! Who of the market's cards buys again: second days with a sale, and in each month those who bought before it.

use nightshard_format::{calendar::Day, record::Run};

use super::{card_days::DayDistance, card_partition::SparseCounts};

/// Cards counted by day and distance.
#[derive(Debug, Default)]
pub(super) struct BuysAgain {
    /// Second days with a sale, by days since the first.
    second: SparseCounts,
    /// First days with a sale in a month after that of the first sale, by months since.
    cohorts: SparseCounts,
}

impl BuysAgain {
    /// Counts all days on which a card has a sale, in order.
    pub(super) fn count(&mut self, mut days: impl Iterator<Item = i32>) {
        let Some(first) = days.next() else {
            return;
        };
        let first_month = Day(first).month();
        let mut last_of_month = first_month.days().last;
        for (number, day) in days.enumerate() {
            if number == 0 {
                add(&mut self.second, day, (day - first).unsigned_abs());
            }
            if day > last_of_month.0 {
                let month = Day(day).month();
                last_of_month = month.days().last;
                let since = (month.0 - first_month.0).unsigned_abs();
                add(&mut self.cohorts, day, since);
            }
        }
    }

    /// Adds what another worker counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.second.merge(&other.second);
        self.cohorts.merge(&other.cohorts);
    }

    /// Returns the second sales and the cohorts of a day, after [`BuysAgain::merge`].
    pub(super) fn on(&self, day: i32) -> [Vec<Run>; 2] {
        [&self.second, &self.cohorts].map(|counts| {
            let [first, last] = [0, u32::from(u16::MAX)].map(|distance| counter(day, distance));
            let runs = counts.within(first, last).map(|(counter, count)| Run {
                distance: u32::try_from(counter - first).unwrap_or(0),
                count: u64::try_from(count).unwrap_or(0),
            });
            runs.collect()
        })
    }
}

fn add(counts: &mut SparseCounts, day: i32, distance: u32) {
    counts.add(counter(day, distance), 1);
}

fn counter(day: i32, distance: u32) -> usize {
    DayDistance::new(day, distance).bits() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distances and counts.
    type Runs = &'static [(u32, u64)];

    #[test]
    fn second_sales_and_cohorts_are_those_of_each_card() {
        let day = |text: &str| text.parse::<Day>().unwrap().0;
        let cards = [
            vec![
                "2018-01-30",
                "2018-01-31",
                "2018-03-01",
                "2018-03-02",
                "2018-04-05",
            ],
            vec!["2018-02-01", "2018-03-01"],
            vec!["2018-01-02", "2018-03-01"],
            vec!["2018-03-01"],
            vec![],
        ];
        let mut again = BuysAgain::default();
        for card in &cards {
            let mut of_worker = BuysAgain::default();
            of_worker.count(card.iter().map(|text| day(text)));
            again.merge(&of_worker);
        }
        let expected: [(&str, Runs, Runs); 5] = [
            ("2018-01-30", &[], &[]),
            ("2018-01-31", &[(1, 1)], &[]),
            ("2018-03-01", &[(28, 1), (58, 1)], &[(1, 1), (2, 2)]),
            ("2018-03-02", &[], &[]),
            ("2018-04-05", &[], &[(3, 1)]),
        ];
        for (text, second, cohorts) in expected {
            let runs = |runs: &[(u32, u64)]| {
                let runs = runs.iter().map(|(distance, count)| Run {
                    distance: *distance,
                    count: *count,
                });
                runs.collect::<Vec<_>>()
            };
            let expected = [runs(second), runs(cohorts)];
            assert_eq!(again.on(day(text)), expected, "{text}");
        }
    }
}
