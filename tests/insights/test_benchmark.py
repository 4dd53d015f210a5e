"""Benchmarks: stores beside the others of their region and category, of named periods made of months."""

import csv
import datetime
import subprocess
from collections import Counter
from fractions import Fraction
from math import floor

import pytest
from conftest import BINARY, Subject, configured, seed
from test_payment_mix import periods_of

FIGURES = ["net_sales", "sales_count", "ticket"]
HIDDEN = ["others", *FIGURES]

# docs/definitions.md, "Benchmark": what stores sold in a period in which they have a sale.
SOLD = """
    SELECT
        store, stores.region, stores.category,
        coalesce('merchant ' || merchant, 'store ' || store) AS merchant,
        CAST(sum(amount) AS BIGINT) AS net_sales,
        count(*) FILTER (amount > 0) AS sales_count,
        CAST(sum(amount) FILTER (amount > 0) AS BIGINT) AS sales_sum,
        count(DISTINCT card) AS cards,
    FROM payments JOIN stores USING (store)
    WHERE day BETWEEN $first AND $last AND stores.region IS NOT NULL AND stores.category IS NOT NULL
    GROUP BY ALL
    HAVING count(*) FILTER (amount > 0) > 0
"""
# Cards of a region and category, without those of each store that has no sale.
CARDS = """
    WITH stores_cards AS (
        SELECT stores.region, stores.category, store, count(DISTINCT card) AS cards,
            count(*) FILTER (amount > 0) AS sales
        FROM payments JOIN stores USING (store)
        WHERE day BETWEEN $first AND $last AND stores.region IS NOT NULL AND stores.category IS NOT NULL
        GROUP BY ALL
    ),
    elsewhere AS (
        SELECT region, category, coalesce(sum(cards) FILTER (sales = 0), 0) AS elsewhere
        FROM stores_cards
        GROUP BY ALL
    ),
    whole AS (
        SELECT stores.region, stores.category, count(DISTINCT card) AS whole
        FROM payments JOIN stores USING (store)
        WHERE day BETWEEN $first AND $last
        GROUP BY ALL
    )
    SELECT region, category, CAST(whole - elsewhere AS BIGINT) AS cards
    FROM whole JOIN elsewhere USING (region, category)
"""


def half_up(number):
    return floor(number + Fraction(1, 2))


def two_digits(number):
    """A whole number of two digits and zeros."""
    step = 1
    while abs(number) / step >= 100:
        step *= 10
    return half_up(number / step) * step


def standing(own, others, k):
    """`others`: figures and cards."""
    others = sorted(others)
    middle = [others[(len(others) - 1) // 2], others[len(others) // 2]]
    median = Fraction(middle[0][0] + middle[1][0], 2)
    cards = [cards for _, cards in middle]
    others = [other for other, _ in others]
    below = sum(other < own for other in others) + Fraction(sum(other == own for other in others), 2)
    if k == 1:
        index = float(Fraction(100 * own) / median) if median > 0 else None
        return {"index": index, "percentile": float(100 * below / len(others))}
    median = two_digits(median)
    is_told = median > 0 and min(cards) >= k
    step = 25 if len(others) < 20 else 10
    percentile = half_up(100 * below / len(others) / step) * step
    if len(others) < 10:
        percentile = min(max(percentile, 25), 75)
    return {"index": half_up(Fraction(100 * own, median)) if is_told else None, "percentile": percentile}


def is_told(others, cards, k):
    if k == 1:
        return bool(others)
    sold = Counter()
    for other in others:
        sold[other["merchant"]] += other["sales_sum"]
    return len(sold) >= 5 and 2 * max(sold.values()) <= sum(sold.values()) and cards >= k


def expected_of(subject, stores, first, last, k):
    """What is expected of those of some stores that have a sale in a period, by store."""
    sold = subject.query(SOLD, first=first, last=last)
    cards = {(row["region"], row["category"]): row["cards"]
             for row in subject.query(CARDS, first=first, last=last)}
    cells = {}
    for row in sold:
        row["ticket"] = half_up(Fraction(1_000 * row["sales_sum"], row["sales_count"]))
        cells.setdefault((row["region"], row["category"]), []).append(row)
    expected = {}
    for cell in cells.values():
        for own in (row for row in cell if row["store"] in stores):
            others = [other for other in cell if other["merchant"] != own["merchant"]]
            branches = sum(other["cards"] for other in cell if other["merchant"] == own["merchant"])
            if is_told(others, cards[own["region"], own["category"]] - branches, k):
                figures = {name: standing(own[name], [(other[name], other["cards"]) for other in others], k)
                           for name in FIGURES}
                expected[own["store"]] = {"others": len(others), **figures}
            else:
                expected[own["store"]] = {**dict.fromkeys(HIDDEN), "suppressed": HIDDEN}
    return expected


def periods(subject):
    """All months, quarters and years of the data, with their ends and whether they have ended."""
    found = {}
    day = subject.first.replace(day=1)
    while day <= subject.last:
        for first, last, label in periods_of(day):
            found[label] = (first, last)
        day = (day + datetime.timedelta(days=31)).replace(day=1)
    return found


def check(subject, dice, k, stores):
    """Compares the benchmarks of stores in some periods; returns how many are told, hidden or neither."""
    places = {row["store"]: row for row in subject.query("FROM stores SELECT *")}
    counted = Counter()
    found = periods(subject)
    # The last ones have not ended, and years are few.
    asked = dice.sample(sorted(found), min(len(found), 25)) + [f"{subject.last:%Y-%m}", f"{subject.first:%Y}"]
    for label in asked:
        first, last = found[label]
        expected = expected_of(subject, set(stores), first, last, k)
        for store in stores:
            served = subject.ask(subject.path(store, "benchmark"), period=label)
            assert served.pop("partial", False) == (first < subject.first or last > subject.last)
            # test_spend_shares.py has what is hidden by itself.
            served.pop("spend_share")
            suppressed = [name for name in served.pop("suppressed", []) if name != "spend_share"]
            if suppressed:
                served["suppressed"] = suppressed
            place = places[store]
            head = {"id": store, "period": label, "region": place["region"],
                    "category": place["category"]}
            right = {**dict.fromkeys(HIDDEN), "reason": "no_sales"}
            if last > subject.last:
                right["reason"] = "incomplete"
            elif place["region"] is None:
                right["reason"] = "no_region"
            elif place["category"] is None:
                right["reason"] = "no_category"
            else:
                right = expected.get(store, right)
            assert served == {**head, **right}, (store, label)
            counted[right.get("reason", "hidden" if "suppressed" in right else "told")] += 1
    return counted


def test_benchmarks_are_those_of_the_rows(subject, dice):
    counted = check(subject, dice, 1, subject.stores[:120])
    assert counted["incomplete"] > 0
    if subject.query("FROM stores SELECT count(region) AS known")[0]["known"]:
        assert counted["told"] > 0 or len(subject.stores) < 100
    else:
        assert set(counted) == {"no_region", "incomplete"}


def put_together(path):
    """Has all stores of a dimension file in three regions, the third one small; merchants of every tenth store
    are not named."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["region"] = ["north", "south", "south", "east"][number % 4 if number % 8 else 3]
        row["merchant_id"] = row["merchant_id"] if number % 10 else ""
    with open(path, "w", newline="") as file:
        lines = csv.DictWriter(file, rows[0])
        lines.writeheader()
        lines.writerows(rows)


class Merchants(Subject):
    """So many stores of few regions and categories that some may be told of each other."""

    def __init__(self, folder, k):
        self.k = k
        path = folder / "payments.csv"
        command = [BINARY, "generate", "--quiet", "--output", path, "--stores", "900", "--cards", "4000",
                   "--transactions", "60000", "--from", "2018-11-05", "--to", "2019-04-15", "--seed", str(seed(5))]
        subprocess.run(command, check=True)
        stores = path.with_suffix(".stores.csv")
        put_together(stores)
        super().__init__(folder, path, stores, "EUR", "--config", configured(folder, k))


@pytest.fixture(scope="module", params=[10, 1], ids=lambda k: f"k={k}")
def merchants(request, tmp_path_factory):
    subject = Merchants(tmp_path_factory.mktemp("merchants"), request.param)
    yield subject
    subject.stop()


def test_benchmarks_are_told_where_the_others_hide_each_other(merchants, dice):
    counted = check(merchants, dice, merchants.k, merchants.stores[:200])
    assert counted["told"] > 50
    assert counted["hidden"] or merchants.k == 1
    configuration = merchants.ask("/v1/info/generation")["configuration"]
    assert configuration["privacy.k"] == merchants.k


def test_other_periods_are_refused(subject):
    store = subject.stores[0]
    for parameters in [{}, {"period": "all"}, {"period": "2018-W07"}, {"period": f"{subject.last}"}]:
        status, body = subject.answer(subject.path(store, "benchmark"), **parameters)
        assert (status, body["parameter"]) == (400, "period")
    status, _ = subject.answer(subject.path(None, "benchmark"), period="2018")
    assert status == 404
