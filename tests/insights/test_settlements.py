"""Settlements: which rows settle when, what is kept and paid out, and points, fees and deposits beside payment mixes."""

import csv
import datetime
import random
import subprocess

import pytest
from conftest import BINARY, QUESTIONS, Subject, seed
from test_payment_mix import periods_of

# A number counts where it is whole, a date in any notation that begins with one (docs/definitions.md, "Settlements").
# 10^14 is as much as an amount may be.
NUMBER = """
    CASE WHEN TRY_CAST({name} AS DOUBLE) = trunc(TRY_CAST({name} AS DOUBLE)) AND abs(TRY_CAST({name} AS DOUBLE)) <= 1e14
        THEN CAST(TRY_CAST({name} AS DOUBLE) AS BIGINT) END AS {alias}
"""
SETTLED = f"""
    CREATE TABLE settled AS SELECT store, day, amount,
        {NUMBER.format(name="points_used", alias="points")}, {NUMBER.format(name="fee_minor", alias="fee")},
        {NUMBER.format(name="deposit_minor", alias="deposit")}, TRY_CAST(left(settles_on, 10) AS DATE) AS settles_on
    FROM payments
"""
FIGURES = """
    count(*) AS count, CAST(coalesce(sum(amount), 0) AS BIGINT) AS sum, count(fee) AS fee_count,
    CAST(sum(fee) AS BIGINT) AS fees, count(deposit) AS deposit_count, CAST(sum(deposit) AS BIGINT) AS deposits
"""
DAYS = f"""
    SELECT CAST(settles_on AS VARCHAR) AS settles_on, {FIGURES} FROM settled
    WHERE store = $store AND settles_on BETWEEN $first AND $last GROUP BY settles_on ORDER BY settles_on
"""
TOTAL = f"SELECT {FIGURES} FROM settled WHERE store = $store AND settles_on BETWEEN $first AND $last"
UNDATED = """
    SELECT count(*) AS count, CAST(coalesce(sum(amount), 0) AS BIGINT) AS sum FROM settled
    WHERE store = $store AND settles_on IS NULL
"""
ENDS = "SELECT min(settles_on) AS first, max(settles_on) AS last FROM settled WHERE store = $store"
# No points are what a row says that says nothing of them.
BESIDE = """
    SELECT count(nullif(points, 0)) AS points_count, CAST(sum(points) AS BIGINT) AS points, count(fee) AS fee_count,
        CAST(sum(fee) AS BIGINT) AS fees, count(deposit) AS deposit_count, CAST(sum(deposit) AS BIGINT) AS deposits
    FROM settled WHERE store = $store AND day BETWEEN $first AND $last
"""


def settled(folder):
    """Rows of which some say nothing, something that cannot be read, or another day; some twice, some twice with
    another fee; and a store that never says anything."""
    path = folder / "payments.csv"
    command = [BINARY, "generate", "--quiet", "--settlements", "--output", path, "--stores", "12", "--cards", "200",
               "--transactions", "40000", "--from", "2018-10-05", "--to", "2020-03-20", "--seed", str(seed(5))]
    subprocess.run(command, check=True)
    dice = random.Random(seed(5))
    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    silent = min(row[names.index("store_id")] for row in rows)
    of = {name: names.index(name) for name in names}
    with open(path, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(names)
        for row in rows:
            change(row, of, dice)
            if row[of["store_id"]] == silent:
                for name in ["points_used", "fee_minor", "deposit_minor", "settles_on"]:
                    row[of[name]] = ""
            lines.writerow(row)
            roll = dice.random()
            if roll < 0.04:
                lines.writerow(row)
            elif roll < 0.06 and row[of["store_id"]] != silent:
                row[of["fee_minor"]] = "77777"
                lines.writerow(row)
    return path, path.with_suffix(".stores.csv"), "EUR"


def change(row, of, dice):
    """Makes a row of the generator an odd one, now and then."""
    fee = row[of["fee_minor"]]
    if dice.random() < 0.08:
        row[of["fee_minor"]] = dice.choice(["", "free", "0", "2.5", f"{fee or 3}.0", "-12"])
    if dice.random() < 0.08:
        row[of["deposit_minor"]] = dice.choice(["", "0", "n/a", "1200"])
    if dice.random() < 0.08:
        day = row[of["ts"]][:10]
        row[of["settles_on"]] = dice.choice(
            ["", "soon", "2018-02-30", "2017-12-29", "2031-05-05", day, f"{day}T23:59:00"])
    if dice.random() < 0.05:
        row[of["points_used"]] = dice.choice(["0", "250", "true", "-40", "no", "1.5"])
    if dice.random() < 0.01:
        row[of["currency"]] = "USD"
    if "2019-02" <= row[of["ts"]] < "2019-04":
        # Months in which hardly any row says when it settles.
        row[of["settles_on"]] = row[of["settles_on"]] if dice.random() < 0.01 else ""


@pytest.fixture(scope="module")
def settling(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settled")
    subject = Subject(folder, *settled(folder))
    subject.rows.execute(SETTLED)
    subject.known = {store: (subject.query(ENDS, store=store), subject.query(UNDATED, store=store))
                     for store in subject.stores}
    yield subject
    subject.stop()


def check(subject, store, first=None, last=None):
    """Compares the settlements of a range with what DuckDB answers; returns how many days they have."""
    asked = {name: day for name, day in [("min_date", first), ("max_date", last)] if day is not None}
    served = subject.ask(subject.path(store, "settlements"), **asked)
    [known], [undated] = subject.known[store]
    if known["first"] is None and (first is None or last is None):
        first = last = None
    else:
        # No range ends before it begins.
        first, last = (first or min(known["first"], last or known["first"]),
                       last or max(known["last"], first or known["last"]))
    assert (served["min_date"], served["max_date"]) == tuple(day and str(day) for day in (first, last))
    rows = subject.query(DAYS, store=store, first=first, last=last)
    assert served["rows"] == rows, (store, asked)
    [total] = subject.query(TOTAL, store=store, first=first, last=last)
    assert {name: served[name] for name in total} == total, (store, asked)
    assert served["undated"] == undated, (store, asked)
    return len(rows)


def test_all_settlements_and_those_without_a_day_are_all_rows(settling):
    days = 0
    for store in settling.stores:
        days += check(settling, store) > 0
        served = settling.ask(settling.path(store, "settlements"))
        profile = settling.ask(settling.path(store, "").rstrip("/"))
        for name in ["count", "sum"]:
            assert served[name] + served["undated"][name] == profile[name]
    # All but the one that says nothing.
    assert days == len(settling.stores) - 1


def test_settlements_of_ranges_are_those_of_the_rows(settling, dice):
    days = (settling.last - settling.first).days
    with_days = 0
    for _ in range(QUESTIONS):
        store = dice.choice(settling.stores)
        ends = sorted(dice.randrange(-400, days + 400) for _ in range(2))
        if dice.random() < 0.5:
            ends[1] = ends[0] + dice.randrange(10)
        first, last = (settling.first + datetime.timedelta(days=end) for end in ends)
        if dice.random() < 0.2:
            first, last = dice.choice([(first, None), (None, last)])
        with_days += check(settling, store, first, last) > 0
    assert with_days > QUESTIONS / 4


def test_days_before_the_sale_and_far_behind_the_data_are_told(settling):
    far = datetime.date(2031, 5, 5)
    told = sum(check(settling, store, day, day) for store in settling.stores
               for day in [far, datetime.date(2017, 12, 29)])
    assert told > len(settling.stores) / 2


def test_points_fees_and_deposits_of_periods_are_those_of_the_rows(settling, dice):
    days = (settling.last - settling.first).days
    said = dict.fromkeys(["points", "fees", "deposits"], 0)
    for _ in range(QUESTIONS // 20):
        store = dice.choice(settling.stores)
        day = settling.first + datetime.timedelta(days=dice.randrange(-40, days + 40))
        for first, last, period in periods_of(day):
            served = settling.ask(settling.path(store, "payment_mix"), period=period)
            [wanted] = settling.query(BESIDE, store=store, first=first, last=last)
            for name, counted in [("points", "points_count"), ("fees", "fee_count"), ("deposits", "deposit_count")]:
                count, total = wanted[counted], wanted[name]
                expected = {"count": count, "sum": total} if count else None
                assert served[name] == expected, (store, period, name)
                said[name] += count > 0
    assert min(said.values()) > QUESTIONS / 20, said


def test_settlements_are_of_stores_alone_and_by_days(settling):
    store = settling.stores[0]
    for parameter, value in [("period", "2019-03"), ("fill", "zero"), ("min_date", "2019-02-30")]:
        status, body = settling.answer(settling.path(store, "settlements"), **{parameter: value})
        assert (status, body["parameter"]) == (400, parameter)
    assert settling.answer(settling.path(None, "settlements"))[0] == 404
