//! A calendar that counts days one after the other, and shares nothing with the product's.

/// A day and the names of the periods that it lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Date {
    /// `2018-03-05`
    pub(crate) day: String,
    /// `2018-W10`
    pub(crate) week: String,
    /// `2018-03`
    pub(crate) month: String,
    /// `2018-Q1`
    pub(crate) quarter: String,
    /// `2018`
    pub(crate) year: String,
}

impl Date {
    /// Returns the name of the period of one kind, as the statistics are grouped by.
    pub(crate) fn label(&self, group_by: &str) -> &str {
        match group_by {
            "day" => &self.day,
            "week" => &self.week,
            "month" => &self.month,
            "quarter" => &self.quarter,
            "year" => &self.year,
            _ => panic!("no label by {group_by}"),
        }
    }
}

/// Returns every date from 2 January 2006 to the end of 2025, in order.
pub(crate) fn dates() -> Vec<Date> {
    let mut dates = Vec::new();
    let (mut week_year, mut week) = (2006, 1);
    // 2 January 2006 is a Monday, and the first day of a week-year.
    let mut weekday = 0;
    for year in 2006..=2025 {
        for (month, len) in (1..).zip(month_lengths(year)) {
            for day in 1..=len {
                if (year, month, day) == (2006, 1, 1) {
                    continue;
                }
                if weekday == 0 && !dates.is_empty() {
                    // A week belongs to the year of its Thursday: the first one has 4 January.
                    let is_first = (month == 12 && day >= 29) || (month == 1 && day <= 4);
                    if is_first {
                        week_year = if month == 12 { year + 1 } else { year };
                        week = 1;
                    } else {
                        week += 1;
                    }
                }
                weekday = (weekday + 1) % 7;
                dates.push(Date {
                    day: format!("{year}-{month:02}-{day:02}"),
                    week: format!("{week_year}-W{week:02}"),
                    month: format!("{year}-{month:02}"),
                    quarter: format!("{year}-Q{}", (month + 2) / 3),
                    year: format!("{year}"),
                });
            }
        }
    }
    dates
}

fn month_lengths(year: u32) -> [u32; 12] {
    let february = if year.is_multiple_of(4) { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}
