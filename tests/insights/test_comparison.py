"""Comparisons of a period with an earlier one: growth by weekday, and what drove the change."""

import datetime
import math

import pytest
from conftest import QUESTIONS

# docs/definitions.md, "Comparison".
SIDE = """
    SELECT
        CAST(coalesce(sum(amount), 0) AS BIGINT) AS sum,
        count(*) FILTER (amount > 0) AS sales_count,
        CAST(coalesce(sum(amount) FILTER (amount > 0), 0) AS BIGINT) AS sales_sum,
        count(DISTINCT card) FILTER (amount > 0) AS cards,
        count(DISTINCT (card, day)) FILTER (amount > 0 AND card IS NOT NULL) AS visits,
    FROM payments
    WHERE store = $store AND day BETWEEN $first AND $last
"""
GROWTH = """
    WITH days AS (
        SELECT CAST(unnest(generate_series($first_of_data, $last_of_data, INTERVAL 1 DAY)) AS DATE) AS day
    ),
    sums AS (SELECT day, sum(amount) AS sum FROM payments WHERE store = $store GROUP BY day),
    weekdays AS (
        SELECT
            isodow(day) AS weekday,
            count(*) FILTER (day BETWEEN $first AND $last) AS days,
            count(*) FILTER (day BETWEEN $first_before AND $last_before) AS days_before,
            coalesce(sum(sum) FILTER (day BETWEEN $first AND $last), 0) AS sum,
            coalesce(sum(sum) FILTER (day BETWEEN $first_before AND $last_before), 0) AS sum_before,
        FROM days LEFT JOIN sums USING (day)
        GROUP BY weekday
        HAVING days > 0 AND days_before > 0
    )
    SELECT CAST(sum(sum) AS DOUBLE) AS now,
        sum(CAST(sum_before AS DOUBLE) * days / days_before) AS before,
    FROM weekdays
"""
FACTORS = {
    "cards": lambda side: side["cards"],
    "visits_per_card": lambda side: side["visits"] / side["cards"],
    "ticket": lambda side: side["sales_sum"] / side["visits"],
}


def year_before(day):
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def drivers(now, before):
    """What each factor adds, by the definition."""
    if not all(side[name] for side in (now, before) for name in ("sales_sum", "cards", "visits")):
        return None
    ratio = now["sales_sum"] / before["sales_sum"]
    change = now["sales_sum"] - before["sales_sum"]
    weight = change / math.log(ratio) if change else now["sales_sum"]
    return {name: weight * math.log(of(now) / of(before)) for name, of in FACTORS.items()}


@pytest.mark.parametrize("earlier", ["previous", "year"])
def test_comparisons_of_any_range_are_those_of_the_rows(subject, dice, earlier):
    grown = driven = 0
    for _ in range(QUESTIONS // 2):
        store = dice.choice(subject.stores[:40])
        first, last = subject.random_range(dice)
        length = last - first + datetime.timedelta(days=1)
        first_before, last_before = ((first - length, last - length) if earlier == "previous"
                                     else (year_before(first), year_before(last)))
        served = subject.ask(subject.path(store, "comparison"), min_date=first, max_date=last,
                             **{"with": earlier})
        sides = []
        for side, begin, end in [("now", first, last), ("before", first_before, last_before)]:
            [expected] = subject.query(SIDE, store=store, first=begin, last=end)
            assert served[side].pop("period") == f"{begin}/{end}"
            is_cut = begin < subject.first or end > subject.last
            assert served[side].pop("partial", False) == is_cut
            assert served[side] == expected, (store, begin, end)
            sides.append(expected)
        [sums] = subject.query(GROWTH, store=store, first=first, last=last, first_before=first_before,
                               last_before=last_before, first_of_data=subject.first,
                               last_of_data=subject.last)
        growth = sums["now"] / sums["before"] - 1 if sums["before"] and sums["before"] > 0 else None
        if growth is None:
            assert served["growth"] is None
        else:
            assert served["growth"] == pytest.approx(growth, rel=1e-12, abs=1e-12)
        parts = drivers(*sides)
        assert (served["drivers"] is None) == (parts is None)
        if parts:
            scale = max(side["sales_sum"] for side in sides)
            assert served["drivers"] == pytest.approx(parts, rel=1e-9, abs=1e-6 * scale)
            change = sides[0]["sales_sum"] - sides[1]["sales_sum"]
            assert sum(served["drivers"].values()) == pytest.approx(change, abs=1e-9 * scale)
        grown += growth is not None
        driven += parts is not None
    # A year of data has hardly anything a year before.
    if earlier == "previous" or (subject.last - subject.first).days > 500:
        assert grown > 50 and driven > 50
