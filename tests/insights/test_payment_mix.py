"""Payment mixes: how payments divide, of named periods made of months."""

import datetime

from conftest import QUESTIONS

# docs/definitions.md, "Payment mix". Each dimension as DuckDB reads it; null where a row does not say.
DIMENSIONS = {
    "card_company": "card_company",
    "channel": "channel",
    "payment_method": "payment_method",
    "is_foreign": "CASE WHEN lower(is_foreign) IN ('true', 't', 'yes', 'y', '1') THEN true "
                  "WHEN lower(is_foreign) IN ('false', 'f', 'no', 'n', '0') THEN false END",
    # DuckDB's `greatest` passes over nulls.
    "installments": "CASE WHEN installments IS NOT NULL THEN greatest(CAST(installments AS INTEGER), 1) END",
    "points_used": "coalesce(CAST(points_used AS BIGINT), 0) > 0",
    "country": "country",
    "campaign": "campaign",
    "product": "product",
}
MIX = """
    SELECT {value} AS value, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum
    FROM payments WHERE store = $store AND day BETWEEN $first AND $last
    GROUP BY ALL ORDER BY count DESC, value NULLS LAST
"""


def dimensions_of(subject):
    """The dimensions that the file has a column of."""
    columns = {row["name"] for row in subject.query("SELECT name FROM pragma_table_info('payments')")}
    return [name for name in DIMENSIONS if name in columns]


def first_of(number):
    """The first day of a month by its number since the year 0."""
    return datetime.date(number // 12, number % 12 + 1, 1)


def periods_of(day):
    """Named periods that are made of months, with their first and last day."""
    month = day.year * 12 + day.month - 1
    quarter = month - month % 3
    for first, months, label in [(month, 1, f"{day:%Y-%m}"), (day.year * 12, 12, f"{day.year}"),
                                 (quarter, 3, f"{day.year}-Q{quarter % 12 // 3 + 1}")]:
        yield first_of(first), first_of(first + months) - datetime.timedelta(days=1), label


def is_said(name, rows):
    unsaid = False if name == "points_used" else None
    return any(row["value"] is not unsaid for row in rows)


def check(subject, present, store, first, last, **parameters):
    """Compares a mix with what DuckDB answers; returns how many dimensions it has."""
    served = subject.ask(subject.path(store, "payment_mix"), **parameters)
    expected = {}
    for name in present:
        rows = subject.query(MIX.format(value=DIMENSIONS[name]), store=store, first=first, last=last)
        for row in rows:
            row["count_share"] = row["count"] / served["count"]
            row["sum_share"] = row["sum"] / served["sum"] if served["sum"] > 0 else None
        if is_said(name, rows):
            expected[name] = rows
    assert served["mix"] == expected, (store, parameters)
    for rows in expected.values():
        assert sum(row["count"] for row in rows) == served["count"]
        assert sum(row["sum"] for row in rows) == served["sum"]
    return len(expected)


def test_mixes_of_named_periods_are_those_of_the_rows(subject, dice):
    present = dimensions_of(subject)
    with_dimensions = 0
    days = (subject.last - subject.first).days
    for _ in range(QUESTIONS // 10):
        store = dice.choice(subject.stores[:40] if dice.random() < 0.8 else subject.stores)
        day = subject.first + datetime.timedelta(days=dice.randrange(-40, days + 40))
        for first, last, period in periods_of(day):
            with_dimensions += check(subject, present, store, first, last, period=period) > 0
    assert (with_dimensions > QUESTIONS / 10) == bool(present)


def test_mixes_of_everything_and_of_whole_months_are_those_of_the_rows(subject, dice):
    present = dimensions_of(subject)
    for store in [*subject.stores[:5], *dice.sample(subject.stores, k=5)]:
        check(subject, present, store, subject.first, subject.last)
        day = subject.random_range(dice)[0]
        for first, last, _ in periods_of(day):
            check(subject, present, store, first, last, min_date=first, max_date=last)


def test_periods_that_cut_months_are_refused(subject):
    store = subject.stores[0]
    day = subject.first + datetime.timedelta(days=70)
    day = day.replace(day=9)
    week = "{}-W{:02}".format(*day.isocalendar()[:2])
    for parameter, value in [("period", day), ("period", week), ("min_date", day), ("fill", "zero")]:
        status, body = subject.answer(subject.path(store, "payment_mix"), **{parameter: value})
        assert (status, body["parameter"]) == (400, parameter)
