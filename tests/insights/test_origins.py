"""Where the cards of a store come from, by docs/definitions.md, "Origins"."""

import datetime
import urllib.parse
from collections import defaultdict

from test_payment_mix import first_of, periods_of

# Comes before what is unknown, and that before each region.
MERGED, UNKNOWN = (0, b""), (1, b"")

ORIGINS = """
    WITH visits AS (
        SELECT DISTINCT store, card, day, year(day) * 12 + month(day) - 1 AS month, stores.region
        FROM payments JOIN stores USING (store)
        WHERE card IS NOT NULL AND amount > 0
    ),
    customers AS (SELECT DISTINCT store, card, month FROM visits),
    visited AS (
        SELECT customers.store, card, month, visits.region, day
        FROM customers JOIN visits USING (card, month)
        WHERE visits.store <> customers.store AND visits.region IS NOT NULL
    ),
    elsewhere AS (SELECT store, card, month, region, count(*) AS visits FROM visited GROUP BY ALL),
    often AS (SELECT store, card, month FROM visited GROUP BY ALL HAVING count(DISTINCT day) >= 3),
    origins AS (
        SELECT store, card, month, region
        FROM elsewhere JOIN often USING (store, card, month)
        QUALIFY row_number() OVER (PARTITION BY store, card, month ORDER BY visits DESC, region) = 1
    )
    SELECT store, month, region, count(*) AS cards
    FROM customers LEFT JOIN origins USING (store, card, month)
    GROUP BY ALL
"""


def origins_of(subject):
    """The cards of each store and month by where they come from; nothing where no region is known."""
    [known] = subject.query("SELECT count(region) AS regions FROM stores")
    months = defaultdict(dict)
    if known["regions"]:
        for row in subject.query(ORIGINS):
            label = UNKNOWN if row["region"] is None else (2, row["region"].encode())
            months[row["store"], row["month"]][label] = row["cards"]
    return months


def merged(cells, k):
    """What is told of a store's month, by the steps of the document."""
    if k == 1:
        return cells
    if sum(cells.values()) < k:
        return {}
    told = {label: cards for label, cards in cells.items() if cards >= k}
    short = sum(cards for cards in cells.values() if cards < k)
    if 0 < short < k:
        smallest = min(told, key=lambda label: (told[label], label))
        short += told.pop(smallest)
    return {**told, MERGED: short} if short else told


def served_label(row):
    if "merged" in row:
        assert (row["region"], row["merged"]) == (None, ["region"])
        return MERGED
    return UNKNOWN if row["region"] is None else (2, row["region"].encode())


def path(store):
    return f"/v1/stores/{urllib.parse.quote(store, safe='')}/origins"


def check(subject, k, origins, store, first, last, **parameters):
    """Compares the origins of a period; returns what its rows tell."""
    served = subject.ask(path(store), **parameters)
    told = {}
    for month in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        has_ended = first_of(month + 1) <= subject.last + datetime.timedelta(days=1)
        cells = merged(origins.get((store, month), {}), k) if k == 1 or has_ended else {}
        if cells:
            told[month] = cells
    covered = None
    if told:
        ends = first_of(min(told)), first_of(max(told) + 1) - datetime.timedelta(days=1)
        covered = dict(zip(["min_date", "max_date"], map(str, ends)))
    assert served["covered"] == covered, (store, parameters)
    by_label = defaultdict(list)
    for cells in told.values():
        for label, cards in cells.items():
            by_label[label].append(cards)
    total = sum(map(sum, by_label.values()))
    assert served["card_months"] == total
    order = sorted(by_label, key=lambda label: (-sum(by_label[label]), label))
    assert [served_label(row) for row in served["rows"]] == order, (store, parameters)
    for row, label in zip(served["rows"], order):
        [cards, *others] = by_label[label]
        assert row["card_months"] == cards + sum(others)
        assert row["share"] == row["card_months"] / total
        assert row["cards"] == (None if others else cards)
        assert ("cards" in row.get("suppressed", [])) == bool(others)
        assert min(by_label[label]) >= k
    return set(order)


def check_named_periods(subject, k, dice):
    """Compares named periods at random, and everything of some stores."""
    origins = origins_of(subject)
    days = (subject.last - subject.first).days
    found = set()
    for _ in range(60):
        store = dice.choice(subject.stores[:40] if dice.random() < 0.8 else subject.stores)
        day = subject.first + datetime.timedelta(days=dice.randrange(-40, days + 40))
        for first, last, period in periods_of(day):
            found |= check(subject, k, origins, store, first, last, period=period)
    for store in [*subject.stores[:5], *dice.sample(subject.stores, k=5)]:
        found |= check(subject, k, origins, store, subject.first, subject.last)
    assert bool(found) == any(merged(cells, k) for cells in origins.values())
    return found


def test_origins_of_named_periods_are_those_of_visits_elsewhere(subject, dice):
    found = check_named_periods(subject, 1, dice)
    assert MERGED not in found


def test_periods_of_origins_that_cut_months_are_refused(subject):
    store = subject.stores[0]
    day = (subject.first + datetime.timedelta(days=70)).replace(day=9)
    for parameter, value in [("period", day), ("min_date", day), ("fill", "zero")]:
        status, body = subject.answer(path(store), **{parameter: value})
        assert (status, body["parameter"]) == (400, parameter)
    status, _ = subject.answer("/v1/markets/all/origins")
    assert status == 404
