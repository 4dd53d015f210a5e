"""Sales by day beside a side series, and their correlation."""

import pytest
from conftest import QUESTIONS

# docs/definitions.md, "Sales by day".
JOINED = """
    WITH sums AS (
        SELECT day, CAST(sum(amount) AS BIGINT) AS sum, count(*) AS count
        FROM payments
        WHERE coalesce(store = $store, true)
        GROUP BY day
    ),
    known AS (
        SELECT day, value
        FROM series
        WHERE name = $series AND day BETWEEN $first_of_data AND $last_of_data
    )
    SELECT CAST(day AS VARCHAR) AS date, sum, count, value
    FROM sums FULL JOIN known USING (day)
    WHERE day BETWEEN $first AND $last
    ORDER BY day
"""
CORRELATION = f"""
    WITH joined AS ({JOINED})
    SELECT
        count(*) AS days,
        CASE WHEN count(*) >= 3 AND min(sum) < max(sum) AND min(value) < max(value)
            THEN corr(CAST(sum AS DOUBLE), value) END AS correlation,
    FROM joined
    WHERE sum IS NOT NULL AND value IS NOT NULL
"""
SERIES = ["level", "offset", "stale", "stock index"]


def test_sales_and_series_of_any_range_are_joined_by_date(subject, dice):
    correlated = one_sided = 0
    for question in range(QUESTIONS):
        store = dice.choice(subject.wholes if question % 4 == 0 and subject.wholes else subject.stores[:40])
        name = dice.choice(SERIES)
        first, last = subject.random_range(dice)
        served = subject.ask(subject.path(store, "sales_by_day"), series=name, min_date=first,
                             max_date=last)
        asked = {"store": store, "series": name, "first": first, "last": last,
                 "first_of_data": subject.first, "last_of_data": subject.last}
        rows = subject.query(JOINED, **asked)
        assert served["rows"] == rows, asked
        [expected] = subject.query(CORRELATION, **asked)
        assert served["days"] == expected["days"], asked
        if expected["correlation"] is None:
            assert served["correlation"] is None, asked
        else:
            # DuckDB updates means row by row, which loses digits where numbers are far from 0.
            tolerance = 1e-6 if name == "offset" else 1e-9
            assert served["correlation"] == pytest.approx(expected["correlation"], abs=tolerance), asked
            correlated += 1
        assert served["stale"] == (name == "stale")
        one_sided += any(None in row.values() for row in rows)
    assert correlated > 200 and one_sided > 200


def test_series_are_listed_as_far_as_the_data_goes(subject):
    listed = subject.ask("/v1/series")
    expected = subject.query("""
        SELECT name, CAST(min(day) AS VARCHAR) AS first_date, CAST(max(day) AS VARCHAR) AS last_date,
            count(*) AS values, max(day) <= $last_of_data - 7 AS stale
        FROM series
        WHERE day <= $last_of_data
        GROUP BY name
        ORDER BY name
    """, last_of_data=subject.last)
    assert listed == {"total": len(SERIES), "rows": expected}
    assert [row["name"] for row in expected if row["stale"]] == ["stale"]
