"""Ranges at random, of which DuckDB answers many at once: statistics and histograms of what has rows."""

import math

FIGURES = """
    count(payments.store) AS count, CAST(coalesce(sum(amount), 0) AS BIGINT) AS sum, min(amount) AS min,
    max(amount) AS max, stddev_pop(amount) AS std, count(DISTINCT card) AS cards,
    count(*) FILTER (amount < 0) AS refund_count,
    CAST(coalesce(sum(amount) FILTER (amount < 0), 0) AS BIGINT) AS refund_sum
"""
STATISTICS = f"SELECT {FIGURES} FROM payments WHERE store = $store AND day BETWEEN $first AND $last"

ASKED = """
    CREATE OR REPLACE TEMP TABLE asked AS
    SELECT unnest(range(len($stores))) AS number, unnest($stores) AS store, unnest($firsts) AS first,
        unnest($lasts) AS last
"""
OF_STORE = "payments.store = asked.store"
# Rows of a store, or all rows of the market.
SCOPES = {False: f"{OF_STORE} AND", True: ""}
STATISTICS_OF_ALL = """
    SELECT {figures}
    FROM asked LEFT JOIN payments ON {scope} day BETWEEN first AND last
    GROUP BY number ORDER BY number
"""
SELECTED = {"sales": "amount > 0", "refunds": "amount < 0", "all": "true"}
BINS = """
    CREATE OR REPLACE TEMP TABLE bins AS
    SELECT unnest($numbers) AS number, unnest($lows) AS low, unnest($highs) AS high
"""
COUNTS = """
    WITH selected AS (
        SELECT number, amount, count(*) AS count
        FROM asked JOIN payments ON {scope} day BETWEEN first AND last
        WHERE {selected}
        GROUP BY ALL
    )
    SELECT number, low, high, CAST(coalesce(sum(count), 0) AS BIGINT) AS count
    FROM bins LEFT JOIN selected USING (number)
    WHERE amount >= low AND amount < high
    GROUP BY ALL ORDER BY ALL
"""
ENDS = """
    SELECT number, count(payments.store) AS count, min(amount) AS min, max(amount) AS max
    FROM asked LEFT JOIN payments ON {scope} day BETWEEN first AND last AND {selected}
    GROUP BY number ORDER BY number
"""


def ask_at_random(subject, dice, count, stores):
    """Questions of stores and ranges, which DuckDB then knows as `asked`; None is the market."""
    questions = [(dice.choice(stores), *subject.random_range(dice)) for _ in range(count)]
    names, firsts, lasts = (list(values) for values in zip(*questions))
    subject.rows.execute(ASKED, {"stores": [name or "" for name in names], "firsts": firsts, "lasts": lasts})
    return questions


def check_statistics(subject, dice, count, stores):
    """Compares statistics over so many ranges; returns over how many there are rows."""
    questions = ask_at_random(subject, dice, count, stores)
    found = subject.query(STATISTICS_OF_ALL.format(figures=FIGURES, scope=SCOPES[stores == [None]]))
    with_rows = 0
    for (store, first, last), expected in zip(questions, found, strict=True):
        served = subject.ask(subject.path(store, "statistics"), min_date=first, max_date=last,
                             group_by="all", fill="zero")["rows"]
        if not served:
            assert expected["count"] == 0, (store, first, last)
            continue
        [row] = served
        std = expected.pop("std")
        assert {name: row[name] for name in expected} == expected, (store, first, last)
        if expected["count"]:
            assert row["mean"] == expected["sum"] / expected["count"]
            assert math.isclose(row["std"], std, rel_tol=1e-9, abs_tol=1e-6)
            with_rows += 1
    return with_rows


def cell_of(amount):
    """The cell of the grid that an amount is in."""
    if amount < 0:
        low, high = cell_of(-amount - 1)
        return -high, -low
    step = 10 ** max(len(str(amount)) - 2, 0)
    return amount // step * step, (amount // step + 1) * step


def check_bins(rows, ends, bins):
    """Checks that bins follow each other, from the cell of the smallest amount to that of the largest."""
    assert len(rows) <= bins
    if not ends["count"]:
        assert rows == []
        return
    edges = [row["low"] for row in rows] + [rows[-1]["high"]]
    assert edges == sorted(set(edges)) and [row["high"] for row in rows] == edges[1:]
    assert edges[0] == cell_of(ends["min"])[0] and edges[-1] == cell_of(ends["max"])[1]
    assert all(edge == cell_of(edge)[0] for edge in edges)


def check_histograms(subject, dice, count, stores):
    """Compares each bin of histograms over so many ranges; returns over how many there are rows."""
    with_rows = 0
    for of, selected in SELECTED.items():
        questions = ask_at_random(subject, dice, count // len(SELECTED), stores)
        names = {"scope": SCOPES[stores == [None]], "selected": selected}
        served = []
        for (number, (store, first, last)), ends in zip(enumerate(questions), subject.query(ENDS.format(**names)),
                                                        strict=True):
            bins = dice.choice([2, 5, 8, 64])
            rows = subject.ask(subject.path(store, "histogram"), min_date=first, max_date=last, of=of,
                               bins=bins)["rows"]
            check_bins(rows, ends, bins)
            served += [{"number": number, **row} for row in rows]
            with_rows += bool(rows)
        subject.rows.execute(BINS, {f"{name}s": [row[name] for row in served] for name in ["number", "low", "high"]})
        expected = subject.query(COUNTS.format(**names))
        # Of a bin of empty cells there is no row.
        assert [row for row in served if row["count"]] == expected
    return with_rows
