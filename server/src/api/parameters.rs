//! The parameters of a request: each known, each once.

use std::{borrow::Cow, str::FromStr};

use hyper::StatusCode;
use nightshard_format::calendar::{Day, DayRange, Period};
use percent_encoding::percent_decode_str;

use super::openapi;
use crate::problem::{Problem, Result};

/// How many rows a list has where no limit is given.
pub(crate) const LIMIT_DEFAULT: usize = 100;
/// The most rows of a list.
pub(crate) const LIMIT_MAX: usize = 1_000;

/// The most parameters of a request: no resource knows as many.
const PARAMETERS_MAX: usize = 32;

/// A hundred years: who asks for days further from those of the data has mistaken them.
const BEYOND_DAYS_MAX: i32 = 36_525;

/// The parameters of a query, taken one by one by whoever knows them.
#[derive(Debug)]
pub(crate) struct Parameters<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Parameters<'a> {
    /// Reads a query.
    ///
    /// # Errors
    /// A problem if a name comes twice, if there are too many, or if something is no UTF-8.
    pub(crate) fn parse(query: Option<&'a str>) -> Result<Self, Problem> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        let parts = query.into_iter().flat_map(|query| query.split('&'));
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode_form(name)
                .ok_or_else(|| Problem::parameter(name, "a parameter's name is not UTF-8"))?;
            let value = decode_form(value)
                .ok_or_else(|| Problem::parameter(&name, "the value is not UTF-8"))?;
            if pairs.len() == PARAMETERS_MAX {
                let detail = format!("more than {PARAMETERS_MAX} parameters");
                return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
            }
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Problem::parameter(&name, "the parameter is repeated"));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Takes the text of a parameter.
    pub(crate) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        debug_assert!(openapi::describes(name), "openapi/base.json lacks {name}");
        let index = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.swap_remove(index).1)
    }

    /// Returns the text of a parameter and leaves it to be taken.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| &**value)
    }

    /// Takes the value of a parameter.
    ///
    /// # Errors
    /// A problem that names the parameter, if its text is no such value.
    pub(crate) fn take_parsed<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        self.take(name)
            .map(|text| text.parse().map_err(|error: T::Err| wrong(name, &error)))
            .transpose()
    }

    /// Takes an integer between bounds.
    ///
    /// # Errors
    /// A problem that names the parameter, if its text is no such integer.
    pub(crate) fn take_integer(
        &mut self,
        name: &str,
        bounds: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, Problem> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse().ok().filter(|_| digits);
        match value.filter(|value| bounds.contains(value)) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(
                name,
                &format!(
                    "{text:?} is not an integer from {} to {}",
                    bounds.start(),
                    bounds.end()
                ),
            )),
        }
    }

    /// Takes one of some words.
    ///
    /// # Errors
    /// A problem that names the parameter, if its text is none of them.
    pub(crate) fn take_word<T: Copy>(
        &mut self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let detail = format!("{text:?} is not one of {}", known.join(", "));
                Err(wrong(name, &detail))
            }
        }
    }

    /// Takes a date, or a named period.
    ///
    /// # Errors
    /// A problem that names the parameter, if its text is none, or it is too far from the data's days.
    pub(crate) fn take_days<T>(&mut self, name: &str, data: DayRange) -> Result<Option<T>, Problem>
    where
        T: FromStr + Copy + Into<Period>,
        T::Err: std::fmt::Display,
    {
        let taken: Option<T> = self.take_parsed(name)?;
        let days = taken.and_then(|taken| taken.into().days());
        let near = DayRange {
            first: Day(data.first.0 - BEYOND_DAYS_MAX),
            last: Day(data.last.0 + BEYOND_DAYS_MAX),
        };
        match days.filter(|days| days.intersection(near).is_empty()) {
            None => Ok(taken),
            Some(_far) => {
                let DayRange { first, last } = data;
                let detail = format!("more than 100 years from the data's days, {first} to {last}");
                Err(Problem::parameter(name, detail))
            }
        }
    }

    /// Takes `min_date` and `max_date`.
    ///
    /// # Errors
    /// A problem that names the one that is no date or too far from the data's days, or `min_date` where it lies
    /// after the other.
    pub(crate) fn take_dates(&mut self, data: DayRange) -> Result<Dates, Problem> {
        let min: Option<Day> = self.take_days("min_date", data)?;
        let max: Option<Day> = self.take_days("max_date", data)?;
        match (min, max) {
            (Some(min), Some(max)) if min > max => {
                Err(wrong("min_date", &format!("{min} lies after {max}")))
            }
            _ => Ok(Dates { min, max }),
        }
    }

    /// Takes `period`, or `min_date` and `max_date` instead; everything if none is given.
    ///
    /// # Errors
    /// A problem that names the parameter at fault.
    pub(crate) fn take_period(&mut self, data: DayRange) -> Result<Period, Problem> {
        let named: Option<Period> = self.take_days("period", data)?;
        let range = self.take_dates(data)?.range(data);
        if named.is_some() && range.is_some() {
            let detail = "give either a period or dates, not both";
            return Err(Problem::parameter("period", detail));
        }
        Ok(named.or(range.map(Period::Range)).unwrap_or(Period::All))
    }

    /// Takes `fill`: whether what has no rows is shown, with zeros.
    ///
    /// # Errors
    /// A problem if it is neither `none` nor `zero`.
    pub(crate) fn take_fill(&mut self) -> Result<bool, Problem> {
        let fills = self.take_word("fill", &[("none", false), ("zero", true)])?;
        Ok(fills.unwrap_or(false))
    }

    /// Takes the number of rows of a list.
    ///
    /// # Errors
    /// A problem if it is none from 1 to [`LIMIT_MAX`].
    pub(crate) fn take_limit(&mut self) -> Result<usize, Problem> {
        let limit = self.take_integer("limit", 1..=LIMIT_MAX)?;
        Ok(limit.unwrap_or(LIMIT_DEFAULT))
    }

    /// Checks that every parameter was taken.
    ///
    /// # Errors
    /// A problem that names one that was not.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.pairs.first() {
            Some((name, _)) => Err(Problem::parameter(
                name,
                "this resource has no such parameter",
            )),
            None => Ok(()),
        }
    }
}

fn wrong(name: &str, error: &impl ToString) -> Problem {
    Problem::parameter(name, error.to_string())
}

/// Decodes a name or a value as forms encode it: a plus is a space.
fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
        return Some(Cow::Owned(decoded.into_owned()));
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// The ends of a range as a request gives them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dates {
    min: Option<Day>,
    max: Option<Day>,
}

impl Dates {
    /// Returns the range, the data's ends standing for those not given; `None` if none is.
    ///
    /// # Shape
    /// Only the day given if it lies beyond the data's other end: no range ends before it begins.
    pub(crate) fn range(self, data: DayRange) -> Option<DayRange> {
        let (first, last) = match (self.min, self.max) {
            (None, None) => return None,
            (Some(min), Some(max)) => (min, max),
            (Some(min), None) => (min, data.last.max(min)),
            (None, Some(max)) => (data.first.min(max), max),
        };
        Some(DayRange { first, last })
    }

    /// Returns the range if both ends are given.
    pub(crate) fn both(self) -> Option<DayRange> {
        let (first, last) = self.min.zip(self.max)?;
        Some(DayRange { first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Parameters<'_>, Problem> {
        Parameters::parse(Some(query))
    }

    fn year_2018() -> DayRange {
        Period::Year(2018).days().unwrap()
    }

    #[test]
    fn days_of_other_centuries_are_refused() {
        let data = year_2018();
        let take = |query| parse(query).unwrap().take_period(data);
        // 36,525 days before and after.
        for query in [
            "min_date=1918-01-01",
            "max_date=2118-12-31",
            "period=1918",
            "period=2118",
            "period=2119-01-01",
            "period=1918-W01",
        ] {
            assert!(take(query).is_ok(), "{query}");
        }
        for (query, name) in [
            ("min_date=1917-12-31", "min_date"),
            ("min_date=2018-01-01&max_date=2119-01-02", "max_date"),
            ("max_date=0001-01-01", "max_date"),
            ("period=1917", "period"),
            ("period=9999", "period"),
            ("period=2119-01-02", "period"),
        ] {
            let problem = take(query).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(name), "{query}");
            assert!(problem.detail.contains("2018-01-01 to 2018-12-31"));
        }
    }

    #[test]
    fn a_range_beyond_the_data_does_not_end_before_it_begins() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let data = year_2018();
        for (query, expected) in [
            ("max_date=1990-01-01", ["1990-01-01", "1990-01-01"]),
            ("min_date=2030-01-01", ["2030-01-01", "2030-01-01"]),
            ("max_date=2018-03-01", ["2018-01-01", "2018-03-01"]),
            ("min_date=2018-03-01", ["2018-03-01", "2018-12-31"]),
        ] {
            let range = parse(query).unwrap().take_dates(data).unwrap().range(data);
            let range = range.unwrap();
            assert_eq!([range.first, range.last], expected.map(day), "{query}");
        }
    }

    #[test]
    fn values_are_decoded_and_repeated_or_unknown_names_are_refused() {
        let mut parameters = parse("q=a%20b+c&&limit=7").unwrap();
        assert_eq!(parameters.take("q").unwrap(), "a b c");
        assert_eq!(parameters.take_limit().unwrap(), 7);
        parameters.finish().unwrap();

        let parameter = |problem: Problem| problem.parameter.unwrap();
        assert_eq!(parameter(parse("q=1&limit=2&q=3").unwrap_err()), "q");
        assert_eq!(parameter(parse("x%20y=1&x+y=1").unwrap_err()), "x y");
        assert_eq!(parameter(parse("q=%ff").unwrap_err()), "q");
        assert_eq!(
            parameter(parse("colour=red").unwrap().finish().unwrap_err()),
            "colour"
        );
    }

    #[test]
    fn no_more_parameters_are_read_than_any_resource_has() {
        let query = |count: usize| -> String { (0..count).map(|n| format!("p{n}=&")).collect() };
        assert!(parse(&query(32)).is_ok());
        let problem = parse(&query(33)).unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
        assert_eq!(problem.detail, "more than 32 parameters");
    }

    #[test]
    fn integers_and_dates_out_of_bounds_name_their_parameter() {
        for query in [
            "limit=0",
            "limit=1001",
            "limit=",
            "limit=+5",
            "limit=5.0",
            "limit=-1",
        ] {
            let problem = parse(query).unwrap().take_limit().unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some("limit"), "{query}");
        }
        for (query, name) in [
            ("min_date=2018-02-29", "min_date"),
            ("max_date=", "max_date"),
            ("min_date=2018-01-02&max_date=2018-01-01", "min_date"),
        ] {
            let problem = parse(query).unwrap().take_dates(year_2018()).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(name), "{query}");
        }
    }
}
