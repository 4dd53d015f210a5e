"""Loyalty: who comes back, of any period and any range."""

import datetime

import pytest
from conftest import QUESTIONS, Subject, generated, named_periods

# docs/definitions.md, "Loyalty": the days that a build is configured with, and those of the defaults.
DEFAULTS = {"absence_days": 45, "repeat_days": [30, 90, 365], "first_days": 90}
OTHERS = {"absence_days": 20, "repeat_days": [7, 60, 61, 400], "first_days": 30}

# docs/definitions.md, "Loyalty". A visit is a card on a business day with a sale; $absence and $until are
# days and the last day of the period. Those of the market are of no store.
VISITS = """
    CREATE TABLE visits AS
    WITH sales AS (FROM payments WHERE amount > 0 AND card IS NOT NULL),
    days AS (SELECT DISTINCT store, card, day FROM sales UNION SELECT CAST(NULL AS VARCHAR), card, day FROM sales)
    SELECT *,
        lag(day) OVER visit AS before,
        min(day) OVER (PARTITION BY store, card) AS first,
        row_number() OVER visit AS number,
    FROM days
    WINDOW visit AS (PARTITION BY store, card ORDER BY day)
"""
CARDS = """
    WITH in_period AS (
        SELECT card, arg_min(before, day) AS before, min(day) AS day, min(first) AS first, count(*) AS visits
        FROM visits WHERE store IS NOT DISTINCT FROM $store AND day BETWEEN $min AND $max GROUP BY card
    )
    SELECT count(*) AS active,
        count(*) FILTER (first >= $min) AS new,
        count(*) FILTER (first < $min) AS returning,
        count(*) FILTER (day - before >= $absence) AS reactivated,
        coalesce(CAST(sum(visits) AS BIGINT), 0) AS visits,
    FROM in_period
"""
LAPSED = """
    SELECT count(*) AS lapsed FROM (
        FROM visits SELECT card WHERE store IS NOT DISTINCT FROM $store AND day <= $max
        GROUP BY card HAVING count(*) >= 2 AND $max - max(day) >= $absence)
"""
GAP = """
    SELECT median(day - before) AS median_gap_days
    FROM visits WHERE store IS NOT DISTINCT FROM $store AND day BETWEEN $min AND $max AND before IS NOT NULL
"""
REPEAT = """
    WITH firsts AS (
        SELECT card, first, min(day) FILTER (number = 2) AS second
        FROM visits WHERE store IS NOT DISTINCT FROM $store GROUP BY ALL
    )
    SELECT days, count(card) AS cards, count(*) FILTER (second - first <= days) AS returned
    FROM (SELECT unnest($repeat_days) AS days)
    LEFT JOIN firsts ON first BETWEEN $min AND $max AND first + days <= $as_of
    GROUP BY days ORDER BY days
"""
COHORTS = """
    WITH months AS (
        SELECT DISTINCT date_trunc('month', first) AS began,
            date_diff('month', first, day) AS since, card
        FROM visits WHERE store IS NOT DISTINCT FROM $store
    )
    SELECT strftime(began, '%Y-%m') AS month, since, count(*) AS cards FROM months GROUP BY ALL ORDER BY ALL
"""


def month_number(day):
    return day.year * 12 + day.month - 1


def expected_cohorts(subject, store, first, last):
    """The cohorts of the months that lie wholly in a period, by what the data has of them."""
    cards = {}
    for row in subject.query(COHORTS, store=store):
        cards[row["month"], row["since"]] = row["cards"]
    cohorts = []
    [begin] = subject.query("FROM payments SELECT min(day) AS day WHERE coalesce(store = $store, true)", store=store)
    ends = month_number(subject.last)
    for number in range(month_number(first), month_number(last) + 1):
        month = f"{number // 12}-{number % 12 + 1:02}"
        begins = datetime.date(number // 12, number % 12 + 1, 1)
        next_month = datetime.date((number + 1) // 12, (number + 1) % 12 + 1, 1)
        cut_at_start = begins < first and first > subject.first
        cut_at_end = next_month > last + datetime.timedelta(days=1) and last < subject.last
        if cut_at_start or cut_at_end or number > ends or number < month_number(begin["day"]):
            continue
        retained = [cards.get((month, since), 0) for since in range(1, ends - number + 1)]
        cohorts.append({"month": month, "cards": cards.get((month, 0), 0), "retained": retained})
    return cohorts


def check(subject, store, first, last, rules=DEFAULTS, **parameters):
    """Compares figures with what DuckDB answers; returns how many cards come back."""
    absence = parameters.get("absence_days", rules["absence_days"])
    served = subject.ask(subject.path(store, "loyalty"), **parameters)
    ends = {"min": max(first, subject.first), "max": min(last, subject.last)}
    [expected] = subject.query(CARDS, store=store, absence=absence, **ends)
    [lapsed] = subject.query(LAPSED, store=store, absence=absence, max=ends["max"])
    [gap] = subject.query(GAP, store=store, **ends)
    expected |= lapsed | gap
    expected["visits_per_card"] = expected["visits"] / expected["active"] if expected["active"] else None
    returning = expected["returning"]
    if first < subject.first + datetime.timedelta(days=rules["first_days"]):
        expected |= {"new": None, "returning": None, "reactivated": None}
    for name, value in expected.items():
        assert served[name] == value, (name, store, parameters)
    repeat = subject.query(REPEAT, store=store, as_of=subject.last, repeat_days=rules["repeat_days"], **ends)
    for row in repeat:
        row["rate"] = row["returned"] / row["cards"] if row["cards"] else None
    assert served["repeat"] == repeat, (store, parameters)
    if ends["min"] <= ends["max"]:
        assert served["cohorts"] == expected_cohorts(subject, store, ends["min"], ends["max"]), (store, parameters)
    else:
        assert served["cohorts"] == []
    assert served["absence_days"] == absence
    return returning


def prepare(subject):
    if not subject.query("SELECT 1 FROM duckdb_tables() WHERE table_name = 'visits'"):
        subject.rows.execute(VISITS)


def test_loyalty_over_any_range_is_that_of_the_rows(subject, dice):
    prepare(subject)
    with_returning = 0
    for number in range(QUESTIONS):
        store = dice.choice([*subject.wholes, *subject.stores[:40]] if dice.random() < 0.8 else subject.stores)
        first, last = subject.random_range(dice)
        asked = {"min_date": first, "max_date": last}
        if number % 3 == 0:
            asked["absence_days"] = dice.choice([1, 7, 30, 90])
        with_returning += check(subject, store, first, last, **asked) > 0
    assert with_returning > QUESTIONS / 10


def test_loyalty_of_named_periods_is_that_of_the_rows(subject, dice):
    prepare(subject)
    for store in [*subject.wholes, *subject.stores[:5], *dice.sample(subject.stores, k=5)]:
        check(subject, store, subject.first, subject.last)
        for first, last, period in named_periods(subject.random_range(dice)[0]):
            check(subject, store, first, last, period=period)


@pytest.fixture(scope="module")
def configured_otherwise(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loyalty")
    keys = "".join(f"{key} = {value}\n" for key, value in OTHERS.items())
    path = folder / "nightshard.toml"
    path.write_text(f"[privacy]\nk = 1\n[loyalty]\n{keys}")
    subject = Subject(folder, *generated(folder), "--config", path)
    yield subject
    subject.stop()


def test_days_of_loyalty_are_those_of_the_configuration(configured_otherwise, dice):
    subject = configured_otherwise
    prepare(subject)
    for _ in range(QUESTIONS // 10):
        store = dice.choice(subject.stores)
        first, last = subject.random_range(dice)
        check(subject, store, first, last, OTHERS, min_date=first, max_date=last)
        check(subject, store, first, last, OTHERS, min_date=first, max_date=last, absence_days=45)
    for first, last, period in named_periods(subject.first + datetime.timedelta(days=45)):
        check(subject, subject.stores[0], first, last, OTHERS, period=period)
    configuration = subject.ask("/v1/info/generation")["configuration"]
    assert {key: configuration[f"loyalty.{key}"] for key in OTHERS} == OTHERS


def test_wrong_parameters_of_loyalty_are_named(subject):
    store = subject.stores[0]
    for parameter, value in [("absence_days", "0"), ("absence_days", "x"), ("absence_days", "3651"),
                             ("period", "2018-13"), ("fill", "zero")]:
        status, body = subject.answer(subject.path(store, "loyalty"), **{parameter: value})
        assert (status, body["parameter"]) == (400, parameter)
    status, _ = subject.answer("/v1/markets/some/loyalty")
    assert status == 404
