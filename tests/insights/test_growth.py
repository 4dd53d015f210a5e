"""Lists by growth: the last month that has ended against an earlier one, by weekday."""

import datetime
import urllib.parse

import pytest

# docs/definitions.md, "Ranking". Sixtieths of a minor unit are whole: a month has at most five days of a
# weekday.
GROWTH = """
    WITH days AS (
        SELECT CAST(unnest(generate_series($first_of_data, $last_of_data, INTERVAL 1 DAY)) AS DATE) AS day
    ),
    weekdays AS (
        SELECT
            isodow(day) AS weekday,
            count(*) FILTER (date_trunc('month', day) = $now) AS days,
            count(*) FILTER (date_trunc('month', day) = $before) AS days_before,
        FROM days
        GROUP BY weekday
        HAVING days > 0 AND days_before > 0
    ),
    sums AS (
        SELECT
            stores.{id} AS id,
            coalesce(sum(amount) FILTER (date_trunc('month', day) = $now AND weekday IS NOT NULL), 0) AS now,
            coalesce(sum(amount * days * (60 // days_before))
                FILTER (date_trunc('month', day) = $before), 0) AS before,
        FROM payments JOIN stores USING (store) LEFT JOIN weekdays ON isodow(day) = weekday
        WHERE stores.{id} IS NOT NULL AND ($region IS NULL OR stores.region = $region)
            AND ($category IS NULL OR stores.category = $category)
        GROUP BY ALL
    )
    SELECT
        id,
        CASE WHEN before > 0 THEN CAST(now * 60 AS DOUBLE) / CAST(before AS DOUBLE) - 1 END AS growth,
        CAST(now AS BIGINT) AS period_sum,
        CAST(before AS DOUBLE) / 60 AS before_sum,
    FROM sums
    ORDER BY growth DESC NULLS LAST, id
"""


def months(subject, against):
    """The first days of both months."""
    next_day = subject.last + datetime.timedelta(days=1)
    now = (next_day.replace(day=1) - datetime.timedelta(days=1)).replace(day=1)
    if against == "year":
        return now, now.replace(year=now.year - 1)
    return now, (now - datetime.timedelta(days=1)).replace(day=1)


def rows_of(subject, path, **parameters):
    """All pages of a list, and what the first of them says."""
    page = head = subject.ask(path, limit=1_000, **parameters)
    rows = page["rows"]
    while "next" in page:
        page = subject.ask(path, limit=1_000, cursor=page["next"], **parameters)
        rows += page["rows"]
    return head, rows


def check(subject, against, path, place, asked=None, region=None, category=None):
    """Compares a list with what DuckDB answers; returns how many of its rows grew or shrank."""
    now, before = months(subject, against)
    head, served = rows_of(subject, path, rank_by="growth", against=against, **(asked or {}))
    assert [head[name] for name in ("rank_by", "against", "period", "before")] == \
        ["growth", against, f"{now:%Y-%m}", f"{before:%Y-%m}"]
    expected = subject.query(GROWTH.format(id=place), now=now, before=before, region=region,
                             category=category, first_of_data=subject.first, last_of_data=subject.last)
    assert [row["id"] for row in served] == [row["id"] for row in expected]
    for row, right in zip(served, expected):
        assert row["period_sum"] == right["period_sum"], row
        for name in ("growth", "before_sum"):
            assert (row[name] is None) == (right[name] is None), row
            if row[name] is not None:
                assert row[name] == pytest.approx(right[name], rel=1e-12, abs=1e-12), row
    return sum(row["growth"] is not None for row in served)


@pytest.mark.parametrize("against", ["previous", "year"])
def test_stores_are_listed_by_the_growth_of_their_rows(subject, against):
    grown = check(subject, against, "/v1/stores", "store")
    for name in ("region", "category"):
        ids = [row[name] for row in subject.query(
            f"FROM stores SELECT {name} WHERE {name} IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, {name}")]
        for place in ids[:5]:
            check(subject, against, "/v1/stores", "store", asked={name: place}, **{name: place})
    if against == "previous" or (subject.last - subject.first).days > 500:
        assert grown > 0


@pytest.mark.parametrize("against", ["previous", "year"])
def test_places_are_listed_by_the_growth_of_their_stores(subject, against):
    check(subject, against, "/v1/regions", "region")
    check(subject, against, "/v1/categories", "category")
    for row in subject.query("FROM stores SELECT DISTINCT region WHERE region IS NOT NULL"):
        path = f"/v1/regions/{urllib.parse.quote(row['region'], safe='')}/categories"
        check(subject, against, path, "category", region=row["region"])


@pytest.mark.parametrize("against", ["previous", "year"])
def test_growth_of_a_list_is_that_of_the_comparison(subject, against):
    now, _ = months(subject, against)
    _, served = rows_of(subject, "/v1/stores", rank_by="growth", against=against)
    for row in served[:100]:
        beside = subject.ask(subject.path(row["id"], "comparison"), period=f"{now:%Y-%m}",
                             **{"with": against})
        assert (row["growth"] is None) == (beside["growth"] is None), row
        if row["growth"] is not None:
            assert row["growth"] == pytest.approx(beside["growth"], rel=1e-9, abs=1e-12), row


def test_growth_against_something_else_is_refused(subject):
    for parameters in [{"rank_by": "growth", "against": "week"}, {"rank_by": "amount", "against": "year"}]:
        status, body = subject.answer("/v1/stores", **parameters)
        assert (status, body["parameter"]) == (400, "against")
