"""Loyalty: what takes each card as a whole, of every named period."""

import datetime

# docs/definitions.md, "Loyalty". $min and $max are the ends of the period within the data.
CARD_DAYS = """
    CREATE TABLE card_days AS
    SELECT store, card, day, CAST(sum(amount) AS BIGINT) AS sales
    FROM payments WHERE amount > 0 AND card IS NOT NULL GROUP BY ALL
"""
OF_STORE = """
    CREATE OR REPLACE TEMP TABLE of_store AS
    SELECT card, day, CAST(sum(sales) AS BIGINT) AS sales FROM card_days
    WHERE coalesce(store = $store, true) GROUP BY card, day
"""
OF_PERIOD = """
    CREATE OR REPLACE TEMP TABLE of_period AS
    WITH cards AS (
        SELECT card, max(day) AS last, count(*) AS visits, CAST(sum(sales) AS BIGINT) AS bought
        FROM of_store WHERE day BETWEEN $min AND $max GROUP BY card
    ),
    rounded AS (
        SELECT *, CAST(pow(10, greatest(length(CAST(bought AS VARCHAR)) - 2, 0)) AS BIGINT) AS step,
            bought // step * step AS money
        FROM cards
    )
    SELECT *,
        1 + 5 * (rank() OVER (ORDER BY last) - 1) // count(*) OVER () AS r,
        1 + 5 * (rank() OVER (ORDER BY visits) - 1) // count(*) OVER () AS f,
        1 + 5 * (rank() OVER (ORDER BY money) - 1) // count(*) OVER () AS m,
    FROM rounded
"""
REGULARS = """
    SELECT count(*) AS cards, CAST(coalesce(sum(sales), 0) AS BIGINT) AS sales_sum FROM (
        SELECT coalesce(sum(sales) FILTER (day BETWEEN $min AND $max), 0) AS sales
        FROM of_store GROUP BY card
        HAVING count(*) FILTER (day BETWEEN CAST($max AS DATE) - 89 AND $max) >= 7)
"""
SOLD = """
    SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) AS sold
    FROM payments WHERE coalesce(store = $store, true) AND amount > 0 AND day BETWEEN $min AND $max
"""
BY_VISITS = """
    SELECT list_max(list_filter([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 50, 100], lambda n: n <= visits))
        AS "from", count(*) AS cards
    FROM of_period GROUP BY ALL ORDER BY ALL
"""
SCORES = """
    SELECT {axis} AS score, min({value}) AS "from", count(*) AS cards,
        CAST(sum(bought) AS BIGINT) AS sales_sum
    FROM of_period GROUP BY ALL ORDER BY score
"""
CELLS = """
    SELECT r AS recency, f AS frequency, count(*) AS cards, CAST(sum(bought) AS BIGINT) AS sales_sum
    FROM of_period GROUP BY ALL ORDER BY ALL
"""
LAST_OF = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 10: 14, 15: 19, 20: 29, 30: 49, 50: 99,
           100: None}


def periods_of_months(first, last):
    """Every month, quarter and year that has a day of the data, and everything."""
    yield first, last, "all"
    for year in range(first.year, last.year + 1):
        for months, label in [(12, "{year}"), (3, "{year}-Q{number}"), (1, "{year}-{number:02}")]:
            for begin in range(0, 12, months):
                end = year * 12 + begin + months
                begins = datetime.date(year, begin + 1, 1)
                ends = datetime.date(end // 12, end % 12 + 1, 1) - datetime.timedelta(days=1)
                if begins <= last and ends >= first:
                    yield begins, ends, label.format(year=year, number=begin // months + 1)


def expected_rfm(subject):
    rfm = {}
    for axis, name, value in [("r", "recency", "last"), ("f", "frequency", "visits"), ("m", "money", "money")]:
        rfm[name] = subject.query(SCORES.format(axis=axis, value=value))
    for score in rfm["recency"]:
        score["from"] = str(score["from"])
    rfm["cells"] = subject.query(CELLS)
    for cell in rfm["cells"]:
        cell["mean"] = cell["sales_sum"] / cell["cards"]
    return rfm


def check(subject, store, first, last, period):
    """Compares figures with what DuckDB answers; returns how many regulars there are."""
    served = subject.ask(subject.path(store, "loyalty"), period=period)
    ends = {"min": max(first, subject.first), "max": min(last, subject.last)}
    subject.rows.execute(OF_PERIOD, ends)
    visits = subject.query(BY_VISITS)
    expected = [{"from": row["from"], "to": LAST_OF[row["from"]], "cards": row["cards"]} for row in visits]
    assert served["cards_by_visits"] == expected, (store, period)
    assert sum(row["cards"] for row in expected) == served["active"], (store, period)
    if not expected:
        assert (served["regulars"], served["rfm"]) == (None, None), (store, period)
        return 0
    [regulars] = subject.query(REGULARS, **ends)
    [sold] = subject.query(SOLD, store=store, **ends)
    share = regulars["sales_sum"] / sold["sold"]
    assert served["regulars"] == {"visits": 7, "days": 90, **regulars, "share": share}, (store, period)
    has_rfm = period == "all" or len(period) == 4
    assert served["rfm"] == (expected_rfm(subject) if has_rfm else None), (store, period)
    return regulars["cards"]


def test_visits_of_every_named_period_are_those_of_the_rows(subject, dice):
    subject.rows.execute(CARD_DAYS)
    regulars = 0
    for store in {*subject.wholes, *subject.stores[:4], subject.stores[-1], *dice.sample(subject.stores, k=6)}:
        subject.rows.execute(OF_STORE, {"store": store})
        for first, last, period in periods_of_months(subject.first, subject.last):
            regulars += check(subject, store, first, last, period)
    assert regulars > 0


def test_days_weeks_and_ranges_have_no_visits_of_cards(subject):
    asked_of = [*subject.wholes, subject.stores[0]]
    for asked in [{"period": subject.first}, {"period": "{}-W{:02}".format(*subject.first.isocalendar()[:2])},
                  {"min_date": subject.first}]:
        for store in asked_of:
            served = subject.ask(subject.path(store, "loyalty"), **asked)
            assert (served["regulars"], served["cards_by_visits"], served["rfm"]) == (None, None, None)
