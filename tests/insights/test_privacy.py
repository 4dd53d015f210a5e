"""Protected answers: sums of atoms by docs/privacy.md, and what cannot be worked out from them."""

import csv
import datetime
import random
import subprocess
import urllib.parse
from collections import defaultdict
from itertools import groupby

import pytest
from conftest import BINARY, Subject, configured, generated

K = 10
OTHERS = 5
DAY = datetime.timedelta(days=1)

ROWS = """
    SELECT payments.store, card, day, amount, coalesce('merchant ' || merchant, 'store ' || store) AS merchant,
        stores.region, stores.category
    FROM payments JOIN stores USING (store)
    ORDER BY day
"""


def month_end(day):
    return (day.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - DAY


def is_enough(buyers, parts):
    """docs/privacy.md, "Atoms": what is left without any merchant. `parts`: buyers and sales by merchant."""
    parts = [(cards, sales) for cards, sales in parts if sales > 0]
    if not parts:
        return False
    for asks in range(len(parts)):
        others = parts[:asks] + parts[asks + 1:]
        sold = [sales for _, sales in others]
        if len(others) < OTHERS or 2 * max(sold) > sum(sold) or buyers - parts[asks][0] < K:
            return False
    return True


class Cell:
    """Rows of a leaf on days of a month."""

    def __init__(self, first, last, rows):
        self.first, self.last, self.rows = first, last, rows
        sales = [row for row in rows if row["amount"] > 0]
        self.buyers = {row["card"] for row in sales} - {None}
        of_stores = defaultdict(set)
        sold = defaultdict(int)
        for row in sales:
            of_stores[row["merchant"], row["store"]].add(row["card"])
            sold[row["merchant"]] += row["amount"]
        cards = defaultdict(int)
        for (merchant, _), buyers in of_stores.items():
            cards[merchant] += len(buyers - {None})
        self.parts = {merchant: (cards[merchant], sold[merchant]) for merchant in sold}

    def is_enough(self):
        return is_enough(len(self.buyers), self.parts.values())


def settled(rows, first, last, has_ended):
    """The atoms of a leaf's month, and what is left of it."""
    cells, start, pending = [], first, []
    for day, of_day in groupby(rows, key=lambda row: row["day"]):
        pending += of_day
        cell = Cell(start, day, pending)
        if cell.is_enough():
            cells.append(cell)
            start, pending = day + DAY, []
    if not has_ended:
        return cells[:-1], None
    if not pending:
        if cells:
            cells[-1].last = last
        return cells, None
    if cells:
        longer = Cell(cells[-1].first, last, cells[-1].rows + pending)
        if longer.is_enough():
            return cells[:-1] + [longer], None
    return cells, Cell(start, last, pending)


def fold(rests, month_rows, within, first):
    """The rests of leaves together, as one cell, if they are enough; `within`: where nobody else was."""
    leaves = defaultdict(set)
    for row in month_rows:
        if row["amount"] > 0 and row["card"] is not None:
            leaves[within(row), row["card"]].add(leaf_of(row))
    alone = 0
    for leaf, cell in rests:
        if cell.first == first:
            alone += sum(len(leaves[within(cell.rows[0]), card]) == 1 for card in cell.buyers)
    parts = defaultdict(lambda: (0, 0))
    for _, cell in rests:
        for merchant, (cards, sold) in cell.parts.items():
            parts[merchant] = (parts[merchant][0] + cards, parts[merchant][1] + sold)
    buyers = max([alone] + [len(cell.buyers) for _, cell in rests])
    if not is_enough(buyers, parts.values()):
        return None
    rows = [row for _, cell in rests for row in cell.rows]
    return Cell(min(cell.first for _, cell in rests), rests[0][1].last, rows)


def leaf_of(row):
    return row["region"], row["category"]


def none_first(leaf):
    return tuple(part or "" for part in leaf)


def atoms(rows, as_of):
    """All atoms: the places that each is in, and its rows."""
    found = []
    by_month = groupby(rows, key=lambda row: row["day"].replace(day=1))
    for first, month_rows in by_month:
        month_rows, last = list(month_rows), month_end(first)
        leaves = defaultdict(list)
        for row in month_rows:
            leaves[leaf_of(row)].append(row)
        rests = defaultdict(list)
        for (region, category), of_leaf in sorted(leaves.items(), key=lambda item: none_first(item[0])):
            cells, rest = settled(of_leaf, first, last, last <= as_of)
            places = {None}
            places |= {f"regions|{region}"} if region else set()
            places |= {f"categories|{category}"} if category else set()
            places |= {f"regions|{region}|categories|{category}"} if region and category else set()
            found += [(places, cell) for cell in cells]
            if rest:
                rests[region].append(((region, category), rest))
        others = []
        for region, of_region in rests.items():
            cell = fold(of_region, month_rows, lambda row: row["region"], first)
            if cell:
                found.append(({None, f"regions|{region}"} if region else {None}, cell))
            else:
                others += of_region
        cell = fold(others, month_rows, lambda row: None, first) if others else None
        found += [({None}, cell)] if cell else []
    return found


class Protected(Subject):
    """A build whose places and market are protected."""

    def __init__(self, folder, payments, stores, currency):
        super().__init__(folder, payments, stores, currency, "--config", configured(folder, K))
        self.atoms = atoms(self.query(ROWS), self.last)
        self.places = sorted({place for places, _ in self.atoms for place in places if place}) + [None]

    def path(self, place, resource):
        if place is None:
            return f"/v1/markets/all/{resource}"
        segments = [urllib.parse.quote(part, safe="") for part in place.split("|")]
        return "/".join(["/v1", *segments, resource])


def payments_of_many(folder):
    """Enough stores of few places that days make atoms, and places that are too small for any."""
    path = folder / "payments.csv"
    command = [BINARY, "generate", "--quiet", "--output", path, "--stores", "900", "--cards", "3000",
               "--transactions", "90000", "--from", "2019-11-05", "--to", "2020-03-20", "--seed", "5"]
    subprocess.run(command, check=True)
    return path, path.with_suffix(".stores.csv"), "EUR"


@pytest.fixture(scope="module", params=[payments_of_many, generated], ids=lambda source: source.__name__)
def subject(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("protected")
    subject = Protected(folder, *request.param(folder))
    yield subject
    subject.stop()


def expected(found, place, first, last):
    """The count, sum and distinct cards of the atoms of a place that lie in a range."""
    cells = [cell for places, cell in found if place in places and first <= cell.first and cell.last <= last]
    rows = [row for cell in cells for row in cell.rows]
    cards = len({row["card"] for row in rows} - {None})
    return len(rows), sum(row["amount"] for row in rows), cards, len(cells)


def test_statistics_of_any_range_are_those_of_the_atoms_in_it(subject, dice):
    told = 0
    for _ in range(400):
        place = dice.choice(subject.places)
        first, last = subject.random_range(dice)
        if dice.random() < 0.4:
            first = first.replace(day=1)
        rows = subject.ask(subject.path(place, "statistics"), group_by="all", min_date=first,
                           max_date=last)["rows"]
        # A range that reaches beyond the data has its last days, and those after them.
        shown = (min(first, subject.first.replace(day=1)) if first <= subject.first else first,
                 month_end(subject.last) if last >= subject.last else last)
        count, total, cards, cells = expected(subject.atoms, place, *shown)
        if count == 0:
            assert rows == []
            continue
        told += 1
        [row] = rows
        assert (row["count"], row["sum"]) == (count, total), (place, first, last)
        if cells > 1 and row["cards"] is not None:
            assert row["cards"] == cards // K * K
        if shown[0].day == 1:
            assert row["cards"] is not None
        assert [row[name] for name in ["min", "max", "std", "refund_count", "refund_sum"]] == [None] * 5
    assert told > 100


def test_months_and_days_are_those_of_the_atoms_in_them(subject):
    days = 0
    for place in subject.places:
        for kind in ["month", "day"]:
            answer = subject.ask(subject.path(place, "statistics"), group_by=kind)
            served = {row["period"]: (row["count"], row["sum"]) for row in answer["rows"]}
            periods = {}
            for places, cell in subject.atoms:
                if place in places and (kind == "month" or cell.first == cell.last):
                    label = str(cell.first)[: 7 if kind == "month" else 10]
                    periods.setdefault(label, []).extend(cell.rows)
            assert served == {label: (len(rows), sum(row["amount"] for row in rows))
                              for label, rows in periods.items()}, (place, kind)
            days += kind == "day" and len(served)
    assert days > 0 or len(subject.stores) < 100


# A small case: every transaction is marked, and found again in every answer.

STORES = 36
MARKS = 20
# A sum is so many of these, and a mark in the bits below.
BASE = 1 << 24


def small_case(seed):
    """Rows of few stores in two regions and two categories, over the end of a month."""
    dice = random.Random(seed)
    stores = [(f"s{number}", f"m{number // 2}" if number % 3 == 0 else "", "north" if number % 2 else "south",
               "food" if number % 4 < 3 else "books") for number in range(STORES)]
    rows = []
    for number in range(420):
        day = datetime.date(2020, 1, 20) + DAY * dice.randrange(20)
        rows.append((f"t{number}", dice.choice(stores)[0], f"c{dice.randrange(60)}", day))
    return stores, sorted(rows, key=lambda row: row[3])


def answers(folder, stores, rows, marked, ranges):
    """All sums that a server tells, by question; the `marked` rows have a bit each."""
    folder.mkdir()
    with open(folder / "stores.csv", "w", newline="") as file:
        csv.writer(file).writerows([("store_id", "merchant_id", "region", "category"), *stores])
    with open(folder / "payments.csv", "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("tx_id", "store_id", "card_id", "ts", "amount_minor", "currency"))
        for number, (name, store, card, day) in enumerate(rows):
            bit = 1 << marked.index(number) if number in marked else 0
            lines.writerow((name, store, card, f"{day}T12:00:00", BASE + bit, "EUR"))
    subject = Subject(folder, folder / "payments.csv", folder / "stores.csv", "EUR", "--config",
                      configured(folder, K))
    places = [("markets", "all")] + [("regions", region) for region in ["north", "south"]]
    places += [("categories", category) for category in ["food", "books"]]
    places += [("regions", region, "categories", category)
               for region in ["north", "south"] for category in ["food", "books"]]
    told = {}
    for place in places:
        path = "/v1/" + "/".join(place) + "/statistics"
        for first, last in ranges:
            for kind in ["day", "week", "month", "all"]:
                status, body = subject.answer(path, group_by=kind, min_date=first, max_date=last)
                assert status in (200, 404), body
                for row in body["data"]["rows"] if status == 200 else []:
                    told[place, first, last, kind, row["period"]] = row["sum"]
    subject.stop()
    return told


def transactions_of(folder, stores, rows, ranges):
    """The transactions in every sum that is told."""
    found = defaultdict(set)
    for start in range(0, len(rows), MARKS):
        marked = list(range(start, min(start + MARKS, len(rows))))
        for question, total in answers(folder / f"marked-{start}", stores, rows, marked, ranges).items():
            found[question] |= {number for bit, number in enumerate(marked) if total >> bit & 1}
    return found


def test_no_combination_of_answers_isolates_fewer_than_k_cards(tmp_path):
    stores, rows = small_case(3)
    merchants = {store: merchant or store for store, merchant, _, _ in stores}
    first, last = rows[0][3], rows[-1][3]
    dice = random.Random(3)
    days = [first + DAY * day for day in range((last - first).days + 1)]
    ranges = [(first, last)] + [tuple(sorted(dice.sample(days, 2))) for _ in range(25)]
    # Two nights: what the second tells beside the first is there to be subtracted, too.
    known = [row for row in rows if row[3] <= last - DAY * 4]
    nights = [transactions_of(tmp_path / "first", stores, known, ranges),
              transactions_of(tmp_path / "second", stores, rows, ranges)]
    told = [transactions for night in nights for transactions in night.values()]
    assert len(told) > 200
    # Transactions that are in the same answers have the same coefficient in every linear combination. So
    # whatever is left of a combination is made of whole groups of such transactions.
    groups = defaultdict(set)
    for number in range(len(rows)):
        groups[tuple(number in answer for answer in told)].add(number)
    groups.pop((False,) * len(told), None)
    assert len(groups) > 1
    for group in groups.values():
        for asks in merchants.values():
            others = [rows[number] for number in group if merchants[rows[number][1]] != asks]
            assert len({card for _, _, card, _ in others}) >= K
            assert len({merchants[store] for _, store, _, _ in others}) >= OTHERS
