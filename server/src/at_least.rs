//! Keeping a client's time from running backwards: what it has seen, and what is served here.

use hyper::{
    StatusCode,
    header::{COOKIE, HeaderMap, HeaderName},
};

use crate::problem::{Problem, Result};

/// The selection that a client has seen before, as a header or as a cookie.
const AT_LEAST: HeaderName = HeaderName::from_static("nightshard-at-least");

/// Returns the highest selection that a client says to have seen, in headers or in cookies.
///
/// # Errors
/// 400 if it is no number.
pub(crate) fn read(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let cookies = headers.get_all(COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let cookies = cookies.flat_map(|value| value.split(';'));
    let own = cookies.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case(AT_LEAST.as_str())
            .then_some(value)
    });
    let lines = headers.get_all(AT_LEAST).iter();
    let lines = lines.map(|value| value.to_str().unwrap_or_default());
    let mut highest = None;
    for text in lines.chain(own) {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u64> = text.parse().ok().filter(|_| digits);
        let number = number.ok_or_else(|| {
            let detail = "Nightshard-At-Least is not a selection's number";
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })?;
        highest = highest.max(Some(number));
    }
    Ok(highest)
}

/// Returns the problem of a server that has not come so far.
pub(crate) fn behind(asked: u64, serving: u64) -> Problem {
    Problem::unavailable(format!(
        "selection {asked} is asked for, selection {serving} is served here"
    ))
}
