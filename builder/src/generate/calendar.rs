//! When payments happen: how many on each day, at which second, in which category.
//!
//! Rows are numbered in the order of time. The calendar says for any number, alone, which day
//! and second it falls on; so every part of a file can be generated without the parts before it.

use jiff::civil::{Date, Weekday};

use super::{
    categories::CATEGORIES,
    error::{Error, Result},
    random::{AliasTable, Rng, Stream},
};

/// Longest period: 100 years.
const DAYS_MAX: i32 = 36_525;
/// Sum that a day's hour weights are scaled to, so that products with 32 bits fit in 64.
const HOURS_TOTAL: u128 = 1 << 31;
/// Growth of the number of payments per 365 days, in thousandths.
const GROWTH_PERMILLE: u64 = 60;

/// One day of the period.
pub(super) struct Day {
    pub(super) date: Date,
    /// `YYYY-MM-DD`.
    pub(super) text: [u8; 10],
    /// 0 is Monday.
    pub(super) weekday: u8,
    /// Number of its first row.
    pub(super) first_row: u64,
    pub(super) rows: u64,
    /// Index of its [`Profile`].
    profile: usize,
}

/// The hours and categories of one weekday in one month of the year.
struct Profile {
    /// Payments before each hour of the clock, out of about [`HOURS_TOTAL`].
    before_hour: [u64; 25],
    /// For each hour, who sells.
    categories: Vec<AliasTable>,
    /// For each category, its share of the day in thousandths of a thousandth.
    shares_e6: [u64; CATEGORIES.len()],
    /// Payments of such a day, relative to other profiles.
    total: u64,
}

/// The days of a plan and their rows.
pub(super) struct Calendar {
    days: Vec<Day>,
    profiles: Vec<Profile>,
}

/// A point in time within the period.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// Days since the first one.
    pub(super) day: usize,
    /// Seconds since local midnight.
    pub(super) second: u32,
}

impl Moment {
    pub(super) fn hour(self) -> usize {
        (self.second / 3600) as usize
    }
}

impl Calendar {
    /// `categories`: how many of [`CATEGORIES`] have stores.
    pub(super) fn new(
        from: Date,
        to: Date,
        transactions: u64,
        categories: usize,
        seed: u64,
    ) -> Result<Self> {
        check(from, to)?;
        let profiles: Vec<Profile> = (0..7 * 12)
            .map(|index| Profile::new(index / 12, index % 12, categories))
            .collect();
        let mut days: Vec<Day> = from
            .series(jiff::Span::new().days(1))
            .take_while(|&date| date <= to)
            .map(Day::new)
            .collect();
        allot(&mut days, &profiles, transactions, seed);
        if days.iter().any(|day| day.rows > u64::from(u32::MAX)) {
            return Err(Error::option(
                "transactions",
                "is more than 4,294,967,295 a day",
            ));
        }
        Ok(Self { days, profiles })
    }

    pub(super) fn days(&self) -> &[Day] {
        &self.days
    }

    /// The day on which `row` falls, looked for near `hint` first.
    pub(super) fn day_of(&self, row: u64, hint: usize) -> usize {
        match self.days.get(hint) {
            Some(day) if (day.first_row..day.first_row + day.rows).contains(&row) => hint,
            _ => self
                .days
                .partition_point(|day| day.first_row <= row)
                .saturating_sub(1),
        }
    }

    /// When `row`, a row of `day`, happens. Never decreases with the row, whatever `bits` say.
    pub(super) fn moment(&self, row: u64, day: usize, bits: u64) -> Moment {
        let Day {
            first_row,
            rows,
            profile,
            ..
        } = self.days[day];
        let before = &self.profiles[profile].before_hour;
        let position = (((row - first_row) << 32) + (bits >> 32)) / rows;
        let place = (position * before[24]) >> 32;
        let hour = (1..24).take_while(|&hour| before[hour] <= place).count();
        let weight = before[hour + 1] - before[hour];
        let second = (place - before[hour]) * 3600 / weight.max(1);
        Moment {
            day,
            second: u32::try_from(hour as u64 * 3600 + second).unwrap_or(86_399),
        }
    }

    /// Draws the category of a payment at `moment`.
    pub(super) fn category(&self, moment: Moment, bits: u64) -> usize {
        self.profiles[self.days[moment.day].profile].categories[moment.hour()].pick(bits)
    }

    /// A category's share of a day's payments, in millionths.
    pub(super) fn category_share_e6(&self, day: usize, category: usize) -> u64 {
        self.profiles[self.days[day].profile].shares_e6[category]
    }
}

fn check(from: Date, to: Date) -> Result<()> {
    if to < from {
        return Err(Error::option("to", format!("{to} is before --from {from}")));
    }
    if from.year() < 1 {
        return Err(Error::option(
            "from",
            format!("{from} is before the year 1"),
        ));
    }
    let days = from.until(to).map_or(i32::MAX, |span| span.get_days());
    if days >= DAYS_MAX {
        return Err(Error::option(
            "to",
            format!("{to} is more than 100 years after {from}"),
        ));
    }
    Ok(())
}

/// Divides the rows among the days, in proportion to their weights, exactly.
fn allot(days: &mut [Day], profiles: &[Profile], transactions: u64, seed: u64) {
    let weights: Vec<u128> = (0..)
        .zip(&*days)
        .map(|(index, day)| {
            let growth = 1000 + GROWTH_PERMILLE * index / 365;
            let weather = 960 + u64::from(Rng::new(seed, Stream::Day, index).below(81));
            u128::from(profiles[day.profile].total >> 8)
                * u128::from(growth * weather * special(day.date))
        })
        .collect();
    let total = weights.iter().sum::<u128>().max(1);
    let (mut weight_before, mut first_row) = (0, 0);
    for (day, weight) in days.iter_mut().zip(weights) {
        weight_before += weight;
        let next = u128::from(transactions) * weight_before / total;
        let next = u64::try_from(next).unwrap_or(transactions);
        (day.first_row, day.rows) = (first_row, next - first_row);
        first_row = next;
    }
}

/// Weight in percent of days that differ from others like them: holidays and pay days.
fn special(date: Date) -> u64 {
    match (date.month(), date.day()) {
        (1, 1) => 60,
        (2, 14) => 112,
        (12, 24) => 130,
        (12, 25) => 115,
        (_, 25) => 108,
        _ => 100,
    }
}

impl Day {
    fn new(date: Date) -> Self {
        let mut text = *b"0000-00-00";
        text.copy_from_slice(&date.to_string().as_bytes()[..10]);
        let weekday = date.weekday();
        let month_index = usize::from(date.month().unsigned_abs() - 1);
        let weekday_index = match weekday {
            Weekday::Monday => 0_u8,
            Weekday::Tuesday => 1,
            Weekday::Wednesday => 2,
            Weekday::Thursday => 3,
            Weekday::Friday => 4,
            Weekday::Saturday => 5,
            Weekday::Sunday => 6,
        };
        let profile = usize::from(weekday_index) * 12 + month_index;
        Self {
            date,
            text,
            weekday: weekday_index,
            first_row: 0,
            rows: 0,
            profile,
        }
    }
}

impl Profile {
    fn new(weekday: usize, month: usize, categories: usize) -> Self {
        let open = &CATEGORIES[..categories];
        let mut hours = [0_u64; 24];
        let mut by_category = [0_u64; CATEGORIES.len()];
        let mut tables = Vec::with_capacity(24);
        for (hour, hour_weight) in hours.iter_mut().enumerate() {
            let weights: Vec<u64> = open
                .iter()
                .map(|category| {
                    // Hours are normalised, so that opening longer does not mean selling more.
                    let day: u64 = category.hours.iter().map(|&weight| u64::from(weight)).sum();
                    let profile = u64::from(category.hours[hour]) * 1000 / day;
                    u64::from(category.share)
                        * profile
                        * u64::from(category.weekdays[weekday])
                        * u64::from(category.months[month])
                })
                .collect();
            *hour_weight = weights.iter().sum();
            by_category
                .iter_mut()
                .zip(&weights)
                .for_each(|(sum, weight)| *sum += weight);
            tables.push(AliasTable::new(&weights));
        }
        let total = hours.iter().sum::<u64>().max(1);
        let mut before_hour = [0; 25];
        for (hour, weight) in hours.into_iter().enumerate() {
            let scaled = u128::from(weight) * HOURS_TOTAL / u128::from(total);
            before_hour[hour + 1] = before_hour[hour] + u64::try_from(scaled).unwrap_or(0);
        }
        let shares_e6 = by_category.map(|weight| weight * 1_000_000 / total);
        Self {
            before_hour,
            categories: tables,
            shares_e6,
            total,
        }
    }
}
