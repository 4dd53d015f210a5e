//! Values of Parquet files as text and as JSON.

use std::ops::RangeInclusive;

use base64::{Engine, engine::general_purpose::STANDARD};
use nightshard_format::calendar::Day;
use parquet::data_type::Int96;
use serde::Serialize;

use super::kind::Kind;
use crate::pack::columns::put_json_string;

const SECONDS_IN_DAY: i64 = 86_400;
const NANOS_IN_SECOND: i64 = 1_000_000_000;
/// 1970-01-01, in days since the beginning of the Julian period.
const EPOCH_JULIAN: i64 = 2_440_588;

/// The days of the years 1 to 9999, since 1970-01-01.
const DAYS: RangeInclusive<i32> = -719_162..=2_932_896;

/// What a value is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As a key: text without quotes, bytes as they are, only numbers that are some.
    Key,
    /// As the only value: the same, except that numbers that are none are `null`.
    Alone,
    /// As a member of an object.
    Json,
}

/// Appends a value whose text is its JSON.
pub(super) fn put_json(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("numbers have a JSON form, and memory takes it");
}

/// Appends a floating point number; infinities and what is no number are `null`, which would be
/// one key for all of them.
pub(super) fn put_float<T>(value: T, form: Form, out: &mut Vec<u8>) -> Result<(), String>
where
    T: Copy + Into<f64> + Serialize,
{
    let number: f64 = value.into();
    if form == Form::Key && !number.is_finite() {
        return Err(format!("the key is {number}, which is no finite number"));
    }
    put_json(&value, out);
    Ok(())
}

/// Appends what is stored as a signed integer.
pub(super) fn put_integer(
    value: i64,
    kind: Kind,
    form: Form,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match kind {
        Kind::Decimal(scale) => put_decimal(value.into(), scale, out),
        Kind::Date => put_text(&date(value)?, form, out),
        Kind::Time(in_second) => {
            if !(0..SECONDS_IN_DAY * in_second).contains(&value) {
                return Err(format!("{value} is no time of the day"));
            }
            put_text(&time(value, in_second), form, out);
        }
        Kind::Timestamp(in_second, is_utc) => {
            let in_day = SECONDS_IN_DAY * in_second;
            let date = date(value.div_euclid(in_day))?;
            let time = time(value.rem_euclid(in_day), in_second);
            let zone = if is_utc { "Z" } else { "" };
            put_text(&format!("{date}T{time}{zone}"), form, out);
        }
        _ => put_json(&value, out),
    }
    Ok(())
}

/// Appends a timestamp of old programs: nanoseconds of a day, and the day's number.
pub(super) fn put_int96(value: &Int96, form: Form, out: &mut Vec<u8>) -> Result<(), String> {
    let [low, high, day] = [0, 1, 2].map(|at| i64::from(value.data()[at]));
    let nanos = high << 32 | low;
    if !(0..SECONDS_IN_DAY * NANOS_IN_SECOND).contains(&nanos) {
        return Err(format!("{nanos} ns is no time of the day"));
    }
    let (date, time) = (date(day - EPOCH_JULIAN)?, time(nanos, NANOS_IN_SECOND));
    put_text(&format!("{date}T{time}"), form, out);
    Ok(())
}

/// Appends what is stored as bytes.
pub(super) fn put_bytes(
    value: &[u8],
    kind: Kind,
    form: Form,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match (kind, form) {
        (Kind::Decimal(scale), _) => {
            let number = big_endian(value).ok_or("a decimal exceeds 16 bytes")?;
            put_decimal(number, scale, out);
        }
        (Kind::Float, _) => {
            let bytes = value
                .try_into()
                .map_err(|_other| "a float has not 2 bytes")?;
            put_float(half(u16::from_le_bytes(bytes)), form, out)?;
        }
        (Kind::Uuid, form) => put_text(&uuid(value), form, out),
        (_, Form::Key | Form::Alone) => out.extend_from_slice(value),
        (Kind::Text, Form::Json) => {
            let advice = "one --value column keeps bytes";
            let text = std::str::from_utf8(value)
                .map_err(|_other| format!("is not UTF-8, as JSON has to be: {advice}"))?;
            put_json_string(text, out);
        }
        (_, Form::Json) => put_text(&STANDARD.encode(value), Form::Json, out),
    }
    Ok(())
}

/// Appends text that needs no escapes.
fn put_text(text: &str, form: Form, out: &mut Vec<u8>) {
    let quote: &[u8] = if form == Form::Json { b"\"" } else { b"" };
    for part in [quote, text.as_bytes(), quote] {
        out.extend_from_slice(part);
    }
}

/// Appends `unscaled` / 10^`scale` with all its digits.
fn put_decimal(unscaled: i128, scale: u32, out: &mut Vec<u8>) {
    let scale = scale as usize;
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    for part in [sign, whole, point, fraction] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Reads a number in two's complement, unless it needs more than 16 bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = match bytes.first() {
        Some(first) if first & 0x80 != 0 => 0xff,
        _ => 0,
    };
    let (padding, number) = bytes.split_at(bytes.len().saturating_sub(16));
    let is_small = padding.iter().all(|byte| *byte == sign);
    let mut value = if sign == 0 { 0_i128 } else { -1 };
    for byte in number {
        value = value << 8 | i128::from(*byte);
    }
    (is_small && (value < 0) == (sign != 0)).then_some(value)
}

/// Converts IEEE 754 binary16, exactly.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1024.0 + fraction) * 2_f32.powi(exponent - 25),
    };
    if bits >> 15 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Returns a date of the years 1 to 9999.
fn date(days: i64) -> Result<String, String> {
    let day = i32::try_from(days).ok().filter(|day| DAYS.contains(day));
    let day = day.ok_or_else(|| format!("day {days} since 1970 is not of the years 1 to 9999"))?;
    Ok(Day(day).to_string())
}

/// Returns a time of the day, with as many digits after the second as it needs.
fn time(units: i64, in_second: i64) -> String {
    let (second, fraction) = (units / in_second, units % in_second);
    let (minute, second) = (second / 60, second % 60);
    let text = format!("{:02}:{:02}:{second:02}", minute / 60, minute % 60);
    if fraction == 0 {
        return text;
    }
    let nanos = fraction * (NANOS_IN_SECOND / in_second);
    let digits = format!("{nanos:09}");
    format!("{text}.{}", digits.trim_end_matches('0'))
}
