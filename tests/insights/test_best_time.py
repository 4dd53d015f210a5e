"""The best time to buy: the quietest and the cheapest hour and weekday, of any period and any range."""

import datetime
from fractions import Fraction

from conftest import named_periods

# docs/definitions.md, "Best time": every row has a time here, and the day begins at midnight.
SLOTS = """
    SELECT {slot} AS slot, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM payments
    WHERE {scope} AND day BETWEEN $first AND $last
    GROUP BY ALL ORDER BY ALL
"""
KINDS = {"hour": "hour(ts)", "weekday": "isodow(day)"}
MEAN_ROWS = 10


def best(rows, kind, shown):
    """The quietest and the cheapest of hours or weekdays, with the rows that each has, over some days."""
    whole = sum(row["count"] for row in rows)
    at_work = []
    for row in rows:
        days = sum(kind == "hour" or day.isoweekday() == row["slot"] for day in shown)
        if 100 * row["count"] >= whole:
            at_work.append({kind: row["slot"], "days": days, "count": row["count"], "sum": row["sum"],
                            "mean": row["sum"] / row["count"], "share": row["count"] / whole})
    enough = [row for row in at_work if row["count"] >= MEAN_ROWS]
    quietest = min(at_work, key=lambda row: (Fraction(row["count"], row["days"]), row[kind]), default=None)
    return quietest, min(enough, key=lambda row: (Fraction(row["sum"], row["count"]), row[kind]), default=None)


def check(subject, store, first, last, **parameters):
    """Compares the best times with what DuckDB answers; returns how many rows they are of."""
    served = subject.ask(subject.path(store, "best_time"), **parameters)
    begin, end = max(first, subject.first), min(last, subject.last)
    shown = [begin + datetime.timedelta(days=number) for number in range((end - begin).days + 1)]
    scope = "true" if store is None else "store = $store"
    names = {} if store is None else {"store": store}
    for kind, slot in KINDS.items():
        rows = subject.query(SLOTS.format(slot=slot, scope=scope), first=first, last=last, **names)
        found = served[f"quietest_{kind}"], served[f"cheapest_{kind}"]
        assert found == best(rows, kind, shown), (kind, store, parameters)
        assert served["count"] == sum(row["count"] for row in rows)
        assert served["sum"] == sum(row["sum"] for row in rows)
    return served["count"]


def test_best_times_are_those_of_the_rows(subject, dice):
    with_rows = 0
    for _ in range(60):
        store = dice.choice([*subject.wholes, *subject.stores[:40]])
        first, last = subject.random_range(dice)
        with_rows += check(subject, store, first, last, min_date=first, max_date=last) > 0
        for first, last, period in named_periods(first):
            check(subject, store, first, last, period=period)
    assert with_rows > 20
