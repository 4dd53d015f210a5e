"""Who pays at a store: cells by docs/definitions.md, "Demographics", merged until each hides its cards."""

import csv
import datetime
import random
import subprocess
from collections import defaultdict
from fractions import Fraction
from itertools import product

import pytest
from conftest import BINARY, Subject, birmingham, complete_journey, configured, generated, seed
from test_payment_mix import first_of, periods_of

ATTRIBUTES = ["age_band", "gender", "segment"]
OTHERS = 5
# Comes before what is unknown, and that before each value.
MERGED, UNKNOWN = (0, b""), (1, b"")

ROWS = """
    SELECT payments.store, card, day, amount, coalesce('merchant ' || merchant, 'store ' || store) AS merchant,
        {attributes}
    FROM payments JOIN stores USING (store)
"""


def changing(folder):
    """Cards whose attributes change, are not known in some rows, and contradict each other on some days."""
    payments, stores, currency = generated(folder)
    dice = random.Random(seed(5))
    with open(payments, newline="") as file:
        names, *rows = csv.reader(file)
    at = [names.index(name) for name in ATTRIBUTES]
    with open(payments, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(names)
        for row in rows:
            for column in at:
                if dice.random() < 0.3:
                    row[column] = ""
                elif dice.random() < 0.03:
                    row[column] = dice.choice(["20대", "z", "~"])
            lines.writerow(row)
    return payments, stores, currency


class Demographics(Subject):
    """A build in which `k` cards hide each other, and what its cells are."""

    def __init__(self, folder, source, k):
        super().__init__(folder, *source(folder), "--config", configured(folder, k))
        self.k = k
        columns = {row["name"] for row in self.query("SELECT name FROM pragma_table_info('payments')")}
        present = [name if name in columns else f"NULL AS {name}" for name in ATTRIBUTES]
        months = defaultdict(list)
        for row in self.query(ROWS.format(attributes=", ".join(present))):
            months[row["store"], row["day"].year * 12 + row["day"].month - 1].append(row)
        self.cells = {key: cells_of(rows) for key, rows in months.items()}
        # Months of which no row says who paid have no cells.
        self.cells = {key: cells for key, cells in self.cells.items() if set(cells) != {(UNKNOWN,) * 3}}
        self.market = defaultdict(lambda: defaultdict(list))
        for (store, month), cells in self.cells.items():
            for labels, cell in cells.items():
                self.market[month][labels].append((store, cell))
        self.counts = {month: {labels: sum(cell.count for _, cell in found) for labels, found in cells.items()}
                       for month, cells in self.market.items()}
        self.totals = {month: sum(counts.values()) for month, counts in self.counts.items()}
        self.hidden = {}

    def is_hidden(self, month, labels):
        """Whether the cells of all stores in a month hide each other."""
        if (month, labels) not in self.hidden:
            self.hidden[month, labels] = is_hidden(self.market[month][labels], self.k)
        return self.hidden[month, labels]


def label_of(value):
    return UNKNOWN if value is None else (2, value.encode())


class Cell:
    """Rows of the cards of some attributes."""

    def __init__(self):
        self.count = self.sum = 0
        self.cards, self.sales = set(), defaultdict(int)

    def add(self, row):
        self.count += 1
        self.sum += row["amount"]
        self.sales[row["merchant"]] += max(row["amount"], 0)
        if row["card"] is not None:
            self.cards.add(row["card"])

    def merge(self, other):
        self.count += other.count
        self.sum += other.sum
        self.cards |= other.cards


def cells_of(rows):
    """The rows of a store's month by the latest known attributes of their cards."""
    latest = defaultdict(lambda: [(datetime.date.min, UNKNOWN)] * 3)
    for row in rows:
        of_card = latest[row["card"]]
        for at, name in enumerate(ATTRIBUTES):
            if row[name] is not None:
                of_card[at] = max(of_card[at], (row["day"], label_of(row[name])))
    cells = defaultdict(Cell)
    for row in rows:
        if row["card"] is None:
            labels = tuple(label_of(row[name]) for name in ATTRIBUTES)
        else:
            labels = tuple(label for _, label in latest[row["card"]])
        cells[labels].add(row)
    return dict(cells)


def merged(cells, k):
    """What is told of a store's month, by the steps of the document."""
    if k == 1:
        return cells
    if sum(len(cell.cards) for cell in cells.values()) < k:
        return {}
    told, short = {}, cells
    for kept in [3, 2, 1, 0]:
        pools = defaultdict(Cell)
        for labels, cell in short.items():
            pools[labels[:kept] + (MERGED,) * (3 - kept)].merge(cell)
        short = {labels: cell for labels, cell in pools.items() if len(cell.cards) < k}
        told.update((labels, cell) for labels, cell in pools.items() if labels not in short)
    for labels, cell in short.items():
        smallest = min(told, key=lambda it: (len(told[it].cards), it))
        cell.merge(told.pop(smallest))
        told[labels] = cell
    return told


def served_labels(row):
    labels = []
    for name in ATTRIBUTES:
        if name in row.get("merged", []):
            assert row[name] is None
            labels.append(MERGED)
        else:
            labels.append(label_of(row[name]))
    return tuple(labels)


def half_up(share):
    return float(Fraction((share * 200 + 1) // 2, 100))


def is_hidden(cells, k):
    """Whether what is told of all stores leaves k cards of five other merchants, whoever knows its own."""
    merchants = defaultdict(lambda: [0, set()])
    for _, cell in cells:
        for merchant, sales in cell.sales.items():
            merchants[merchant][0] += sales
            merchants[merchant][1] |= cell.cards
    for asks in merchants:
        others = [it for merchant, it in merchants.items() if merchant != asks]
        sold = [sales for sales, _ in others if sales > 0]
        if len(sold) < OTHERS or 2 * max(sold) > sum(sold) or len(set().union(*(it[1] for it in others))) < k:
            return False
    return bool(merchants)


def check_market(subject, row, labels, months):
    """Compares a share of all stores; returns whether it is told."""
    share = row["market_count_share"]
    assert (share is None) == ("market_count_share" in row.get("suppressed", []))
    if MERGED in labels:
        assert share is None
        return False
    count = sum(subject.counts[month].get(labels, 0) for month in months)
    total = sum(subject.totals[month] for month in months)
    if subject.k == 1:
        assert share == count / total
    elif share is not None:
        assert share == half_up(Fraction(count, total))
        for month in months:
            assert subject.is_hidden(month, labels)
    return share is not None


def has_ended(month, subject):
    return first_of(month + 1) <= subject.last + datetime.timedelta(days=1)


def check(subject, store, first, last, **parameters):
    """Compares the cells of a period; returns how many there are, and of how many the market is told."""
    served = subject.ask(subject.path(store, "demographics"), **parameters)
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    told = {}
    for month in numbers:
        if subject.k == 1 or has_ended(month, subject):
            cells = merged(subject.cells.get((store, month), {}), subject.k)
            if cells:
                told[month] = cells
    if not told:
        assert (served["rows"], served["covered"], served["count"]) == ([], None, 0)
        return 0, 0
    months = sorted(told)
    covered = first_of(months[0]), first_of(months[-1] + 1) - datetime.timedelta(days=1)
    assert served["covered"] == dict(zip(["min_date", "max_date"], map(str, covered)))
    expected = defaultdict(list)
    for cells in told.values():
        for labels, cell in cells.items():
            expected[labels].append(cell)
    totals = {labels: (sum(it.count for it in cells), sum(it.sum for it in cells))
              for labels, cells in expected.items()}
    assert served["count"] == sum(count for count, _ in totals.values())
    assert served["sum"] == sum(total for _, total in totals.values())
    order = sorted(totals, key=lambda labels: (-totals[labels][0], labels))
    assert [served_labels(row) for row in served["rows"]] == order, (store, parameters)
    with_market = 0
    for row, labels in zip(served["rows"], order):
        count, total = totals[labels]
        assert (row["count"], row["sum"], row["mean"]) == (count, total, total / count)
        assert row["count_share"] == count / served["count"]
        assert row["sum_share"] == (total / served["sum"] if served["sum"] > 0 else None)
        [first_cell, *others] = expected[labels]
        assert row["cards"] == (None if others else len(first_cell.cards))
        assert ("cards" in row.get("suppressed", [])) == bool(others)
        assert others or subject.k == 1 or row["cards"] >= subject.k
        with_market += check_market(subject, row, labels, months)
    return len(order), with_market


@pytest.fixture(scope="module", params=[(changing, 1), (changing, 10), (complete_journey, 1),
                                        (complete_journey, 10), (birmingham, 10)],
                ids=lambda it: f"{it[0].__name__}-{it[1]}")
def subject(request, tmp_path_factory):
    source, k = request.param
    subject = Demographics(tmp_path_factory.mktemp(source.__name__), source, k)
    yield subject
    subject.stop()


def test_cells_of_named_periods_are_those_of_the_rows(subject, dice):
    days = (subject.last - subject.first).days
    cells = with_market = 0
    for _ in range(40):
        store = dice.choice(subject.stores[:40] if dice.random() < 0.8 else subject.stores)
        day = subject.first + datetime.timedelta(days=dice.randrange(-40, days + 40))
        for first, last, period in periods_of(day):
            found = check(subject, store, first, last, period=period)
            cells, with_market = cells + found[0], with_market + found[1]
    # Of few stores the market is told of few cells, so every month of those with most rows is asked.
    months = sorted({month for _, month in subject.cells})
    for store, month in product(subject.stores[:5], months):
        last = first_of(month + 1) - datetime.timedelta(days=1)
        with_market += check(subject, store, first_of(month), last, period=f"{last:%Y-%m}")[1]
    assert bool(cells) == bool(subject.cells)
    # The baskets are of one chain's stores that name no merchant, so some are large enough.
    assert with_market or not cells


def test_cells_of_everything_are_those_of_the_rows(subject, dice):
    for store in [*subject.stores[:5], *dice.sample(subject.stores, k=5)]:
        check(subject, store, subject.first, subject.last)


def test_periods_that_cut_months_are_refused(subject):
    store = subject.stores[0]
    day = (subject.first + datetime.timedelta(days=70)).replace(day=9)
    week = "{}-W{:02}".format(*day.isocalendar()[:2])
    for parameter, value in [("period", day), ("period", week), ("min_date", day), ("fill", "zero")]:
        status, body = subject.answer(subject.path(store, "demographics"), **{parameter: value})
        assert (status, body["parameter"]) == (400, parameter)


def test_a_generation_with_who_pays_is_whole(subject):
    subprocess.run([BINARY, "verify", "--quiet", subject.folder / "repository"], check=True,
                   stdout=subprocess.DEVNULL)
