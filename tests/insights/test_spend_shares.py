"""The share that a store has of what its cards spend, by docs/definitions.md, "Share of observed spend"."""

import csv
import datetime
import subprocess
import urllib.parse
from collections import Counter
from fractions import Fraction
from math import floor

import pytest
from conftest import BINARY, Subject, configured, seed
from test_payment_mix import first_of, periods_of

# What the cards of each store and month spent there, what in all stores of its region and category, and whether
# at least $k cards and five merchants besides the store's own are behind what is left.
SPEND = """
    WITH all_spent AS (
        SELECT store, card, year(day) * 12 + month(day) - 1 AS month, stores.region, stores.category,
            coalesce('merchant ' || merchant, 'store ' || store) AS merchant, sum(amount) AS amount
        FROM payments JOIN stores USING (store)
        WHERE card IS NOT NULL AND stores.region IS NOT NULL AND stores.category IS NOT NULL
        GROUP BY ALL
    ),
    spent AS (
        SELECT * FROM all_spent
        QUALIFY count(*) OVER (PARTITION BY card, month, region, category) <= 64
    ),
    pairs AS (
        SELECT own.store, own.month, own.card, other.merchant, other.amount,
            own.store = other.store AS is_own, own.merchant = other.merchant AS is_of_merchant
        FROM spent AS own JOIN spent AS other
            ON own.card = other.card AND own.month = other.month
            AND own.region = other.region AND own.category = other.category
    ),
    shares AS (
        SELECT store, month, sum(amount) FILTER (is_own) AS own, sum(amount) AS cell
        FROM pairs
        GROUP BY store, month
    ),
    elsewhere AS (
        SELECT store, month, card
        FROM pairs
        WHERE NOT is_of_merchant
        GROUP BY store, month, card
        HAVING sum(amount) > 0
    ),
    cards AS (
        SELECT store, month, count(*) AS cards
        FROM elsewhere
        GROUP BY store, month
    ),
    by_merchant AS (
        SELECT store, month, merchant, sum(amount) AS amount
        FROM pairs
        WHERE NOT is_of_merchant
        GROUP BY store, month, merchant
    ),
    others AS (
        SELECT store, month, count(*) FILTER (amount > 0) AS merchants, max(abs(amount)) AS largest,
            sum(amount) AS amount
        FROM by_merchant
        GROUP BY store, month
    )
    SELECT shares.store, shares.month, CAST(own AS BIGINT) AS own, CAST(cell AS BIGINT) AS cell,
        coalesce(cards >= $k AND merchants >= 5 AND 2 * largest <= others.amount, false) AS hides
    FROM shares
    LEFT JOIN cards ON cards.store = shares.store AND cards.month = shares.month
    LEFT JOIN others ON others.store = shares.store AND others.month = shares.month
"""
# In which months a card came.
CAME = """
    SELECT DISTINCT store, year(day) * 12 + month(day) - 1 AS month
    FROM payments
    WHERE card IS NOT NULL
"""


def last_day_of(month):
    return first_of(month + 1) - datetime.timedelta(days=1)


def told_of(subject, k):
    """By store and month that has ended: the sums that may be told."""
    return {(row["store"], row["month"]): (row["own"], row["cell"]) for row in subject.query(SPEND, k=k)
            if (k == 1 or row["hides"]) and last_day_of(row["month"]) <= subject.last}


def came_of(subject):
    return {(row["store"], row["month"]) for row in subject.query(CAME)}


def share_of(own, cell, k):
    if own < 0 or cell <= 0:
        return None
    if k == 1:
        return own / cell
    return floor(Fraction(100 * own, cell) + Fraction(1, 2)) / 100


def check(subject, k, told, came, store, first, last, label):
    """Compares the share of a period; returns whether it is told, hidden or neither."""
    served = subject.ask(f"/v1/stores/{urllib.parse.quote(store, safe='')}/benchmark", period=label)
    hidden = "spend_share" in served.get("suppressed", [])
    if "reason" in served:
        assert (served["spend_share"], hidden) == (None, False)
        return "reason"
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    of_months = {month: told[store, month] for month in months if (store, month) in told}
    if not of_months:
        assert served["spend_share"] is None, (store, label)
        assert hidden == any((store, month) in came for month in months), (store, label)
        return "hidden" if hidden else "nothing"
    own, cell = (sum(sums) for sums in zip(*of_months.values()))
    covered = {"min_date": str(first_of(min(of_months))), "max_date": str(last_day_of(max(of_months)))}
    assert served["spend_share"] == {"share": share_of(own, cell, k), "covered": covered}, (store, label)
    assert not hidden
    return "told"


def check_periods(subject, k, stores, dice, questions):
    """Compares named periods of some stores at random; returns how many are told, hidden and neither."""
    told, came = told_of(subject, k), came_of(subject)
    counted = Counter()
    days = (subject.last - subject.first).days
    for _ in range(questions):
        store = dice.choice(stores)
        day = subject.first + datetime.timedelta(days=dice.randrange(days + 1))
        for first, last, label in periods_of(day):
            counted[check(subject, k, told, came, store, first, last, label)] += 1
    return counted


def test_shares_are_those_of_what_cards_paid_in_all_stores_of_a_kind(subject, dice):
    counted = check_periods(subject, 1, subject.stores[:120], dice, 100)
    [known] = subject.query("FROM stores SELECT count(region || category) AS stores")
    # Without any region or category there is nothing.
    assert bool(counted["told"]) == bool(known["stores"])


def put_together(path):
    """Has all stores of a dimension file in one category and three regions, one of which has five stores; of every
    tenth the merchant is not named, and one merchant has many."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["category"] = "food"
        row["region"] = "east" if number % 24 == 5 else ["north", "south", "north"][number % 3]
        row["merchant_id"] = "" if number % 10 == 0 else "chain" if number % 10 == 1 else row["merchant_id"]
    with open(path, "w", newline="") as file:
        lines = csv.DictWriter(file, rows[0])
        lines.writeheader()
        lines.writerows(rows)


class Few(Subject):
    """So few stores that cards come to many of a kind in a month, and some days of a month before."""

    def __init__(self, folder, k):
        self.k = k
        path = folder / "payments.csv"
        command = [BINARY, "generate", "--quiet", "--output", path, "--stores", "120", "--cards", "1500",
                   "--transactions", "60000", "--from", "2018-10-29", "--to", "2019-04-15", "--seed", str(seed(5))]
        subprocess.run(command, check=True)
        stores = path.with_suffix(".stores.csv")
        put_together(stores)
        super().__init__(folder, path, stores, "EUR", "--config", configured(folder, k))


@pytest.fixture(scope="module", params=[10, 1], ids=lambda k: f"k={k}")
def few(request, tmp_path_factory):
    few = Few(tmp_path_factory.mktemp("few"), request.param)
    yield few
    few.stop()


def test_shares_are_told_where_cards_and_other_merchants_hide_each_other(few, dice):
    counted = check_periods(few, few.k, few.stores, dice, 300)
    assert counted["told"] > 50
    assert (counted["hidden"] > 0) == (few.k > 1)
