"""Consumption patterns: rows by weekday and hour, of any period and any range."""

from conftest import QUESTIONS, named_periods

# docs/definitions.md, "Consumption pattern": every row has a time here, and the day begins at midnight.
PATTERN = """
    SELECT {group}, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM payments
    WHERE {scope} AND day BETWEEN $first AND $last
    GROUP BY ALL ORDER BY ALL
"""
TABLES = {
    "rows": "isodow(ts) AS weekday, hour(ts) AS hour",
    "half_hours": "strftime(time_bucket(INTERVAL 30 MINUTE, ts), '%H:%M') AS \"from\"",
    "weekdays": "isodow(ts) AS weekday",
}


def check(subject, store, first, last, **parameters):
    """Compares a pattern with what DuckDB answers; returns how many rows it is of."""
    served = subject.ask(subject.path(store, "consumption_pattern"), **parameters)
    for name, group in TABLES.items():
        scope = "true" if store is None else "store = $store"
        names = {} if store is None else {"store": store}
        sql = PATTERN.format(group=group, scope=scope)
        expected = subject.query(sql, first=first, last=last, **names)
        for row in expected:
            row["mean"] = row["sum"] / row["count"]
        assert served[name] == expected, (name, store, parameters)
        assert sum(row["count"] for row in expected) == served["count"]
        assert sum(row["sum"] for row in expected) == served["sum"]
    assert served["unknown_time"]["count"] == 0
    if served["rows"]:
        counts = [row["count"] for row in served["rows"]]
        assert served["peak"] == served["rows"][counts.index(max(counts))]
        assert served["valley"] == served["rows"][counts.index(min(counts))]
    else:
        assert served["peak"] is None and served["valley"] is None
    return served["count"]


def test_patterns_over_any_range_are_those_of_the_rows(subject, dice):
    with_rows = 0
    for _ in range(QUESTIONS):
        store = dice.choice([*subject.wholes, *subject.stores[:40]] if dice.random() < 0.8 else subject.stores)
        first, last = subject.random_range(dice)
        with_rows += check(subject, store, first, last, min_date=first, max_date=last) > 0
    assert with_rows > QUESTIONS / 3


def test_patterns_of_named_periods_are_those_of_the_rows(subject, dice):
    for store in [*subject.wholes, *subject.stores[:5], *dice.sample(subject.stores, k=5)]:
        check(subject, store, subject.first, subject.last)
        for first, last, period in named_periods(subject.random_range(dice)[0]):
            check(subject, store, first, last, period=period)
