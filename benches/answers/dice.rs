//! Numbers that look random, and what is made of them.

/// Numbers that look random, the same in each run (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit).unwrap();
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap()
    }

    pub(crate) fn one_of<'a>(&mut self, all: &'a [String]) -> &'a str {
        &all[self.below(all.len())]
    }

    /// Returns a day of the five years.
    pub(crate) fn day(&mut self) -> String {
        let (year, month, day) = (self.below(5), self.below(12), self.below(28));
        format!("{}-{:02}-{:02}", 2014 + year, month + 1, day + 1)
    }

    /// Returns the parameters of any range of days.
    pub(crate) fn range(&mut self) -> String {
        let mut ends = [self.day(), self.day()];
        ends.sort_unstable();
        format!("min_date={}&max_date={}", ends[0], ends[1])
    }

    /// Returns the parameters of the days of a year.
    pub(crate) fn days_of_year(&mut self) -> String {
        let year = 2014 + self.below(5);
        format!("min_date={year}-01-01&max_date={year}-12-31")
    }

    /// Returns the parameter of a month as a period.
    pub(crate) fn month(&mut self) -> String {
        format!("period={}-{:02}", 2014 + self.below(5), self.below(12) + 1)
    }

    /// Returns the parameter of a year as a period.
    pub(crate) fn year(&mut self) -> String {
        format!("period={}", 2014 + self.below(5))
    }
}
