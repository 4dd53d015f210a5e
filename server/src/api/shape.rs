//! In which shape a list is: rows, or features of a map (RFC 7946).

use nightshard_format::tile::Bounds;

use super::{parameters::Parameters, stores::degrees};
use crate::{json::Json, problem::Problem};

/// The words of `format`.
const SHAPES: [(&str, Shape); 2] = [("json", Shape::Rows), ("geojson", Shape::Features)];

/// How the rows of a list are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the member `rows`.
    Rows,
    /// As those of a `FeatureCollection`, which the list is then.
    Features,
}

/// Where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Geometry {
    /// At a point, in 10^-7 degrees of latitude and longitude, if it is known where.
    Point(Option<(i32, i32)>),
    /// All between these edges.
    Box(Bounds),
}

impl Shape {
    /// Takes `format`.
    ///
    /// # Errors
    /// A problem if it is none of the words.
    pub(super) fn take(parameters: &mut Parameters<'_>) -> Result<Self, Problem> {
        let shape = parameters.take_word("format", &SHAPES)?;
        Ok(shape.unwrap_or(Self::Rows))
    }

    /// Returns the word that stands for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "json",
            Self::Features => "geojson",
        }
    }

    /// Begins the rows of a list, which end like an array.
    pub(super) fn begin_rows(self, json: &mut Json) {
        match self {
            Self::Rows => json.key("rows").begin_array(),
            Self::Features => {
                json.key("type").string("FeatureCollection");
                json.key("features").begin_array();
            }
        }
    }

    /// Begins a row, whose members follow.
    pub(super) fn begin_row(self, json: &mut Json, id: &[u8], geometry: Geometry) {
        json.begin_object();
        if self == Self::Features {
            json.key("type").string("Feature");
            json.key("id").bytes(id);
            json.key("geometry");
            geometry.write(json);
            json.key("properties").begin_object();
        }
    }

    /// Ends a row.
    pub(super) fn end_row(self, json: &mut Json) {
        if self == Self::Features {
            json.end_object();
        }
        json.end_object();
    }
}

impl Geometry {
    fn write(self, json: &mut Json) {
        match self {
            Self::Point(None) => json.null(),
            Self::Point(Some(location)) => {
                json.begin_object();
                json.key("type").string("Point");
                json.key("coordinates");
                write_position(json, location);
                json.end_object();
            }
            Self::Box(edges) => {
                json.begin_object();
                json.key("type").string("Polygon");
                json.key("coordinates").begin_array();
                write_ring(json, edges);
                json.end_array();
                json.end_object();
            }
        }
    }
}

/// Writes the ring around a box, counter-clockwise, which ends where it began.
fn write_ring(json: &mut Json, edges: Bounds) {
    let Bounds {
        south,
        west,
        north,
        east,
    } = edges;
    json.begin_array();
    for corner in [
        (south, west),
        (south, east),
        (north, east),
        (north, west),
        (south, west),
    ] {
        write_position(json, corner);
    }
    json.end_array();
}

/// Writes a position: longitude before latitude.
fn write_position(json: &mut Json, (lat, lon): (i32, i32)) {
    json.begin_array();
    json.float(Some(degrees(lon)));
    json.float(Some(degrees(lat)));
    json.end_array();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(shape: Shape, geometry: Geometry) -> serde_json::Value {
        let mut json = Json::default();
        json.begin_object();
        shape.begin_rows(&mut json);
        shape.begin_row(&mut json, b"a", geometry);
        json.key("count").integer(7_u64);
        shape.end_row(&mut json);
        json.end_array();
        json.end_object();
        serde_json::from_slice(&json.into_bytes()).unwrap()
    }

    #[test]
    fn rows_and_features_have_the_same_members() {
        let here = Geometry::Point(Some((375_000_000, 1_270_500_000)));
        let rows = serde_json::json!({"rows": [{"count": 7}]});
        assert_eq!(written(Shape::Rows, here), rows);
        let features = written(Shape::Features, here);
        assert_eq!(features["type"], "FeatureCollection");
        let feature = serde_json::json!({"type": "Feature", "id": "a",
            "geometry": {"type": "Point", "coordinates": [127.05, 37.5]}, "properties": {"count": 7}});
        assert_eq!(features["features"], serde_json::json!([feature]));
    }

    #[test]
    fn a_box_is_a_closed_ring_and_what_is_nowhere_has_no_geometry() {
        let edges = Bounds {
            south: 10_000_000,
            west: 20_000_000,
            north: 30_000_000,
            east: 40_000_000,
        };
        let features = written(Shape::Features, Geometry::Box(edges));
        let ring = serde_json::json!([[2.0, 1.0], [4.0, 1.0], [4.0, 3.0], [2.0, 3.0], [2.0, 1.0]]);
        let geometry = &features["features"][0]["geometry"];
        assert_eq!(geometry["coordinates"], serde_json::json!([ring]));
        let nowhere = written(Shape::Features, Geometry::Point(None));
        assert!(nowhere["features"][0]["geometry"].is_null());
    }
}
