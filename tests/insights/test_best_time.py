"""The best time to buy: the quietest and the cheapest hour and weekday, of any period and any range."""

import datetime
from fractions import Fraction

from conftest import QUESTIONS, named_periods
from ranges import SCOPES, ask_at_random

# docs/definitions.md, "Best time": every row has a time here, and the day begins at midnight.
SLOTS = """
    SELECT {slot} AS slot, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM payments
    WHERE {scope} AND day BETWEEN $first AND $last
    GROUP BY ALL ORDER BY ALL
"""
# Of the ranges that are asked, all at once.
SLOTS_OF_ALL = """
    SELECT number, {slot} AS slot, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM asked JOIN payments ON {scope} day BETWEEN first AND last
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
    """Compares the best times of a period with what DuckDB answers."""
    scope = "true" if store is None else "store = $store"
    names = {} if store is None else {"store": store}
    slots = {kind: subject.query(SLOTS.format(slot=slot, scope=scope), first=first, last=last, **names)
             for kind, slot in KINDS.items()}
    check_slots(subject, store, first, last, slots, parameters)


def check_slots(subject, store, first, last, slots, parameters):
    """Compares the best times with those of the rows by hour and weekday; returns how many rows they are of."""
    served = subject.ask(subject.path(store, "best_time"), **parameters)
    begin, end = max(first, subject.first), min(last, subject.last)
    shown = [begin + datetime.timedelta(days=number) for number in range((end - begin).days + 1)]
    for kind, rows in slots.items():
        found = served[f"quietest_{kind}"], served[f"cheapest_{kind}"]
        assert found == best(rows, kind, shown), (kind, store, parameters)
        assert served["count"] == sum(row["count"] for row in rows)
        assert served["sum"] == sum(row["sum"] for row in rows)
    return served["count"]


def test_best_times_of_named_periods_are_those_of_the_rows(subject, dice):
    for _ in range(40):
        store = dice.choice([*subject.wholes, *subject.stores[:40]])
        for first, last, period in named_periods(subject.random_range(dice)[0]):
            check(subject, store, first, last, period=period)


def check_ranges(subject, dice, count, stores):
    """Compares the best times of so many ranges; returns of how many there are rows."""
    questions = ask_at_random(subject, dice, count, stores)
    slots = [{kind: [] for kind in KINDS} for _ in questions]
    for kind, slot in KINDS.items():
        for row in subject.query(SLOTS_OF_ALL.format(slot=slot, scope=SCOPES[stores == [None]])):
            slots[row.pop("number")][kind].append(row)
    return sum(check_slots(subject, store, first, last, rows, {"min_date": first, "max_date": last}) > 0
               for (store, first, last), rows in zip(questions, slots, strict=True))


def test_best_times_over_any_range_are_those_of_the_rows(subject, dice):
    assert check_ranges(subject, dice, QUESTIONS // 3, subject.stores[:40]) > QUESTIONS / 6
    assert check_ranges(subject, dice, QUESTIONS // 50, [None]) > QUESTIONS / 100
