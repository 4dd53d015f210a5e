"""Regions, categories, and the categories of each region: every insight of stores, of their rows together."""

import urllib.parse

import pytest
from conftest import QUESTIONS, Subject, generated
from ranges import check_histograms, check_statistics
from test_comparison import test_comparisons_of_any_range_are_those_of_the_rows
from test_consumption_pattern import (
    test_patterns_of_named_periods_are_those_of_the_rows,
    test_patterns_over_any_range_are_those_of_the_rows,
)
from test_loyalty import (
    test_loyalty_of_named_periods_is_that_of_the_rows,
    test_loyalty_over_any_range_is_that_of_the_rows,
)
from test_sales_by_day import test_sales_and_series_of_any_range_are_joined_by_date
from test_unit_price import (
    prices,
    test_prices_by_day_are_those_of_the_rows,
    test_prices_of_the_seven_days_before_are_those_of_the_rows,
)
from test_visits import (
    test_days_weeks_and_ranges_have_no_visits_of_cards,
    test_visits_of_every_named_period_are_those_of_the_rows,
)

# Rows of each place that a store is in, as rows of a store of that name.
PLACES = """
    CREATE TABLE places AS
    WITH stores AS (
        SELECT store_id AS store, nullif(region, '') AS region, nullif(category, '') AS category
        FROM read_csv(?, all_varchar = true)
    )
    SELECT store, 'regions|' || region AS place FROM stores WHERE region IS NOT NULL
    UNION ALL
    SELECT store, 'categories|' || category FROM stores WHERE category IS NOT NULL
    UNION ALL
    SELECT store, 'regions|' || region || '|categories|' || category
    FROM stores WHERE region IS NOT NULL AND category IS NOT NULL
"""
ROWS = """
    CREATE OR REPLACE TABLE payments AS
    SELECT place AS store, card, ts, day, amount FROM payments JOIN places USING (store)
"""
LIST = """
    SELECT regexp_extract(store, '[^|]*$') AS id, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum,
        (SELECT count(DISTINCT of.store) FROM places AS of WHERE place = payments.store) AS stores
    FROM payments
    WHERE store LIKE $pattern AND len(string_split(store, '|')) = $parts
    GROUP BY store
    ORDER BY {by} DESC, id
"""


class Places(Subject):
    """The places of a build, in the place of its stores."""

    # The market is no sum of these rows, which are there once for each place.
    wholes = []

    def __init__(self, folder, payments, stores, currency):
        super().__init__(folder, payments, stores, currency)
        self.rows.execute(PLACES, [str(stores)])
        self.rows.execute(ROWS)
        self.stores = [store for (store,) in self.rows.execute(
            "FROM payments SELECT store GROUP BY store ORDER BY count(*) DESC, store").fetchall()]

    def path(self, store, resource):
        # Ids may hold a slash, which is encoded.
        segments = [urllib.parse.quote(part, safe="") for part in store.split("|")]
        return "/".join(["/v1", *segments, *([resource] if resource else [])])


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    subject = Places(folder, *generated(folder))
    yield subject
    subject.stop()


def test_statistics_over_any_range_are_those_of_the_rows(subject, dice):
    assert check_statistics(subject, dice, QUESTIONS, subject.stores) > QUESTIONS / 2


def test_histograms_count_the_rows_of_any_range(subject, dice):
    assert check_histograms(subject, dice, QUESTIONS, subject.stores) > QUESTIONS / 4


@pytest.mark.parametrize(("order", "by"), [("transactions", "count"), ("amount", "sum")])
def test_places_are_listed_by_size(subject, order, by):
    [[region]] = subject.rows.execute(
        "FROM payments SELECT regexp_extract(store, '[^|]*[|][^|]*') WHERE store LIKE 'regions|%|categories|%' "
        "GROUP BY ALL ORDER BY count(DISTINCT store) DESC LIMIT 1"
    ).fetchall()
    for path, pattern in [("regions", "regions|%"), ("categories", "categories|%"),
                          (f"{region}|categories", f"{region}|categories|%")]:
        served = subject.ask(subject.path(path, ""), rank_by=order, limit=1_000)
        expected = subject.query(LIST.format(by=by), pattern=pattern, parts=pattern.count("|") + 1)
        assert served["rows"] == expected, path
        assert served["total"] == len(expected) > 1
        assert served["rank_by"] == order


def test_a_place_says_which_it_is(subject):
    for place in subject.stores:
        served = subject.ask(subject.path(place, ""))
        parts = place.split("|")
        of = dict(zip(parts[::2], parts[1::2]))
        assert served["id"] == parts[-1]
        assert (served["region"], served["category"]) == (of.get("regions"), of.get("categories"))


def test_what_is_no_place_is_not_found(subject):
    for path in ["regions/nowhere", "categories/nothing", "regions/nowhere/categories",
                 "regions/nowhere/categories/nothing", "regions/nowhere/statistics"]:
        status, body = subject.answer(f"/v1/{path}")
        assert status == 404, body
