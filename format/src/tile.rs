//! The fixed grid of tiles of about 500 m (docs/definitions.md, "Tiles").

use std::{fmt, str::FromStr};

/// Rows of the grid on either side of the equator.
const ROWS: i32 = 20_000;
/// The height of a row, in 10^-7 degrees.
const ROW_UNITS: i32 = 45_000;
/// Half a turn, in halves of rows; also how many tiles a row at the equator has.
const HALF_TURN: u64 = 80_000;
/// A turn, and half of it, in 10^-7 degrees.
const TURN_UNITS: u64 = 3_600_000_000;
const HALF_TURN_UNITS: i64 = 1_800_000_000;

/// A tile of the grid: its row from the equator, and its column from the antimeridian eastwards.
///
/// # Shape
/// Written `row/column`, each in plain decimal. Rows are -20,000 to 19,999; how many columns there are depends on the
/// row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    row: i32,
    column: u32,
}

/// The edges of a tile, or of any part of the map.
///
/// # Units
/// 10^-7 degrees. What begins west of where it ends lies between; what does not, reaches over the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The southern edge.
    pub south: i32,
    /// The western edge.
    pub west: i32,
    /// The northern edge.
    pub north: i32,
    /// The eastern edge.
    pub east: i32,
}

impl Tile {
    /// Returns the tile of a point, in 10^-7 degrees of latitude and longitude, at most 90 and 180 degrees.
    ///
    /// # Examples
    /// ```
    /// use nightshard_format::tile::Tile;
    /// assert_eq!(Tile::of((375_665_000, 1_269_780_000)).to_string(), "8348/53978");
    /// ```
    #[must_use]
    pub fn of((lat, lon): (i32, i32)) -> Self {
        let row = lat.div_euclid(ROW_UNITS).clamp(-ROWS, ROWS - 1);
        let east = u64::try_from(i64::from(lon) + HALF_TURN_UNITS).unwrap_or(0);
        // Both ends of the map are one meridian.
        let column = east % TURN_UNITS * columns(row) / TURN_UNITS;
        Self {
            row,
            column: u32::try_from(column).unwrap_or(0),
        }
    }

    /// Returns its edges; to it belong the southern and the western one, and of its northernmost row the pole.
    #[must_use]
    pub fn bounds(self) -> Bounds {
        let south = self.row * ROW_UNITS;
        let edge = |column: u64| {
            let east = (column * TURN_UNITS).div_ceil(columns(self.row));
            let lon = i64::try_from(east).unwrap_or(0) - HALF_TURN_UNITS;
            i32::try_from(lon).unwrap_or(0)
        };
        Bounds {
            south,
            west: edge(self.column.into()),
            north: south + ROW_UNITS,
            east: edge(u64::from(self.column) + 1),
        }
    }
}

impl Bounds {
    /// Returns whether a tile has a point in common with this part of the map.
    #[must_use]
    pub fn meets(&self, tile: Tile) -> bool {
        let of_tile = tile.bounds();
        // Of a tile the northern and the eastern edge are no points.
        let [is_east, is_west] = [of_tile.east > self.west, of_tile.west <= self.east];
        let meets_lon = match self.west <= self.east {
            true => is_east && is_west,
            false => is_east || is_west,
        };
        meets_lon && of_tile.north > self.south && of_tile.south <= self.north
    }
}

/// Returns how many tiles a row has: about as many as make them as wide as they are high.
///
/// # Source
/// Bhaskara I's approximation of the cosine, in integers, so that it is the same everywhere.
fn columns(row: i32) -> u64 {
    let from_equator = if row < 0 { -1 - row } else { row };
    let middle = u64::from(from_equator.unsigned_abs()) * 2 + 1;
    let (turn, middle) = (HALF_TURN * HALF_TURN, middle * middle);
    HALF_TURN * (turn - 4 * middle) / (turn + middle)
}

impl fmt::Display for Tile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.row, self.column)
    }
}

/// What is written is no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTile;

impl fmt::Display for NoTile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a tile is ROW/COLUMN of the grid")
    }
}

impl std::error::Error for NoTile {}

impl FromStr for Tile {
    type Err = NoTile;

    /// Reads a tile as it is written, and in no other way.
    fn from_str(text: &str) -> Result<Self, NoTile> {
        let (row, column) = text.split_once('/').ok_or(NoTile)?;
        let tile = Self {
            row: row.parse().map_err(|_bad| NoTile)?,
            column: column.parse().map_err(|_bad| NoTile)?,
        };
        let is_there = (-ROWS..ROWS).contains(&tile.row)
            && u64::from(tile.column) < columns(tile.row)
            && tile.to_string() == text;
        if is_there { Ok(tile) } else { Err(NoTile) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAT: std::ops::RangeInclusive<i32> = -900_000_000..=900_000_000;
    const LON: std::ops::RangeInclusive<i32> = -1_800_000_000..=1_800_000_000;

    #[test]
    fn rows_have_as_many_tiles_as_the_definition_says() {
        for (row, expected) in [(0, 79_999), (-1, 79_999), (19_999, 3), (-20_000, 3)] {
            assert_eq!(columns(row), expected, "{row}");
        }
    }

    #[test]
    fn tiles_are_about_500_m_wide_where_people_live() {
        for degrees in 0..70_i32 {
            let bounds = Tile::of((degrees * 10_000_000, 0)).bounds();
            let degrees_wide = f64::from(bounds.east - bounds.west) / 1e7;
            let middle = f64::from(bounds.south + bounds.north) / 2e7;
            let metres = degrees_wide * 111_320.0 * middle.to_radians().cos();
            assert!((495.0..505.0).contains(&metres), "{degrees}: {metres}");
        }
    }

    #[test]
    fn what_is_no_tile_is_not_read() {
        for text in [
            "", "/", "1", "1/", "01/2", "1/02", "+1/2", "1/2/3", "-0/1", "20000/0", "-20001/0",
            "0/79999", "19999/3", "a/1", "1/-1", " 1/1",
        ] {
            assert_eq!(text.parse::<Tile>(), Err(NoTile), "{text:?}");
        }
        assert!("-20000/2".parse::<Tile>().is_ok());
    }

    #[test]
    fn both_ends_of_the_map_are_one_meridian_and_the_pole_is_of_the_last_row() {
        let west = Tile::of((0, -1_800_000_000));
        assert_eq!(Tile::of((0, 1_800_000_000)), west);
        assert_eq!(Tile::of((900_000_000, 0)), Tile::of((899_999_999, 0)));
    }

    #[test]
    fn a_part_of_the_map_may_reach_over_the_antimeridian() {
        let over = Bounds {
            south: -10,
            west: 1_790_000_000,
            north: 10,
            east: -1_790_000_000,
        };
        for (lon, expected) in [(1_795_000_000, true), (-1_795_000_000, true), (0, false)] {
            assert_eq!(over.meets(Tile::of((0, lon))), expected, "{lon}");
        }
    }

    proptest! {
        #[test]
        fn every_point_is_in_its_tile_alone(lat in LAT, lon in LON) {
            let tile = Tile::of((lat, lon));
            prop_assert_eq!(tile.to_string().parse::<Tile>(), Ok(tile));
            let bounds = tile.bounds();
            prop_assert!(bounds.south <= lat && (lat < bounds.north || lat == 900_000_000));
            let lon = if lon == 1_800_000_000 { -lon } else { lon };
            prop_assert!(bounds.west <= lon && lon < bounds.east);
            let corner = Tile::of((bounds.south, bounds.west));
            prop_assert_eq!(corner, tile);
            if bounds.east < 1_800_000_000 {
                prop_assert_ne!(Tile::of((bounds.south, bounds.east)), tile);
            }
            let point = Bounds { south: lat, west: lon, north: lat, east: lon };
            prop_assert!(lat == 900_000_000 || point.meets(tile));
        }
    }
}
