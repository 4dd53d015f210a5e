//! `GET /v1/tiles`: tiles of the map in order of size or growth, and how busy they are by hour.

use std::str::FromStr;

use nightshard_format::{
    Error,
    record::{RANKINGS, RankBy, Ranking, TILES, tile_ranking_key},
    shard::Span,
    tile::{Bounds, Tile},
};

use super::{
    Lookup,
    asked_period::AskedPeriod,
    check_length,
    order::Order,
    parameters::Parameters,
    places::find_list,
    protected::not_told,
    shape::{Geometry, Shape},
    stores::degrees,
};
use crate::{
    generation::{ServedGeneration, TransactionFacts},
    json::Json,
    problem::{Problem, Result},
    rows::Rows,
    series::Series,
    subject::Subject,
    work::Work,
};

/// The time to read and write a tile of a list, in nanoseconds.
const TILE_NS: u64 = 2_500;
/// The time to find out where a tile is, in nanoseconds.
const BOUNDS_NS: u64 = 60;

/// A part of the map, as a request has it.
struct BoundingBox(Bounds);

impl FromStr for BoundingBox {
    type Err = &'static str;

    /// Reads `west,south,east,north` in degrees, as `GeoJSON` has it.
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let wrong = "it is not west,south,east,north in degrees";
        let mut edges = text.split(',').map(|edge| edge.trim().parse::<f64>());
        let mut next = |limit: f64| -> std::result::Result<i32, &'static str> {
            let edge = edges.next().and_then(std::result::Result::ok);
            let edge = edge.filter(|edge| edge.abs() <= limit).ok_or(wrong)?;
            #[expect(clippy::cast_possible_truncation, reason = "at most 1.8 * 10^9")]
            let units = (edge * 1e7).round() as i32;
            Ok(units)
        };
        let [west, south] = [next(180.0)?, next(90.0)?];
        let [east, north] = [next(180.0)?, next(90.0)?];
        if edges.next().is_some() || south > north {
            return Err(wrong);
        }
        Ok(Self(Bounds {
            south,
            west,
            north,
            east,
        }))
    }
}

/// Which hours of tiles are asked for.
struct Hours {
    /// Whether those of each weekday are apart.
    of_weekdays: bool,
    asked: AskedPeriod,
}

impl Hours {
    /// Takes `hours`, and where it is given the period.
    fn take(
        parameters: &mut Parameters<'_>,
        transactions: &TransactionFacts,
    ) -> std::result::Result<Option<Self>, Problem> {
        let words = [("day", false), ("week", true)];
        let Some(of_weekdays) = parameters.take_word("hours", &words)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            of_weekdays,
            asked: AskedPeriod::take(parameters, transactions.days)?,
        }))
    }

    /// Returns what tells lists by different hours apart.
    fn to_scope(&self) -> String {
        format!("{} {}", self.of_weekdays, self.asked.label())
    }

    /// Writes of when they are.
    fn write_period(&self, json: &mut Json) {
        json.key("hours_period").string(&self.asked.label());
    }

    /// Writes the hours of one tile that have rows.
    fn write(
        &self,
        json: &mut Json,
        served: &ServedGeneration,
        id: &str,
        work: &mut Work,
    ) -> Result<()> {
        let subject = Subject {
            dataset: TILES,
            key: id.as_bytes(),
        };
        let days = served.transactions()?.days;
        let series = Series::find(served.generation(), days, subject)?;
        let pattern = series
            .ok_or_else(no_tile)?
            .pattern(&self.asked.window, work)?;
        json.key("hours").begin_array();
        if self.of_weekdays {
            for hour in pattern.hours_of_weekdays() {
                write_hour(json, Some(hour.weekday), hour.hour, hour.rows);
            }
        } else {
            for (hour, rows) in pattern.hours().enumerate() {
                write_hour(json, None, hour, rows);
            }
        }
        json.end_array();
        Ok(())
    }
}

fn write_hour(json: &mut Json, weekday: Option<usize>, hour: usize, rows: Rows) {
    if rows.count == 0 {
        return;
    }
    json.begin_object();
    if let Some(weekday) = weekday {
        json.key("weekday").integer(weekday as u64);
    }
    json.key("hour").integer(hour as u64);
    json.key("count").integer(rows.count);
    json.key("sum").integer(rows.sum);
    json.end_object();
}

/// Writes the tiles of a part of the map, the largest first.
pub(super) fn write_list(mut parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    let served = lookup.served;
    let transactions = served.transactions()?;
    lookup.caller.check_places(transactions.privacy)?;
    let order = Order::take(&mut parameters, transactions.last_row)?;
    let shape = Shape::take(&mut parameters)?;
    let asked = parameters.peek("bbox").map(str::to_owned);
    let bounds = parameters.take_parsed::<BoundingBox>("bbox")?;
    let hours = Hours::take(&mut parameters, transactions)?;
    let of_hours = hours.as_ref().map(Hours::to_scope);
    let scope = [
        Some(TILES),
        Some(order.by.as_str()),
        asked.as_deref(),
        Some(shape.as_str()),
        of_hours.as_deref(),
    ];
    let page = lookup.page(&mut parameters, &scope)?;
    parameters.finish()?;
    if transactions.privacy.is_protecting() {
        return Err(not_told(transactions.privacy.k()).into());
    }
    let ranking = find_list(served, order.by, TILES, None)?;
    let tiles = tiles_within(ranking, bounds, lookup.work)?;
    let positions = page.positions(tiles.len());
    lookup.work.spend(positions.len() as u64 * TILE_NS)?;
    let json = &mut *lookup.json;
    json.begin_object();
    order.write(json);
    if let Some(hours) = &hours {
        hours.write_period(json);
    }
    json.members(&transactions.currency);
    json.key("total").integer(tiles.len() as u64);
    shape.begin_rows(json);
    for (position, tile) in &tiles[positions] {
        let id = tile.to_string();
        shape.begin_row(json, id.as_bytes(), Geometry::Box(tile.bounds()));
        write_tile(json, served, &id)?;
        if let Some(ranking) = &ranking {
            order.write_growth(json, ranking, *position)?;
        }
        if let Some(hours) = &hours {
            hours.write(json, served, &id, lookup.work)?;
            check_length(json)?;
        }
        shape.end_row(json);
    }
    json.end_array();
    if let Some(cursor) = page.next(tiles.len()) {
        json.key("next").display(cursor);
    }
    json.end_object();
    Ok(())
}

/// Returns the tiles of a ranking that are in a part of the map, each with its position.
fn tiles_within(
    ranking: Option<Ranking<'_>>,
    bounds: Option<BoundingBox>,
    work: &mut Work,
) -> Result<Vec<(usize, Tile)>> {
    let Some(ranking) = ranking else {
        return Ok(Vec::new());
    };
    work.spend(ranking.len() as u64 * BOUNDS_NS)?;
    let mut tiles = Vec::new();
    for position in 0..ranking.len() {
        let tile = tile_at(ranking, position).ok_or_else(no_tile)?;
        if bounds.as_ref().is_none_or(|within| within.0.meets(tile)) {
            tiles.push((position, tile));
        }
    }
    Ok(tiles)
}

/// Writes the members of one tile of a list.
fn write_tile(json: &mut Json, served: &ServedGeneration, id: &str) -> Result<()> {
    let summary = served.generation().summary(TILES, id.as_bytes())?;
    let totals = summary.ok_or_else(no_tile)?.statistics();
    let key = tile_ranking_key(RankBy::Transactions, id);
    let stores = served.generation().get(RANKINGS, Span::Current, &key)?;
    let stores = stores.map(|stores| Ranking::parse(stores.in_place()?));
    let stores = stores.transpose()?.ok_or_else(no_tile)?;
    json.key("id").string(id);
    write_bounds(json, id);
    json.key("stores").integer(stores.len() as u64);
    json.key("count").integer(totals.count);
    json.key("sum").integer(totals.sum);
    Ok(())
}

/// Writes the member `bbox` of a tile: its edges, west, south, east and north.
pub(super) fn write_bounds(json: &mut Json, id: &str) {
    json.key("bbox");
    let Ok(tile) = id.parse::<Tile>() else {
        return json.null();
    };
    let Bounds {
        south,
        west,
        north,
        east,
    } = tile.bounds();
    json.begin_array();
    for edge in [west, south, east, north] {
        json.float(Some(degrees(edge)));
    }
    json.end_array();
}

fn tile_at(ranking: Ranking<'_>, position: usize) -> Option<Tile> {
    std::str::from_utf8(ranking.get(position)?)
        .ok()?
        .parse()
        .ok()
}

fn no_tile() -> Error {
    Error::Corrupt {
        structure: "catalog",
        problem: "it names a tile that there is not".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_map_is_read_in_the_order_of_geojson() {
        let read = |text: &str| text.parse::<BoundingBox>().map(|read| read.0);
        let expected = Bounds {
            south: 375_000_000,
            west: 1_269_000_000,
            north: 376_000_000,
            east: 1_270_500_000,
        };
        assert_eq!(read("126.9,37.5,127.05,37.6"), Ok(expected));
        assert!(read("179, -1, -179, 1").is_ok());
        for wrong in [
            "",
            "1",
            "1,2,3",
            "1,2,3,4,5",
            "1,2,3,x",
            "1,3,2,2",
            "181,0,0,0",
            "0,-91,0,0",
            "nan,0,0,0",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
