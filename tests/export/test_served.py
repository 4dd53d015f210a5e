"""Tables of what is told of stores beside totals, and what the API says of the same store and period."""

import http.client
import json
import random
import subprocess
import urllib.parse

import pytest
from conftest import BINARY

# Stores that are asked about, of each kind of period.
STORES = 25
# What stores are compared by.
FIGURES = ["net_sales", "sales_count", "ticket"]


@pytest.fixture(scope="module")
def ask(folder, told):
    """What asks a server of the repository."""
    server = subprocess.Popen(
        [BINARY, "serve", "--from", folder / "repository", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    address = next(line for line in server.stdout if line.startswith("listening on http://"))
    next(line for line in server.stdout if line.startswith("serving generation"))
    connection = http.client.HTTPConnection(address.strip().removeprefix("listening on http://"))

    def ask(store, resource, period=None):
        return ask_path(f"stores/{urllib.parse.quote(store, safe='')}", resource, period)

    def ask_path(path, resource, period=None):
        query = f"?period={period}" if period else ""
        connection.request("GET", f"/v1/{path}/{resource}{query}")
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 200, body
        return body["data"]

    ask.path = ask_path
    yield ask
    connection.close()
    server.terminate()
    assert server.wait() == 0


def questions(database, periods):
    """Some stores, each with a period."""
    stores = [store for (store,) in database.sql("SELECT id FROM 'export/stores.parquet' ORDER BY id").fetchall()]
    dice = random.Random(2018)
    return [(store, period) for period in periods for store in dice.sample(stores, STORES)]


def exported(database, table, columns, store, period):
    query = f"SELECT {columns} FROM 'export/{table}.parquet' WHERE id = ? AND period = ?"
    return sorted(database.execute(query, [store, period]).fetchall(), key=str)


# The table with a row for each that there is, of each kind.
LISTS = {"store": "stores", "market": "markets", "merchant": "merchants", "region": "region_totals",
         "category": "category_totals", "region_category": "region_category_totals", "tile": "tile_totals"}
PLURALS = {"store": "stores", "market": "markets", "merchant": "merchants", "region": "regions",
           "category": "categories", "tile": "tiles"}


def segments(kind, key):
    """The path of a key."""
    match kind, [urllib.parse.quote(part, safe="/" if kind == "tile" else "") for part in key]:
        case "region_category", [region, category]:
            return f"regions/{region}/categories/{category}"
        case _, [id]:
            return f"{PLURALS[kind]}/{id}"


class Keys:
    """Some stores, places, merchants or markets, and what is exported of them."""

    def __init__(self, database, kind):
        self.database, self.kind = database, kind
        self.columns = ["region", "category"] if kind == "region_category" else ["id"]
        columns = ", ".join(self.columns)
        keys = database.sql(f"SELECT {columns} FROM 'export/{LISTS[kind]}.parquet' ORDER BY ALL").fetchall()
        self.keys = random.Random(2018).sample(keys, min(len(keys), STORES))

    def exported(self, part, columns, key, period):
        where = " AND ".join(f"{name} = ?" for name in [*self.columns, "period"])
        query = f"SELECT {columns} FROM 'export/{self.kind}_{part}.parquet' WHERE {where}"
        return sorted(self.database.execute(query, [*key, period]).fetchall(), key=str)


@pytest.mark.parametrize("kind", ["store", "market", "merchant", "region", "category", "region_category"])
def test_mixes_are_those_of_the_api(database, ask, kind):
    keys, asked = Keys(database, kind), 0
    for key in keys.keys:
        for period in ["2018-03", "2018-12", "2019-01"]:
            found = keys.exported("mixes", "dimension, value, count, sum::BIGINT", key, period)
            # Flags and months are texts in a column of texts.
            text = {bool: lambda it: str(it).lower(), type(None): lambda it: it}
            mix = ask.path(segments(kind, key), "payment_mix", period)["mix"]
            served = [(dimension, text.get(type(row["value"]), str)(row["value"]), row["count"], row["sum"])
                      for dimension, values in mix.items() for row in values]
            assert found == sorted(served, key=str), (key, period)
            asked += bool(found)
    assert asked >= len(keys.keys)


def test_demographics_are_those_of_the_api(database, ask):
    asked = 0
    columns = "age_band, gender, segment, merged, count, sum::BIGINT, cards"
    for store, period in questions(database, ["2018-03", "2018-12"]):
        found = exported(database, "store_demographics", columns, store, period)
        served = [(row["age_band"], row["gender"], row["segment"], len(row.get("merged", [])), row["count"],
                   row["sum"], row["cards"]) for row in ask(store, "demographics", period)["rows"]]
        assert found == sorted(served, key=str), (store, period)
        asked += bool(found)
    assert asked > STORES


def test_demographics_of_places_are_those_of_the_api(database, ask):
    places = database.sql("""
        SELECT DISTINCT dataset, region, category FROM 'export/place_demographics.parquet' ORDER BY ALL""").fetchall()
    assert {dataset for dataset, *_ in places} == {"markets", "regions", "categories", "region_categories"}
    for dataset, region, category in places:
        named = [("regions", region), ("categories", category)]
        path = [f"{kind}/{urllib.parse.quote(id, safe='')}" for kind, id in named if id is not None]
        for period in ["2018-03", "2018-12"]:
            found = database.execute("""
                SELECT age_band, gender, segment, merged, count, count_share
                FROM 'export/place_demographics.parquet'
                WHERE (dataset, period) = (?, ?) AND region IS NOT DISTINCT FROM ? AND category IS NOT DISTINCT FROM ?
                """, [dataset, period, region, category]).fetchall()
            served = ask.path("/".join(path) or "markets/all", "demographics", period)["rows"]
            expected = [(row["age_band"], row["gender"], row["segment"], len(row.get("merged", [])), row["count"],
                         row["count_share"]) for row in served]
            assert sorted(found, key=str) == sorted(expected, key=str), (path, period)


def test_settlements_and_points_are_those_of_the_api(database, ask):
    names = ["count", "sum", "fee_count", "fees", "deposit_count", "deposits"]
    sums = ", ".join(f"sum({name})::BIGINT" for name in names)
    counted = dict.fromkeys(["settlements", "points"], 0)
    for store, period in questions(database, ["2018-03", "2018-12"]):
        found = database.execute(
            f"SELECT settles_on::VARCHAR, {sums} FROM 'export/store_settlements.parquet' "
            "WHERE id = ? AND settles_on IS NOT NULL GROUP BY settles_on ORDER BY settles_on", [store]).fetchall()
        served = ask(store, "settlements")["rows"]
        assert found == [(row["settles_on"], *(row[name] for name in names)) for row in served], store
        counted["settlements"] += bool(found)
        points = ask(store, "payment_mix", period)["points"]
        expected = [(points["count"], points["sum"])] if points else []
        assert exported(database, "store_points", "count, sum::BIGINT", store, period) == expected, (store, period)
        counted["points"] += bool(points)
    assert counted["settlements"] > STORES and counted["points"] > 0, counted


@pytest.mark.parametrize("kind", ["store", "market", "merchant", "region", "category", "region_category", "tile"])
def test_who_comes_back_is_as_the_api_says(database, ask, kind):
    columns = ("cards, new_cards, returning_cards, reactivated_cards, lapsed_cards, visits, median_gap_days, "
               "regular_cards, regular_sales_sum::BIGINT")
    keys, asked = Keys(database, kind), 0
    for key in keys.keys:
        for period in ["2018-03", "2018-Q3", "2018", "2019", "all"]:
            served = ask.path(segments(kind, key), "loyalty", period)
            found = keys.exported("loyalty", columns, key, period)
            names = ["active", "new", "returning", "reactivated", "lapsed", "visits", "median_gap_days"]
            regulars = served["regulars"] or {"cards": None, "sales_sum": None}
            expected = (*(served[name] for name in names), regulars["cards"], regulars["sales_sum"])
            # Of a period without a visit there is no row.
            assert found == ([expected] if served["active"] else []), (key, period)
            asked += bool(found)
            expected = [(row["days"], row["cards"], row["returned"], row["rate"])
                        for row in served["repeat"] if row["cards"]]
            found = keys.exported("repeats", "days, cards, returned, rate", key, period)
            assert found == sorted(expected, key=str), (key, period)
        # Those of everything are all that there are.
        expected = [(cohort["month"], later, cards) for cohort in served["cohorts"]
                    for later, cards in enumerate([cohort["cards"], *cohort["retained"]]) if cards]
        where = " AND ".join(f"{name} = ?" for name in keys.columns)
        found = database.execute(f"SELECT period, months_later, cards FROM 'export/{kind}_cohorts.parquet' WHERE {where}",
                                 list(key)).fetchall()
        assert sorted(found) == sorted(expected), key
    assert asked > len(keys.keys)


def test_last_visits_are_those_of_the_rows(database):
    found = database.sql("""
        SELECT id, period, last_visit FROM 'export/store_loyalty.parquet' WHERE period IN ('all', '2018-03')""")
    expected = database.sql("""
        WITH visits AS (SELECT id, date FROM used WHERE amount > 0 AND card_id IS NOT NULL)
        SELECT id, 'all' AS period, max(date) FROM visits GROUP BY id
        UNION ALL SELECT id, '2018-03', max(date) FROM visits WHERE strftime(date, '%Y-%m') = '2018-03' GROUP BY id""")
    assert sorted(found.fetchall()) == sorted(expected.fetchall())


def place_path(dataset, region, category):
    """The path of a place, or of the market where neither is given."""
    named = [("regions", region), ("categories", category)]
    path = [f"{kind}/{urllib.parse.quote(id, safe='')}" for kind, id in named if id is not None]
    return "/".join(path) or "markets/all"


@pytest.mark.parametrize("kind", ["merchant", "place"])
def test_visits_and_scores_of_places_and_merchants_are_those_of_the_api(database, ask, kind):
    columns = ["dataset", "region", "category"] if kind == "place" else ["id"]
    keys = database.sql(f"SELECT DISTINCT {', '.join(columns)} FROM 'export/{kind}_visits.parquet' ORDER BY ALL").fetchall()
    if kind == "place":
        assert {dataset for dataset, *_ in keys} == {"markets", "regions", "categories", "region_categories"}
    where = " AND ".join(f"{name} IS NOT DISTINCT FROM ?" for name in [*columns, "period"])
    for key in keys:
        path = place_path(*key) if kind == "place" else segments(kind, key)
        for period in ["2018-03", "2018-Q3", "2018", "all"]:
            served = ask.path(path, "loyalty", period)

            def found(table, of):
                query = f"SELECT {of} FROM 'export/{kind}_{table}.parquet' WHERE {where}"
                return sorted(database.execute(query, [*key, period]).fetchall())
            expected = [(row["from"], row["cards"]) for row in served["cards_by_visits"]]
            assert found("visits", '"from", cards') == expected, (key, period)
            cells = served["rfm"]["cells"] if served["rfm"] else []
            expected = [(row["recency"], row["frequency"], row["cards"], row["sales_sum"]) for row in cells]
            assert found("scores", "recency, frequency, cards, sales_sum::BIGINT") == expected, (key, period)


def test_visits_and_scores_are_those_of_the_api(database, ask):
    counted = dict.fromkeys(["visits", "scores"], 0)
    for store, period in questions(database, ["2018-03", "2018-Q3", "2018", "2019", "all"]):
        served = ask(store, "loyalty", period)
        expected = [(row["from"], row["to"], row["cards"]) for row in served["cards_by_visits"]]
        found = exported(database, "store_visits", '"from", "to", cards', store, period)
        assert found == sorted(expected, key=str), (store, period)
        counted["visits"] += bool(found)
        cells = served["rfm"]["cells"] if served["rfm"] else []
        expected = [(row["recency"], row["frequency"], row["cards"], row["sales_sum"]) for row in cells]
        found = exported(database, "store_scores", "recency, frequency, cards, sales_sum::BIGINT", store, period)
        assert found == sorted(expected, key=str), (store, period)
        counted["scores"] += bool(found)
    assert min(counted.values()) > STORES, counted


def test_origins_are_those_of_the_api(database, ask):
    asked = 0
    for store, period in questions(database, ["2018-03", "2018-12"]):
        found = exported(database, "store_origins", "region, merged, cards, share", store, period)
        served = [(row["region"], "merged" in row, row["cards"], row["share"])
                  for row in ask(store, "origins", period)["rows"]]
        assert found == sorted(served, key=str), (store, period)
        asked += bool(found)
    assert asked > STORES


def test_what_is_before_and_after_is_as_the_api_says(database, ask):
    asked = 0
    for store, period in questions(database, ["2018-03", "2018-12"]):
        found = exported(database, "store_before_after", "direction, dimension, value, merged, share", store, period)
        answer = ask(store, "before_after", period)
        served = [(direction, of, row[of], "merged" in row, row["share"])
                  for direction in ["before", "after"]
                  for of, rows in [("region", "regions"), ("category", "categories")]
                  for row in answer[direction][rows]]
        assert found == sorted(served, key=str), (store, period)
        asked += bool(found)
    assert asked > 0


def test_benchmarks_are_those_of_the_api(database, ask):
    columns = ", ".join(["others", *(f"{figure}_{of}" for figure in FIGURES for of in ["index", "percentile"])])
    asked = 0
    for store, period in questions(database, ["2018-03", "2018-Q3", "2018", "2019-01"]):
        served = ask(store, "benchmark", period)
        found = exported(database, "store_benchmarks", columns, store, period)
        if "reason" in served:
            assert not found, (store, period)
            continue
        expected = [served["others"]]
        for figure in FIGURES:
            standing = served[figure] or {"index": None, "percentile": None}
            expected += [standing["index"], standing["percentile"]]
        assert found == [tuple(expected)], (store, period)
        asked += 1
    assert asked > STORES


def test_shares_of_spend_are_those_of_the_api(database, ask):
    asked = 0
    for store, period in questions(database, ["2018-03", "2018-07", "2018-12", "2019-01"]):
        served = ask(store, "benchmark", period)
        found = exported(database, "store_spend_shares", "share", store, period)
        if "reason" in served:
            # Of a month without a sale there may be a row: refunds are in it, too.
            continue
        expected = [(served["spend_share"]["share"],)] if served["spend_share"] else []
        assert found == expected, (store, period)
        asked += bool(found)
    assert asked > STORES
