//! Where something lies of which a small file says it.

use crate::source::{self, LAT_MAX, LON_MAX};

/// What two fields say.
///
/// # Units
/// 10^-7 degrees of latitude and longitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coordinates {
    /// The place on the map, if it is one.
    pub(crate) location: Option<(i32, i32)>,
    /// Whether there are numbers that are out of range.
    pub(crate) is_off_the_map: bool,
}

impl Coordinates {
    /// Reads degrees; both may be empty.
    ///
    /// # Errors
    /// What is wrong with them, if one is empty or no number.
    pub(crate) fn parse(lat: &str, lon: &str) -> Result<Self, &'static str> {
        let coordinates = match (lat, lon) {
            ("", "") => None,
            ("", _) | (_, "") => return Err("lat and lon must both be there, or neither"),
            _ => Some((degrees(lat)?, degrees(lon)?)),
        };
        let location =
            coordinates.and_then(|(lat, lon)| Some((on(lat, LAT_MAX)?, on(lon, LON_MAX)?)));
        Ok(Self {
            location,
            is_off_the_map: coordinates.is_some() && location.is_none(),
        })
    }
}

fn degrees(field: &str) -> Result<f64, &'static str> {
    source::degrees(field.as_bytes()).ok_or("lat or lon is not a number")
}

/// Returns a coordinate that is on the map in 10^-7 degrees.
fn on(degrees: f64, limit: f64) -> Option<i32> {
    #[expect(clippy::cast_possible_truncation, reason = "at most 1.8 * 10^9")]
    let rounded = (degrees * 1e7).round() as i32;
    (degrees.abs() <= limit).then_some(rounded)
}
