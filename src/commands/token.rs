//! `nightshard token`: what callers show to servers that have keys.

use std::{path::PathBuf, process::ExitCode, str::FromStr};

use anyhow::Context;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use nightshard_server::{Claims, Scope};

use crate::{access_keys, config::Config, exit::UsageError, output::print};

const DAY_SECONDS: u64 = 86_400;
/// No token is made for longer: a hundred years.
const DAYS_MAX: u64 = 36_525;

/// Print a token of a scope, made with the first key of the configuration, or make a key.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    /// What the token is good for: store:ID, merchant:ID, app, analyst, customer,
    /// customer:PSEUDONYM or admin.
    #[arg(long, value_name = "SCOPE", required_unless_present = "new_key")]
    scope: Option<Scope>,
    /// When it ends: so many days from now, or with a day in UTC.
    #[arg(long, value_name = "DAYS|DATE", default_value = "90")]
    expires: Expiry,
    /// The day in UTC with which it begins [default: it is good at once].
    #[arg(long, value_name = "DATE")]
    not_before: Option<Date>,
    /// The configuration file, which names the keys.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Make a key in this file, which must not be there, and no token.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["scope", "not_before", "config"])]
    new_key: Option<PathBuf>,
}

/// When a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Days(u64),
    With(Date),
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.parse(), text.parse()) {
            (Ok(days), _) if (1..=DAYS_MAX).contains(&days) => Ok(Self::Days(days)),
            (Err(_), Ok(date)) => Ok(Self::With(date)),
            _ => Err(format!(
                "it is neither a number of days from 1 to {DAYS_MAX} nor a date"
            )),
        }
    }
}

impl Expiry {
    /// Returns the first second in which the token is no longer good.
    fn end(self, now: u64) -> anyhow::Result<u64> {
        match self {
            Self::Days(days) => Ok(now + days * DAY_SECONDS),
            Self::With(date) => Ok(beginning(date, "--expires")? + DAY_SECONDS),
        }
    }
}

/// Prints a token, or makes a key.
pub(crate) fn run(args: TokenArgs) -> anyhow::Result<ExitCode> {
    if let Some(path) = &args.new_key {
        access_keys::create(path)?;
        print(&format!("made an access key in {}\n", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::read(args.config.as_deref())?;
    let first = config.access.keys.first();
    let first = first.ok_or_else(|| {
        let problem = "it names no key in [access] (docs/operations.md, \"Access\")";
        UsageError(match &args.config {
            Some(path) => format!("--config {}: {problem}", path.display()),
            None => "--config: a file that names a key in [access] is needed".to_owned(),
        })
    })?;
    let key = access_keys::read(first)?;
    let scope = args.scope.context("--scope is needed")?;
    let claims = claims(scope, args.not_before, args.expires, now()?)?;
    print(&format!("{}\n", claims.sign(&key)))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns what a token says that is made now.
fn claims(
    scope: Scope,
    not_before: Option<Date>,
    expires: Expiry,
    now: u64,
) -> anyhow::Result<Claims> {
    let claims = Claims {
        scope,
        // Servers whose clocks are late take it at once, too.
        not_before: match not_before {
            Some(date) => beginning(date, "--not-before")?,
            None => 0,
        },
        expires: expires.end(now)?,
    };
    if claims.expires <= now.max(claims.not_before) {
        return Err(UsageError("--expires: the token would never be good".into()).into());
    }
    Ok(claims)
}

/// Returns the first second of a day in UTC, since 1970-01-01T00:00:00Z.
fn beginning(date: Date, option: &str) -> anyhow::Result<u64> {
    let zoned = date.to_zoned(TimeZone::UTC);
    let second = zoned.map(|zoned| zoned.timestamp().as_second()).ok();
    let second = second.and_then(|second| u64::try_from(second).ok());
    Ok(second.ok_or_else(|| UsageError(format!("{option}: {date} is before 1970")))?)
}

fn now() -> anyhow::Result<u64> {
    u64::try_from(Timestamp::now().as_second()).context("the clock is before 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000 * DAY_SECONDS + 5;

    fn ends(expires: &str, not_before: Option<&str>) -> anyhow::Result<(u64, u64)> {
        let date = not_before.map(|date| date.parse().unwrap());
        let claims = claims(Scope::App, date, expires.parse().unwrap(), NOW)?;
        Ok((claims.not_before, claims.expires))
    }

    #[test]
    fn a_token_ends_after_days_or_with_a_day() {
        let second = |date: &str| beginning(date.parse().unwrap(), "").unwrap();
        assert_eq!(second("1970-01-02"), DAY_SECONDS);
        assert_eq!(ends("1", None).unwrap(), (0, NOW + DAY_SECONDS));
        assert_eq!(
            ends("2000-02-28", Some("2000-02-28")).unwrap(),
            (second("2000-02-28"), second("2000-02-29"))
        );
        for (expires, not_before) in [
            ("1972-09-26", None),
            ("1", Some("1972-10-01")),
            ("1969-01-01", None),
        ] {
            assert!(ends(expires, not_before).is_err(), "{expires}");
        }
        for wrong in ["", "0", "-1", "36526", "2000-02-30", "soon"] {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
    }
}
