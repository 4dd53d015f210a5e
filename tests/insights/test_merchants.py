"""Merchants of several stores: every insight of stores, of the rows of these together, exact whatever is hidden of
places."""

import csv
import subprocess
import urllib.parse

import pytest
from conftest import BINARY, QUESTIONS, Subject, configured, generated
from ranges import check_histograms, check_statistics
from test_loyalty import check as check_loyalty
from test_loyalty import prepare as prepare_loyalty
from test_payment_mix import check as check_mix
from test_payment_mix import dimensions_of, periods_of
from test_visits import CARD_DAYS, OF_STORE, periods_of_months
from test_visits import check as check_visits

# A merchant has books of its own where two stores or more are its.
MERCHANTS = """
    CREATE TABLE merchants AS
    SELECT store, merchant FROM stores WHERE merchant IS NOT NULL
    QUALIFY count(*) OVER (PARTITION BY merchant) > 1
"""
# Rows of each merchant, as rows of a store of that name.
ROWS = """
    CREATE OR REPLACE TABLE payments AS
    SELECT payments.* REPLACE (merchant AS store) FROM payments JOIN merchants ON merchants.store = payments.store
"""
PRICES = """
    SELECT CAST(day AS VARCHAR) AS date, count(*) AS sales_count, CAST(sum(amount) AS BIGINT) AS sales_sum,
        count(DISTINCT card) AS cards
    FROM payments WHERE store = $store AND amount > 0 GROUP BY day ORDER BY day
"""
HOURS = """
    SELECT isodow(day) AS weekday, hour(ts) AS hour, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM payments WHERE store = $store GROUP BY ALL ORDER BY ALL
"""
LIST = """
    SELECT store AS id, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM payments GROUP BY store ORDER BY {by} DESC, id
"""


def name_merchants(path):
    """Puts the stores of a dimension file under a few merchants, one of which has one, and some under none."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["merchant_id"] = ["east & co", "west/2", "", "café", "café"][number % 5] if number else "alone"
    with open(path, "w", newline="") as file:
        lines = csv.DictWriter(file, rows[0])
        lines.writeheader()
        lines.writerows(rows)


class Merchants(Subject):
    """The merchants of a build, in the place of its stores."""

    def __init__(self, folder):
        payments, stores, currency = generated(folder)
        name_merchants(stores)
        super().__init__(folder, payments, stores, currency, "--config", configured(folder, 10))
        self.rows.execute(MERCHANTS)
        self.rows.execute(ROWS)
        self.stores = [store for (store,) in self.rows.execute(
            "FROM payments SELECT store GROUP BY store ORDER BY count(*) DESC, store").fetchall()]

    def path(self, merchant, resource):
        base = f"/v1/merchants/{urllib.parse.quote(merchant, safe='')}"
        return f"{base}/{resource}" if resource else base


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    subject = Merchants(tmp_path_factory.mktemp("merchants"))
    yield subject
    subject.stop()


def test_statistics_and_histograms_of_any_range_are_those_of_the_rows(subject, dice):
    assert len(subject.stores) == 3
    assert check_statistics(subject, dice, QUESTIONS, subject.stores) > QUESTIONS / 2
    assert check_histograms(subject, dice, QUESTIONS, subject.stores) > QUESTIONS / 4


def test_prices_and_hours_are_those_of_the_rows(subject):
    for merchant in subject.stores:
        expected = subject.query(PRICES, store=merchant)
        served = subject.ask(subject.path(merchant, "unit_price"))["rows"]
        assert [{name: row[name] for name in expected[0]} for row in served] == expected, merchant
        expected = subject.query(HOURS, store=merchant)
        served = subject.ask(subject.path(merchant, "consumption_pattern"))["rows"]
        served = sorted(({name: row[name] for name in expected[0]} for row in served),
                        key=lambda row: (row["weekday"], row["hour"]))
        assert served == expected, merchant


def test_loyalty_of_any_range_is_that_of_the_rows(subject, dice):
    prepare_loyalty(subject)
    for _ in range(QUESTIONS // 20):
        first, last = subject.random_range(dice)
        check_loyalty(subject, dice.choice(subject.stores), first, last, min_date=first, max_date=last)


def test_visits_of_every_named_period_are_those_of_the_rows(subject):
    subject.rows.execute(CARD_DAYS)
    regulars = 0
    for merchant in subject.stores:
        subject.rows.execute(OF_STORE, {"store": merchant})
        for first, last, period in periods_of_months(subject.first, subject.last):
            regulars += check_visits(subject, merchant, first, last, period)
    assert regulars > 0


def test_mixes_of_named_periods_are_those_of_the_rows(subject, dice):
    present = dimensions_of(subject)
    assert len(present) > 5
    for merchant in subject.stores:
        # What a store does not say of a month is not said of its rows.
        assert check_mix(subject, present, merchant, subject.first, subject.last) > 5
        for first, last, period in periods_of(subject.random_range(dice)[0]):
            check_mix(subject, present, merchant, first, last, period=period)


@pytest.mark.parametrize(("order", "by"), [("transactions", "count"), ("amount", "sum")])
def test_merchants_are_listed_by_size(subject, order, by):
    served = subject.ask("/v1/merchants", rank_by=order)
    assert served["rows"] == subject.query(LIST.format(by=by))
    assert served["total"] == len(subject.stores)


def test_a_merchant_of_one_store_and_one_that_is_not_are_not_found(subject):
    for merchant in ["alone", "nobody"]:
        for resource in ["", "statistics", "loyalty"]:
            status, body = subject.answer(subject.path(merchant, resource))
            assert status == 404, body


def test_all_of_it_is_verified(subject):
    subprocess.run([BINARY, "verify", "--quiet", subject.folder / "repository"], check=True)
