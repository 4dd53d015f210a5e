//! Dates and times: text to local days and seconds.

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use crate::layout::{Layout, TimePrecision};
use crate::row_outcome::Reason;

const SECONDS_A_DAY: i64 = 86_400;

/// First day that is believed, 1900-01-01.
const DAY_MIN: i32 = day_number(1900, 1, 1);
/// Last day that is believed, 2199-12-31.
const DAY_MAX: i32 = day_number(2199, 12, 31);

/// A local date with the time of day where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Days since 1970-01-01.
    pub(crate) day: i32,
    /// Seconds since midnight.
    pub(crate) second: Option<u32>,
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
                },
            ),
        }
    }

    /// Reads a date with or without time.
    ///
    /// # Errors
    /// [`Reason::ImpossibleDate`], [`Reason::DateOutOfRange`], [`Reason::OffsetWithoutZone`].
    #[inline]
    pub(crate) fn moment(&mut self, text: &[u8]) -> Result<Moment, Reason> {
        if !self.date_formats.is_empty() {
            return self.formatted(text);
        }
        let written = iso(text).ok_or(Reason::ImpossibleDate)?;
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
            second_of(time.hour(), time.minute(), time.second())
        };
        let second = iso().or_else(|| self.time_formats.iter().find_map(by_format));
        second.map(Some).ok_or(Reason::ImpossibleDate)
    }

    fn formatted(&mut self, text: &[u8]) -> Result<Moment, Reason> {
        if self.last.0 == text {
            return Ok(self.last.1);
        }
        let written = self
            .date_formats
            .iter()
            .find_map(|format| by_format(format, text));
        let moment = self.localised(written.ok_or(Reason::ImpossibleDate)?)?;
        self.last.0.clear();
        self.last.0.extend_from_slice(text);
        self.last.1 = moment;
        Ok(moment)
    }

    #[inline]
    fn localised(&self, written: Written) -> Result<Moment, Reason> {
        let Written {
            mut day,
            mut second,
            offset,
        } = written;
        if let (Some(offset), Some(known)) = (offset, second) {
            (day, second) = self.in_zone(day, known, offset)?;
        }
        if !(DAY_MIN..=DAY_MAX).contains(&day) {
            return Err(Reason::DateOutOfRange);
        }
        Ok(Moment {
            day,
            second: second.filter(|_| self.precision == TimePrecision::Second),
        })
    }

    /// Converts a time at an offset from UTC to the layout's zone.
    fn in_zone(&self, day: i32, second: u32, offset: i32) -> Result<(i32, Option<u32>), Reason> {
        let zone = self.zone.as_ref().ok_or(Reason::OffsetWithoutZone)?;
        let utc = i64::from(day) * SECONDS_A_DAY + i64::from(second) - i64::from(offset);
        let timestamp = Timestamp::from_second(utc).map_err(|_| Reason::DateOutOfRange)?;
        let local = utc + i64::from(zone.to_offset(timestamp).seconds());
        let day = i32::try_from(local.div_euclid(SECONDS_A_DAY));
        let second = u32::try_from(local.rem_euclid(SECONDS_A_DAY)).ok();
        Ok((day.map_err(|_| Reason::DateOutOfRange)?, second))
    }
}

fn by_format(format: &str, text: &[u8]) -> Option<Written> {
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    let date = parsed.to_date().ok()?;
    let day = day_number(date.year().into(), date.month().into(), date.day().into());
    let second = match parsed.hour() {
        Some(_) => {
            let time = parsed.to_time().ok()?;
            Some(second_of(time.hour(), time.minute(), time.second())?)
        }
        None => None,
    };
    Some(Written {
        day,
        second,
        offset: parsed.offset().map(|offset| offset.seconds()),
    })
}

fn second_of(hour: i8, minute: i8, second: i8) -> Option<u32> {
    let part = |part: i8| u32::try_from(part).ok();
    Some(part(hour)? * 3600 + part(minute)? * 60 + part(second)?)
}

/// Reads ISO 8601: a date, or a date and a time of day with an optional offset.
#[inline]
fn iso(text: &[u8]) -> Option<Written> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let day = iso_date(date)?;
    match rest {
        [] => Some(Written {
            day,
            second: None,
            offset: None,
        }),
        [b'T' | b't' | b' ', time @ ..] => match <&[u8; 8]>::try_from(time) {
            Ok(time) if time[2] == b':' && time[5] == b':' => Some(Written {
                day,
                second: Some(clock(time)?),
                offset: None,
            }),
            _ => iso_time_and_offset(day, time),
        },
        _ => None,
    }
}

#[inline]
fn iso_date(text: &[u8; 10]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return None;
    };
    let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
    let (month, day) = (two_digits(m1, m2)?, two_digits(d1, d2)?);
    let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    exists.then(|| day_number(year, month, day))
}

/// Reads `HH:MM:SS` whose colons are in place.
#[inline]
fn clock(text: &[u8; 8]) -> Option<u32> {
    let [h1, h2, _, m1, m2, _, s1, s2] = *text;
    let (hour, minute) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
    let second = two_digits(s1, s2)?;
    // A leap second is the last second of its minute.
    let second = if second == 60 { 59 } else { second };
    let exists = hour < 24 && minute < 60 && second < 60;
    exists.then(|| (hour * 3600 + minute * 60 + second).unsigned_abs())
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<i32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i32::from(tens) * 10 + i32::from(ones))
}

/// Reads `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`; the fraction is dropped.
fn iso_time(text: &[u8]) -> Option<u32> {
    let (clock_text, rest) = text.split_at(text.len().min(8));
    match *clock_text {
        [h1, h2, b':', m1, m2] => clock(&[h1, h2, b':', m1, m2, b':', b'0', b'0']),
        [h1, h2, b':', m1, m2, b':', s1, s2] if is_fraction(rest) => {
            clock(&[h1, h2, b':', m1, m2, b':', s1, s2])
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

#[cold]
fn iso_time_and_offset(day: i32, text: &[u8]) -> Option<Written> {
    let sign = text
        .iter()
        .position(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
    let (time, offset) = text.split_at(sign.unwrap_or(text.len()));
    let second = Some(iso_time(time)?);
    if offset.is_empty() {
        return Some(Written {
            day,
            second,
            offset: None,
        });
    }
    let seconds = match *offset {
        [b'Z' | b'z'] => 0,
        [_, h1, h2] => two_digits(h1, h2)? * 3600,
        [_, h1, h2, m1, m2] | [_, h1, h2, b':', m1, m2] => {
            two_digits(h1, h2)? * 3600 + two_digits(m1, m2)? * 60
        }
        _ => return None,
    };
    let offset = if offset[0] == b'-' { -seconds } else { seconds };
    (seconds < 86_400).then_some(Written {
        day,
        second,
        offset: Some(offset),
    })
}

const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date that exists.
///
/// # Source
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that
/// the leap day is the last of its year.
#[inline]
const fn day_number(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(toml: &str) -> TimeReader {
        let rest = "[fields]\nstore_id={columns=['s']}\namount_minor={columns=['a']}\n\
                    currency={constant='EUR'}\n";
        let layout = Layout::parse("test", &format!("{toml}\n{rest}{}", "ts={columns=['t']}"));
        TimeReader::new(&layout.unwrap())
    }

    fn moment(toml: &str, text: &str) -> Result<(String, Option<u32>), Reason> {
        let moment = reader(toml).moment(text.as_bytes())?;
        let days = jiff::Span::new().days(moment.day);
        Ok((
            jiff::civil::date(1970, 1, 1)
                .checked_add(days)
                .unwrap()
                .to_string(),
            moment.second,
        ))
    }

    #[test]
    fn day_numbers_equal_those_of_jiff_over_three_centuries() {
        let first = jiff::civil::date(1900, 1, 1);
        for (date, day) in first
            .series(jiff::Span::new().days(1))
            .zip(DAY_MIN..=DAY_MAX)
        {
            assert_eq!(
                iso_date(date.to_string().as_bytes().try_into().unwrap()),
                Some(day)
            );
        }
        assert_eq!(day_number(1970, 1, 1), 0);
    }

    #[test]
    fn iso_times_are_read_with_or_without_their_parts() {
        let day = "2018-03-05".to_owned();
        for (text, second) in [
            ("2018-03-05", None),
            ("2018-03-05T01:02:03", Some(3723)),
            ("2018-03-05 01:02:03.999", Some(3723)),
            ("2018-03-05T01:02", Some(3720)),
            ("2018-03-05T23:59:60", Some(86_399)),
        ] {
            assert_eq!(moment("", text), Ok((day.clone(), second)), "{text}");
        }
    }

    #[test]
    fn times_with_an_offset_are_converted_to_the_zone() {
        let seoul = "zone = 'Asia/Seoul'";
        let late = ("2018-03-06".to_owned(), Some(8 * 3600));
        for text in [
            "2018-03-05T23:00:00Z",
            "2018-03-06T01:00+02:00",
            "2018-03-05T18:00:00-0500",
        ] {
            assert_eq!(moment(seoul, text), Ok(late.clone()), "{text}");
        }
        // Before and after clocks go forward in London.
        let london = "zone = 'Europe/London'";
        assert_eq!(
            moment(london, "2018-03-25T00:30:00Z").unwrap().1,
            Some(1800)
        );
        assert_eq!(
            moment(london, "2018-03-25T01:30:00Z").unwrap().1,
            Some(9000)
        );
        assert_eq!(
            moment("", "2018-03-05T23:00:00Z"),
            Err(Reason::OffsetWithoutZone)
        );
    }

    #[test]
    fn impossible_dates_are_named() {
        for text in [
            "",
            "2018",
            "2018-02-29",
            "2018-13-01",
            "2018-00-10",
            "2018-04-31",
            "2018-01-00",
            "1900-02-29",
            "2018-03-05T24:00:00",
            "2018-03-05T12:60:00",
            "2018-03-05x",
            "05/03/2018",
            "2018-03-05T",
            "2018-03-05T12",
            "2018-3-05",
            "2018-03-05T12:00:00+9",
            "20l8-03-05",
        ] {
            assert_eq!(moment("", text), Err(Reason::ImpossibleDate), "{text}");
        }
        assert_eq!(moment("", "1899-12-31"), Err(Reason::DateOutOfRange));
        assert_eq!(moment("", "2200-01-01"), Err(Reason::DateOutOfRange));
    }

    #[test]
    fn a_layout_of_dates_knows_no_hour() {
        let text = "2018-03-05T01:02:03";
        assert_eq!(
            moment("time_precision = 'date'", text),
            Ok(("2018-03-05".to_owned(), None))
        );
    }
}
