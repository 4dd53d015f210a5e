//! What a generation says of a region of its tree.

use nightshard_format::record::RegionRecord;
use serde::Serialize;

use super::shard::labelled;

/// Tenths of millionths of a degree in a degree.
const LOCATION_UNITS: f64 = 1e7;

/// A region, in degrees of latitude and longitude.
#[derive(Debug, Serialize)]
pub(super) struct RegionFacts {
    parent: Option<String>,
    name: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    stores: u64,
    children: Vec<String>,
}

impl RegionFacts {
    /// Decodes the record of a region.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let region = RegionRecord::parse(value)?;
        let degrees = |units: i32| f64::from(units) / LOCATION_UNITS;
        Ok(Self {
            parent: region.parent,
            name: region.name,
            lat: region.location.map(|(lat, _)| degrees(lat)),
            lon: region.location.map(|(_, lon)| degrees(lon)),
            stores: region.stores,
            children: region.children,
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let location = self.lat.zip(self.lon);
        *text += &labelled(&[
            ("parent", or_none(&self.parent)),
            ("name", or_none(&self.name)),
            (
                "location",
                location.map_or_else(|| "-".to_owned(), |(lat, lon)| format!("{lat}, {lon}")),
            ),
            ("stores", self.stores.to_string()),
            ("parts", self.children.join(", ")),
        ]);
    }
}
