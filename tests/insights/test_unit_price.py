"""Unit prices: by day, over the seven days before, and of all stores over any range."""

import datetime

import pytest
from conftest import FOLDER, QUESTIONS

WEEK = datetime.timedelta(days=7)


@pytest.fixture(scope="module")
def prices(subject):
    if not subject.query("SELECT 1 FROM duckdb_views() WHERE view_name = 'price_of_day'"):
        subject.rows.execute((FOLDER / "unit_price.sql").read_text())
    return subject


def quotient(dividend, divisor):
    """The nearest double, as Python divides integers."""
    return dividend / divisor if divisor else None


def with_prices(row):
    """What is served of a row that DuckDB answers."""
    row["per_payment"] = quotient(row["sales_sum"], row["sales_count"])
    row["per_card"] = quotient(row["sales_sum"], row["cards"])
    if "card_days" in row:
        row["per_card_day"] = quotient(row["sales_sum"], row["card_days"])
    return row


def some_stores(subject, dice):
    """The busiest stores, and some others."""
    return [*subject.stores[:15], *dice.sample(subject.stores, k=25)]


def test_prices_by_day_are_those_of_the_rows(prices, dice):
    for store in some_stores(prices, dice):
        served = prices.ask(prices.path(store, "unit_price"))["rows"]
        expected = prices.query("FROM price_of_day SELECT * EXCLUDE (store, day), CAST(day AS VARCHAR) AS date "
                                "WHERE store = $store ORDER BY day", store=store)
        assert served == [with_prices(row) for row in expected], store


def test_prices_of_the_seven_days_before_are_those_of_the_rows(prices, dice):
    for store in some_stores(prices, dice):
        end = prices.last + WEEK
        served = prices.ask(prices.path(store, "unit_price"), window="trailing_7d", max_date=end)["rows"]
        expected = prices.query("FROM price_of_trailing SELECT * EXCLUDE store WHERE store = $store ORDER BY date",
                                store=store)
        for row in expected:
            date = row["date"]
            if date - WEEK < prices.first or date - WEEK / 7 > prices.last:
                row["partial"] = True
            row["date"] = str(date)
        assert served == [with_prices(row) for row in expected], store


def test_prices_of_the_market_are_those_of_all_rows(prices):
    served = prices.ask(prices.path(None, "unit_price"))["rows"]
    expected = prices.query("FROM payments SELECT CAST(day AS VARCHAR) AS date, count(*) AS sales_count, "
                            "CAST(sum(amount) AS BIGINT) AS sales_sum, count(DISTINCT card) AS cards "
                            "WHERE amount > 0 GROUP BY day ORDER BY day")
    assert served == [with_prices(row) for row in expected]


def test_prices_of_all_stores_over_any_range_are_those_of_the_rows(prices, dice):
    with_sales = 0
    for _ in range(QUESTIONS):
        first, last = prices.random_range(dice)
        served = prices.ask("/v1/unit_price", min_date=first, max_date=last, limit=30)["rows"]
        expected = {row.pop("store"): with_prices(row)
                    for row in prices.query("FROM price_of_range($first, $last)", first=first, last=last)}
        for row in served:
            store = row.pop("id")
            nothing = with_prices({"sales_count": 0, "sales_sum": 0, "cards": 0})
            assert row == expected.get(store, nothing), (store, first, last)
            with_sales += store in expected
    assert with_sales > QUESTIONS


def test_pages_of_all_stores_on_a_date_are_all_of_them(prices, dice):
    date = prices.random_range(dice)[0]
    for parameters in [{}, {"window": "trailing_7d"}]:
        view = "price_of_trailing WHERE date" if parameters else "price_of_day WHERE day"
        expected = {row["store"]: row["sales_sum"] for row in prices.query(f"FROM {view} = $date", date=date)}
        served, cursor = {}, {}
        while True:
            page = prices.ask("/v1/unit_price", date=date, limit=1_000, **parameters, **cursor)
            assert not served.keys() & {row["id"] for row in page["rows"]}
            served |= {row["id"]: row["sales_sum"] for row in page["rows"]}
            if "next" not in page:
                break
            cursor = {"cursor": page["next"]}
        assert served.keys() == set(prices.stores)
        assert {store: total for store, total in served.items() if total} == expected
