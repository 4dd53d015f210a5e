//! Dates and times: text to local days and seconds.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use crate::layout::{Layout, TimePrecision};
use crate::row_outcome::Reason;

const SECONDS_A_DAY: i64 = 86_400;

/// A local date with the time of day where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Days since 1970-01-01.
    pub(crate) day: i32,
    /// Seconds since midnight.
    pub(crate) second: Option<u32>,
    /// Seconds since 1970 in UTC, where the text has an offset.
    pub(crate) utc: Option<i64>,
}

/// What a text says, before a zone is applied.
#[derive(Clone, Copy)]
struct Written {
    day: i32,
    second: Option<u32>,
    /// Seconds east of UTC.
    offset: Option<i32>,
}

/// Reads the times of one layout.
pub(crate) struct TimeReader {
    date_formats: Vec<String>,
    time_formats: Vec<String>,
    zone: Option<TimeZone>,
    precision: TimePrecision,
    /// The last text that went through a format: rows of one day tend to stand together.
    last: (Vec<u8>, Moment),
    /// The last date of ISO 8601 and its day, for the same reason.
    last_date: (DateText, i32),
}

impl TimeReader {
    pub(crate) fn new(layout: &Layout) -> Self {
        let formats = |column: Option<&crate::layout::Column>| {
            column
                .map(|column| column.formats.clone())
                .unwrap_or_default()
        };
        let definition = layout.definition();
        Self {
            date_formats: formats(layout.date()),
            time_formats: formats(definition.time.as_ref()),
            zone: layout.zone().cloned(),
            precision: definition.time_precision,
            last: (
                Vec::new(),
                Moment {
                    day: 0,
                    second: None,
                    utc: None,
                },
            ),
            last_date: (date_text(b"1970-01-01"), 0),
        }
    }

    /// Reads a date with or without time.
    ///
    /// # Errors
    /// [`Reason::ImpossibleDate`], [`Reason::DateOutOfRange`], [`Reason::OffsetWithoutZone`].
    #[inline(always)]
    pub(crate) fn moment(&mut self, text: &[u8]) -> Result<Moment, Reason> {
        if !self.date_formats.is_empty() {
            return self.formatted(text);
        }
        let Some((date, time)) = text.split_first_chunk() else {
            return Err(Reason::ImpossibleDate);
        };
        let as_numbers = date_text(date);
        if self.last_date.0 != as_numbers {
            self.last_date = (as_numbers, iso_date(date)?);
        }
        let written = Written::of(self.last_date.1, time)?;
        self.localised(written)
    }

    /// Reads a time of day that stands in a column of its own.
    ///
    /// # Errors
    /// [`Reason::ImpossibleDate`].
    pub(crate) fn second_of_day(&self, text: &[u8]) -> Result<Option<u32>, Reason> {
        if self.precision == TimePrecision::Date || text.is_empty() {
            return Ok(None);
        }
        let iso = || {
            self.time_formats
                .is_empty()
                .then(|| iso_time(text))
                .flatten()
        };
        let by_format = |format: &String| {
            let time = BrokenDownTime::parse(format, text).ok()?.to_time().ok()?;
            Some(second_of(time))
        };
        let second = iso().or_else(|| self.time_formats.iter().find_map(by_format));
        second.map(Some).ok_or(Reason::ImpossibleDate)
    }

    #[inline(never)]
    fn formatted(&mut self, text: &[u8]) -> Result<Moment, Reason> {
        if self.last.0 == text {
            return Ok(self.last.1);
        }
        let moment = self.localised(self.by_formats(text)?)?;
        self.last.0.clear();
        self.last.0.extend_from_slice(text);
        self.last.1 = moment;
        Ok(moment)
    }

    /// Reads a text by the first format that fits; one that gives a date out of range does not, as
    /// `%Y` reads the year 18 where two digits were meant.
    fn by_formats(&self, text: &[u8]) -> Result<Written, Reason> {
        let mut reason = Reason::ImpossibleDate;
        for format in &self.date_formats {
            match by_format(format, text) {
                Some(Ok(written)) => return Ok(written),
                Some(Err(telling)) => reason = telling,
                None => {}
            }
        }
        Err(reason)
    }

    #[inline(always)]
    fn localised(&self, written: Written) -> Result<Moment, Reason> {
        let Written {
            day,
            mut second,
            offset,
        } = written;
        if self.precision == TimePrecision::Date {
            second = None;
        } else if let (Some(offset), Some(known)) = (offset, second) {
            let zone = self.zone.as_ref().ok_or(Reason::OffsetWithoutZone)?;
            let utc = i64::from(day) * SECONDS_A_DAY + i64::from(known) - i64::from(offset);
            return Moment::in_zone(utc, zone).ok_or(Reason::DateOutOfRange);
        }
        let utc = None;
        Ok(Moment { day, second, utc })
    }
}

impl Moment {
    /// Returns the local time of a zone at so many seconds since 1970, or `None` outside all years
    /// that have four digits.
    #[inline(never)]
    pub(crate) fn in_zone(utc: i64, zone: &TimeZone) -> Option<Self> {
        let timestamp = Timestamp::from_second(utc).ok()?;
        let local = utc + i64::from(zone.to_offset(timestamp).seconds());
        Some(Self {
            day: i32::try_from(local.div_euclid(SECONDS_A_DAY)).ok()?,
            second: u32::try_from(local.rem_euclid(SECONDS_A_DAY)).ok(),
            utc: Some(utc),
        })
    }
}

/// `None` when the text is not of this format.
fn by_format(format: &str, text: &[u8]) -> Option<Result<Written, Reason>> {
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    if let Some(timestamp) = parsed.timestamp() {
        return Some(at_timestamp(timestamp));
    }
    let date = parsed.to_date().ok()?;
    let unsigned = |part: i8| u32::from(part.unsigned_abs());
    let year = u32::try_from(date.year()).ok()?;
    let day = day_number(year, unsigned(date.month()), unsigned(date.day()));
    let second = match parsed.hour() {
        Some(_) => Some(second_of(parsed.to_time().ok()?)),
        None => None,
    };
    let offset = parsed.offset().map(|offset| offset.seconds());
    Some(day.map(|day| Written {
        day,
        second,
        offset,
    }))
}

/// What seconds since 1970 say: a time in UTC.
fn at_timestamp(timestamp: Timestamp) -> Result<Written, Reason> {
    let seconds = timestamp.as_second();
    let day = i32::try_from(seconds.div_euclid(SECONDS_A_DAY)).ok();
    let day = day.filter(|day| (MONTH_STARTS[0]..MONTH_STARTS[MONTHS]).contains(day));
    Ok(Written {
        day: day.ok_or(Reason::DateOutOfRange)?,
        second: u32::try_from(seconds.rem_euclid(SECONDS_A_DAY)).ok(),
        offset: Some(0),
    })
}

fn second_of(time: Time) -> u32 {
    let [hour, minute, second] =
        [time.hour(), time.minute(), time.second()].map(|part| u32::from(part.unsigned_abs()));
    hour * 3600 + minute * 60 + second
}

/// The text of a date as numbers, which are compared at once.
type DateText = (u64, u16);

#[inline(always)]
fn date_text(date: &[u8; DATE_LEN]) -> DateText {
    let [start @ .., d1, d2] = date;
    (u64::from_le_bytes(*start), u16::from_le_bytes([*d1, *d2]))
}

/// Length of an ISO 8601 date.
pub(crate) const DATE_LEN: usize = 10;

/// Whether a text is a date or time of ISO 8601.
pub(crate) fn is_iso(text: &[u8]) -> bool {
    iso(text).is_ok()
}

/// Returns the day that a text of ISO 8601 says, whatever time of day stands behind it.
pub(crate) fn iso_day(text: &[u8]) -> Option<i32> {
    iso(text).ok().map(|written| written.day)
}

/// Returns the day, and the second of it where there is one, that a local time of ISO 8601 says:
/// `None` for one with an offset, too.
pub(crate) fn iso_local(text: &[u8]) -> Option<(i32, Option<u32>)> {
    let written = iso(text).ok().filter(|it| it.offset.is_none())?;
    Some((written.day, written.second))
}

/// Reads ISO 8601: a date, or a date and a time of day with an optional offset.
#[inline(always)]
fn iso(text: &[u8]) -> Result<Written, Reason> {
    let Some((date, time)) = text.split_first_chunk() else {
        return Err(Reason::ImpossibleDate);
    };
    Written::of(iso_date(date)?, time)
}

impl Written {
    /// Reads what stands behind a date.
    #[inline(always)]
    fn of(day: i32, time: &[u8]) -> Result<Self, Reason> {
        let (second, offset) = match time {
            [] => {
                return Ok(Self {
                    day,
                    second: None,
                    offset: None,
                });
            }
            [b'T' | b't' | b' ', time @ ..] => match time.as_array() {
                Some(time) => (iso_clock(time), None),
                None => iso_time_and_offset(time)?,
            },
            _ => return Err(Reason::ImpossibleDate),
        };
        let second = Some(second.ok_or(Reason::ImpossibleDate)?);
        Ok(Self {
            day,
            second,
            offset,
        })
    }
}

/// Reads `HH:MM:SS`, all digits together.
#[inline(always)]
fn iso_clock(text: &[u8; 8]) -> Option<u32> {
    // What is to be added to a digit so that what is none shows in its high half, and where all
    // bits show what is no colon.
    const CARRY: u64 = u64::from_le_bytes([6, 6, 0, 6, 6, 0, 6, 6]);
    const WRONG: u64 = u64::from_le_bytes([0xf0, 0xf0, 0xff, 0xf0, 0xf0, 0xff, 0xf0, 0xf0]);
    let digits = u64::from_le_bytes(*text) ^ u64::from_le_bytes(*b"00:00:00");
    if (digits.wrapping_add(CARRY) | digits) & WRONG != 0 {
        return None;
    }
    let numbers = (digits * 10 + (digits >> 8)).to_le_bytes();
    time_of_day([numbers[0], numbers[3], numbers[6]].map(u32::from))
}

#[inline(never)]
fn iso_date(text: &[u8; DATE_LEN]) -> Result<i32, Reason> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return Err(Reason::ImpossibleDate);
    };
    match pairs([[y1, y2], [y3, y4], [m1, m2], [d1, d2]]) {
        Some([century, year, month, day]) => day_number(century * 100 + year, month, day),
        None => Err(Reason::ImpossibleDate),
    }
}

/// Reads hours, minutes and seconds.
#[inline]
fn clock(text: [[u8; 2]; 3]) -> Option<u32> {
    time_of_day(pairs(text)?)
}

#[inline(always)]
fn time_of_day([hour, minute, second]: [u32; 3]) -> Option<u32> {
    // A leap second is the last second of its minute.
    let second = if second == 60 { 59 } else { second };
    let exists = hour < 24 && minute < 60 && second < 60;
    exists.then_some(hour * 3600 + minute * 60 + second)
}

/// Reads numbers of two digits.
#[inline]
fn pairs<const N: usize>(text: [[u8; 2]; N]) -> Option<[u32; N]> {
    let mut numbers = [0; N];
    let mut is_number = true;
    for (number, [tens, ones]) in numbers.iter_mut().zip(text) {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        is_number &= tens <= 9 && ones <= 9;
        *number = u32::from(tens) * 10 + u32::from(ones);
    }
    is_number.then_some(numbers)
}

/// Reads `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`; the fraction is dropped.
fn iso_time(text: &[u8]) -> Option<u32> {
    match text {
        [h1, h2, b':', m1, m2] => clock([[*h1, *h2], [*m1, *m2], [b'0', b'0']]),
        [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] if is_fraction(rest) => {
            clock([[*h1, *h2], [*m1, *m2], [*s1, *s2]])
        }
        _ => None,
    }
}

fn is_fraction(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b'.' | b',', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Seconds of the day, and seconds east of UTC where the text has an offset.
#[cold]
fn iso_time_and_offset(text: &[u8]) -> Result<(Option<u32>, Option<i32>), Reason> {
    let sign = text
        .iter()
        .position(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
    let (time, offset) = text.split_at(sign.unwrap_or(text.len()));
    let [hours, minutes] = match *offset {
        [] => return Ok((iso_time(time), None)),
        [b'Z' | b'z'] => [[b'0', b'0'], [b'0', b'0']],
        [_, h1, h2] => [[h1, h2], [b'0', b'0']],
        [_, h1, h2, m1, m2] | [_, h1, h2, b':', m1, m2] => [[h1, h2], [m1, m2]],
        _ => return Err(Reason::ImpossibleDate),
    };
    let seconds = clock([hours, minutes, [b'0', b'0']]).ok_or(Reason::ImpossibleDate)?;
    let seconds = seconds.cast_signed();
    let offset = if offset[0] == b'-' { -seconds } else { seconds };
    Ok((iso_time(time), Some(offset)))
}

/// Days from 1970-01-01 to a date.
#[inline]
fn day_number(year: u32, month: u32, day: u32) -> Result<i32, Reason> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(Reason::ImpossibleDate);
    }
    let month = i64::from(year) * 12 + i64::from(month) - 1 - MONTH_MIN;
    let bounds = usize::try_from(month).ok();
    let bounds = bounds.and_then(|month| MONTH_STARTS.get(month..)?.first_chunk());
    let Some([start, next]) = bounds else {
        return Err(Reason::DateOutOfRange);
    };
    let number = *start + day.cast_signed() - 1;
    if number < *next {
        Ok(number)
    } else {
        Err(Reason::ImpossibleDate)
    }
}

/// First year that is read. More than business days have: zones and cutoffs move a row to another
/// day, and whether that one is in range is seen then.
const YEAR_MIN: i32 = 1900;
/// First year that is not read any more.
const YEAR_END: i32 = 2200;
/// January of the first year, in months of the calendar.
const MONTH_MIN: i64 = YEAR_MIN as i64 * 12;
/// How many months are read.
const MONTHS: usize = (YEAR_END - YEAR_MIN) as usize * 12;

/// The first day of every month that is read, and of the one after.
static MONTH_STARTS: [i32; MONTHS + 1] = month_starts();

const fn month_starts() -> [i32; MONTHS + 1] {
    let mut starts = [0; MONTHS + 1];
    // 1900-01-01 is 25,567 days before 1970-01-01.
    starts[0] = -25_567;
    let mut index = 0;
    while index < MONTHS {
        let (year, month) = (YEAR_MIN as usize + index / 12, index % 12 + 1);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        starts[index + 1] = starts[index] + days;
        index += 1;
    }
    starts
}

#[cfg(test)]
mod tests;
