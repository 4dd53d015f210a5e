"""The tree of regions: those above others are their stores together, or sums of what is told of them."""

import csv
import urllib.parse

import pytest
from conftest import Subject, generated
from ranges import STATISTICS
from test_places import LIST, ROWS, Places
from test_privacy import Protected, cards_of_parts, cards_told, compare, payments_of_many
from test_visits import CARD_DAYS, OF_STORE, periods_of_months
from test_visits import check as check_visits

DISTRICTS, PROVINCES = 4, 2

# Rows of each place that a store is in, as rows of a store of that name. `above`: of what stores say for a region, the
# regions that they are in then.
PLACES = """
    CREATE TABLE places AS
    SELECT store, 'regions|' || id AS place FROM stores JOIN above USING (region)
    UNION ALL
    SELECT store, 'regions|' || id || '|categories|' || category
    FROM stores JOIN above USING (region) WHERE category IS NOT NULL
"""


def tree_of(stores):
    """Rows of a file of regions, and of each region, as stores say it, the ids that they are in then.

    Every other region is known by its id, the others by their names, in capitals. One lies in no district, one is in no
    file, and of one, which is a district, another is a part."""
    with open(stores, newline="") as file:
        regions = sorted({row["region"] for row in csv.DictReader(file)} - {""})
    assert len(regions) > 4
    rows = [(f"province {number}", f"Province No. {number}", "", 35 + number, 127.5) for number in range(PROVINCES)]
    rows += [(f"district {number}", "", f"province {number % PROVINCES}", "", "") for number in range(DISTRICTS)]
    in_them = {}
    for number, region in enumerate(regions):
        district = number % DISTRICTS
        above = [f"district {district}", f"province {district % PROVINCES}"]
        if number == 2:
            above = above[1:]
        if number == 4:
            above = in_them[regions[0]]
        region_id = region if number % 2 else f"id-{number}"
        if number == 3:
            in_them[region] = [region]
            continue
        rows.append((region_id, region.upper(), above[0], "", ""))
        in_them[region] = [region_id, *above]
    return rows, in_them


class Tree:
    """The file of regions of a build."""

    def build_options(self):
        rows, in_them = tree_of(self.folder / "payments.stores.csv")
        path = self.folder / "regions.csv"
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([("region", "name", "parent", "lat", "lon"), *rows])
        self.tree = {row[0]: row for row in rows}
        self.in_them = in_them
        return ["--regions", path]

    def ids(self):
        """All regions that stores are in."""
        return sorted({region for path in self.in_them.values() for region in path})

    def below(self, region):
        """The ids that stores say which are in a region."""
        return {path[0] for path in self.in_them.values() if region in path}


class Exact(Tree, Subject):
    """A build that tells places exactly."""

    wholes = []
    path = Places.path

    def __init__(self, folder, payments, stores, currency):
        super().__init__(folder, payments, stores, currency)
        self.rows.execute("CREATE TABLE above (region TEXT, id TEXT)")
        self.rows.executemany("INSERT INTO above VALUES (?, ?)",
                              [[region, one] for region, path in self.in_them.items() for one in path])
        self.rows.execute(PLACES)
        self.rows.execute(ROWS)
        self.stores = [place for (place,) in self.rows.execute(
            "SELECT DISTINCT store FROM payments ORDER BY store").fetchall()]


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regions")
    subject = Exact(folder, *generated(folder))
    yield subject
    subject.stop()


def test_regions_of_every_level_are_their_stores_together(exact, dice):
    for place in exact.stores:
        first, last = exact.random_range(dice)
        for days in [(first, last), (exact.first, exact.last)]:
            served = exact.ask(exact.path(place, "statistics"), min_date=days[0], max_date=days[1],
                               group_by="all", fill="zero")["rows"]
            [expected] = exact.query(STATISTICS, store=place, first=days[0], last=days[1])
            del expected["std"]
            row = served[0] if served else dict.fromkeys(expected) | {"count": 0}
            if expected["count"] or served:
                assert {name: row[name] for name in expected} == expected, (place, days)


def test_visits_of_cards_in_regions_of_every_level_are_those_of_the_rows(exact):
    exact.rows.execute(CARD_DAYS)
    for place in exact.stores:
        exact.rows.execute(OF_STORE, {"store": place})
        for first, last, period in periods_of_months(exact.first, exact.last):
            if len(period) < 7:
                check_visits(exact, place, first, last, period)


def test_regions_are_listed_whole_and_by_what_they_are_parts_of(exact):
    rows = exact.query(LIST.format(by="count"), pattern="regions|%", parts=2)
    for row in rows:
        _, name, parent, lat, lon = exact.tree.get(row["id"], (None, "", "", "", ""))
        row |= {"name": name or None, "parent": parent or None, "lat": lat or None, "lon": lon or None}
    assert sorted(row["id"] for row in rows) == exact.ids()
    assert exact.ask("/v1/regions", limit=1_000)["rows"] == rows
    listed = 0
    for parent in ["", *exact.ids()]:
        expected = [row for row in rows if row["parent"] == (parent or None)]
        served = exact.ask("/v1/regions", parent=parent, limit=1_000)
        assert served["rows"] == expected, parent
        assert served["total"] == len(expected)
        listed += len(expected)
    assert listed == len(rows)
    for region in exact.ids():
        path = f"/v1/regions/{urllib.parse.quote(region, safe='')}/categories"
        expected = exact.query(LIST.format(by="count"), pattern=f"regions|{region}|categories|%", parts=4)
        assert exact.ask(path, limit=1_000)["rows"] == expected, region


def test_regions_are_found_by_their_names(exact):
    for region in exact.ids():
        _, name, *_ = exact.tree.get(region, (region, region))
        found = exact.ask("/v1/search", q=name or region, kind="region", limit=1_000)["rows"]
        assert {"kind": "region", "id": region, "name": name or region} in found
    assert exact.answer("/v1/search", q="rovinc", kind="region")[1]["data"]["rows"]


class OfMany(Tree, Protected):
    """A build that protects what it tells of places."""


@pytest.fixture(scope="module", params=[payments_of_many, generated], ids=lambda source: source.__name__)
def protected(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("protected-regions")
    subject = OfMany(folder, *request.param(folder))
    yield subject
    subject.stop()


def test_what_is_told_of_a_region_is_the_sum_of_what_is_told_of_its_parts(protected):
    # Atoms are of regions as stores say them, which are told under the ids that these have in the file.
    said = {path[0]: region for region, path in protected.in_them.items()}
    days = 0
    for region in protected.ids():
        wanted = {f"regions|{said[below]}" for below in protected.below(region)}
        found = [({region}, cell) for places, cell in protected.atoms if places & wanted]
        path = f"/v1/regions/{urllib.parse.quote(region, safe='')}"
        cards = cards_told if len(wanted) == 1 else cards_of_parts
        days += compare(protected, f"{path}/statistics", region, found, cards)
        told = protected.ask(path)
        rows = [row for _, cell in found for row in cell.rows]
        assert told["count"] == (len(rows) or None)
        assert told["sum"] == (sum(row["amount"] for row in rows) if rows else None)
    listed = protected.ask("/v1/regions", limit=1_000)["rows"]
    assert sorted(row["id"] for row in listed) == protected.ids()
    counts = [row["count"] for row in listed]
    assert counts == sorted(counts, key=lambda count: -1 if count is None else count, reverse=True)
    for row in listed:
        path = f"/v1/regions/{urllib.parse.quote(row['id'], safe='')}"
        assert (row["count"], row["sum"]) == tuple(protected.ask(path)[name] for name in ["count", "sum"])


def test_nothing_is_told_of_tiles_where_answers_are_protected(protected):
    for path in ["/v1/tiles", "/v1/tiles/8348/53978", "/v1/tiles/8348/53978/statistics"]:
        assert protected.answer(path)[0] == 403
