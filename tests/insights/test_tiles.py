"""Tiles of the map: the stores in them together, by docs/definitions.md, "Tiles"."""

import pytest
from conftest import QUESTIONS
from ranges import STATISTICS, ask_at_random

H = 80_000
LIST = """
    SELECT tile AS id, count(DISTINCT store) AS stores, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM payments JOIN tiles USING (store)
    GROUP BY tile
    ORDER BY {by} DESC, id
"""
# Rows of a tile, as rows of a store of that name.
OF_TILE = STATISTICS.replace(
    "FROM payments", "FROM (SELECT * REPLACE (tile AS store) FROM payments JOIN tiles USING (store)) AS payments")
HOURS = """
    SELECT tile, {weekday} hour(ts) AS hour, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM payments JOIN tiles USING (store)
    WHERE day BETWEEN $first AND $last
    GROUP BY ALL
    ORDER BY ALL
"""
# Of the ranges that are asked, all at once: each has a tile in the place of a store.
HOURS_OF_ALL = """
    SELECT number, {weekday} hour(ts) AS hour, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM asked JOIN tiles ON tile = asked.store JOIN payments ON payments.store = tiles.store
    WHERE day BETWEEN first AND last
    GROUP BY ALL
    ORDER BY ALL
"""


def columns(row):
    u = 2 * (row if row >= 0 else -1 - row) + 1
    return H * (H * H - 4 * u * u) // (H * H + u * u)


def tile(lat, lon):
    row = min(lat // 45_000, 19_999)
    return row, (lon + 1_800_000_000) % 3_600_000_000 * columns(row) // 3_600_000_000


def edges(row, column):
    """West, south, east and north, in degrees: the first and the last longitudes that are in the tile."""
    west, east = (-(-edge * 3_600_000_000 // columns(row)) - 1_800_000_000 for edge in [column, column + 1])
    return [degrees / 1e7 for degrees in [west, row * 45_000, east, (row + 1) * 45_000]]


def name(row, column):
    return f"{row}/{column}"


@pytest.fixture(scope="module")
def tiles(subject):
    """The tiles by name; `subject` then knows the tile of each store."""
    located = subject.rows.execute(
        "SELECT store_id, CAST(lat AS DOUBLE), CAST(lon AS DOUBLE) FROM dimension WHERE lat <> '' AND lon <> ''"
    ).fetchall()
    found = [(store, tile(round(lat * 1e7), round(lon * 1e7)))
             for store, lat, lon in located if abs(lat) <= 90 and abs(lon) <= 180]
    subject.rows.execute("CREATE OR REPLACE TABLE tiles (store TEXT, tile TEXT)")
    if found:
        subject.rows.executemany("INSERT INTO tiles VALUES (?, ?)", [[store, name(*at)] for store, at in found])
    return {name(*at): at for _, at in found}


def all_tiles(subject, **parameters):
    """The rows of a list, whole, and what the first page says of it."""
    first = page = subject.ask("/v1/tiles", limit=1_000, **parameters)
    rows = page["rows"]
    while "next" in page:
        page = subject.ask("/v1/tiles", limit=1_000, cursor=page["next"], **parameters)
        rows += page["rows"]
    assert first["total"] == len(rows)
    return rows


@pytest.mark.parametrize(("order", "by"), [("transactions", "count"), ("amount", "sum")])
def test_tiles_are_listed_by_size_wherever_they_are(subject, tiles, dice, order, by):
    expected = [row | {"bbox": edges(*tiles[row["id"]])} for row in subject.query(LIST.format(by=by))]
    assert all_tiles(subject, rank_by=order) == expected
    for row in dice.sample(expected, min(len(expected), 10)):
        west, south, east, north = row["bbox"]
        middle = (west + east) / 2, (south + north) / 2
        inside = all_tiles(subject, bbox="{0},{1},{0},{1}".format(*middle))
        assert [found["id"] for found in inside] == [row["id"]]
        west, south, east, north = west - 0.05, south - 0.03, east + 0.02, north + 0.04
        beside = [other["id"] for other in expected
                  if other["bbox"][2] > west and other["bbox"][0] <= east
                  and other["bbox"][3] > south and other["bbox"][1] <= north]
        found = all_tiles(subject, rank_by=order, bbox=f"{west:.7f},{south:.7f},{east:.7f},{north:.7f}")
        assert [tile["id"] for tile in found] == beside


def test_a_tile_is_its_stores_together(subject, tiles, dice):
    for place in dice.sample(sorted(tiles), min(len(tiles), 30)):
        [expected] = subject.query(OF_TILE, store=place, first=subject.first, last=subject.last)
        if not expected["count"]:
            assert subject.answer(f"/v1/tiles/{place}/statistics")[0] == 404
            continue
        [row] = subject.ask(f"/v1/tiles/{place}/statistics", group_by="all")["rows"]
        del expected["std"]
        assert {figure: row[figure] for figure in expected} == expected, place
        pattern = subject.ask(f"/v1/tiles/{place}/consumption_pattern")
        assert (pattern["count"], pattern["sum"]) == (expected["count"], expected["sum"])
        profile = subject.ask(f"/v1/tiles/{place}")
        assert (profile["id"], profile["cards"]) == (place, expected["cards"])
        assert profile["bbox"] == edges(*tiles[place])


@pytest.mark.parametrize(("hours", "weekday"), [("day", ""), ("week", "isodow(ts) AS weekday,")])
def test_hours_of_tiles_are_those_of_their_rows(subject, tiles, dice, hours, weekday):
    first, last = subject.random_range(dice)
    while last < subject.first or first > subject.last:
        first, last = subject.random_range(dice)
    expected = {}
    for row in subject.query(HOURS.format(weekday=weekday), first=first, last=last):
        expected.setdefault(row.pop("tile"), []).append(row)
    rows = all_tiles(subject, hours=hours, min_date=first, max_date=last)
    assert {row["id"]: row["hours"] for row in rows if row["hours"]} == expected
    assert len(rows) == len(subject.query(LIST.format(by="count")))


@pytest.mark.parametrize(("hours", "weekday"), [("day", ""), ("week", "isodow(ts) AS weekday,")])
def test_hours_of_a_tile_over_any_range_are_those_of_its_rows(subject, tiles, dice, hours, weekday):
    listed = {row["id"]: row["bbox"] for row in all_tiles(subject)}
    if not listed:
        assert not tiles
        return
    questions = ask_at_random(subject, dice, QUESTIONS // 4, sorted(listed))
    expected = [[] for _ in questions]
    for row in subject.query(HOURS_OF_ALL.format(weekday=weekday)):
        expected[row.pop("number")].append(row)
    for (place, first, last), rows in zip(questions, expected, strict=True):
        west, south, east, north = listed[place]
        middle = "{0},{1},{0},{1}".format((west + east) / 2, (south + north) / 2)
        [served] = all_tiles(subject, hours=hours, bbox=middle, min_date=first, max_date=last)
        assert served["id"] == place
        assert (served["hours"] or []) == rows, (place, first, last)
    assert sum(map(bool, expected)) > QUESTIONS / 20


def test_tiles_are_features_of_a_map(subject, tiles):
    rows = subject.ask("/v1/tiles", limit=50)
    served = subject.ask("/v1/tiles", limit=50, format="geojson")
    assert served["type"] == "FeatureCollection"
    assert [feature["properties"] for feature in served["features"]] == rows["rows"]
    for feature in served["features"]:
        west, south, east, north = edges(*tiles[feature["id"]])
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        assert feature["geometry"] == {"type": "Polygon", "coordinates": [ring]}
    stores = subject.ask("/v1/stores", limit=50, format="geojson")["features"]
    for feature in stores:
        profile = subject.ask(subject.path(feature["id"], "").rstrip("/"))
        point = [profile["lon"], profile["lat"]]
        expected = None if None in point else {"type": "Point", "coordinates": point}
        assert feature["geometry"] == expected


@pytest.mark.parametrize("bbox", ["1", "1,2,3", "1,2,3,4,5", "1,3,2,2", "x,0,1,1", "181,0,182,1", "0,-91,1,1"])
def test_what_is_no_part_of_the_map_is_refused(subject, bbox):
    status, body = subject.answer("/v1/tiles", bbox=bbox)
    assert (status, body["parameter"]) == (400, "bbox")
