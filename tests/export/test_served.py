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


def test_mixes_are_those_of_the_api(database, ask):
    asked = 0
    for store, period in questions(database, ["2018-03", "2018-12", "2019-01"]):
        found = exported(database, "store_mixes", "dimension, value, count, sum::BIGINT", store, period)
        # Flags and months are texts in a column of texts.
        text = {bool: lambda it: str(it).lower(), type(None): lambda it: it}
        served = [(dimension, text.get(type(row["value"]), str)(row["value"]), row["count"], row["sum"])
                  for dimension, values in ask(store, "payment_mix", period)["mix"].items() for row in values]
        assert found == sorted(served, key=str), (store, period)
        asked += bool(found)
    assert asked > STORES


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


def place_path(region, category):
    """The path of a place, or of the market where neither is given."""
    named = [("regions", region), ("categories", category)]
    path = [f"{kind}/{urllib.parse.quote(id, safe='')}" for kind, id in named if id is not None]
    return "/".join(path) or "markets/all"


def test_loyalty_of_places_and_merchants_is_that_of_the_api(database, ask):
    # What says which place or merchant a row is of, and its path.
    asked = [(f"merchants/{urllib.parse.quote(id, safe='')}", "merchant", f"id = $tag${id}$tag$") for (id,) in
             database.sql("SELECT DISTINCT id FROM 'export/merchant_loyalty.parquet' ORDER BY id").fetchall()]
    places = database.sql(
        "SELECT DISTINCT dataset, region, category FROM 'export/place_loyalty.parquet' ORDER BY ALL").fetchall()
    assert {dataset for dataset, *_ in places} == {"markets", "regions", "categories", "region_categories"}
    for dataset, *ids in places:
        of = " AND ".join(f"{column} IS NOT DISTINCT FROM " + ("NULL" if id is None else f"$tag${id}$tag$")
                          for column, id in zip(["region", "category"], ids))
        asked.append((place_path(*ids), "place", of))
    for path, kind, of in asked:
        for period in ["2018-03", "2018-Q3", "2018", "all"]:
            served = ask.path(path, "loyalty", period)

            def found(table, columns):
                return sorted(database.sql(f"SELECT {columns} FROM 'export/{kind}_{table}.parquet' "
                                           f"WHERE {of} AND period = '{period}'").fetchall())
            regulars = served["regulars"]
            expected = [(served["active"], regulars["cards"], regulars["sales_sum"])] if regulars else []
            assert found("loyalty", "cards, regular_cards, regular_sales_sum::BIGINT") == expected, (path, period)
            expected = [(row["from"], row["cards"]) for row in served["cards_by_visits"]]
            assert found("visits", '"from", cards') == expected, (path, period)
            cells = served["rfm"]["cells"] if served["rfm"] else []
            expected = [(row["recency"], row["frequency"], row["cards"], row["sales_sum"]) for row in cells]
            assert found("scores", "recency, frequency, cards, sales_sum::BIGINT") == expected, (path, period)


def test_loyalty_is_that_of_the_api(database, ask):
    counted = dict.fromkeys(["loyalty", "visits", "scores"], 0)
    for store, period in questions(database, ["2018-03", "2018-Q3", "2018", "2019", "all"]):
        served = ask(store, "loyalty", period)
        regulars = served["regulars"]
        expected = [(served["active"], regulars["cards"], regulars["sales_sum"])] if regulars else []
        found = exported(database, "store_loyalty", "cards, regular_cards, regular_sales_sum::BIGINT", store, period)
        assert found == expected, (store, period)
        counted["loyalty"] += bool(found)
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


def test_benchmarks_are_those_of_the_api(database, ask):
    columns = ", ".join(["others", *(f"{figure}_{of}::BIGINT" for figure in FIGURES for of in ["index", "percentile"])])
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
