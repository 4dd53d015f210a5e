"""Protected answers: sums of atoms by docs/privacy.md, and what cannot be worked out from them."""

import csv
import datetime
import subprocess
import urllib.parse
from collections import Counter, defaultdict
from itertools import groupby

import pytest
from conftest import BINARY, QUESTIONS, Subject, configured, generated, seed
from patterns import Slots
from test_before_after import LISTS, beside_of, check_hidden
from test_origins import check_named_periods
from test_spend_shares import check_periods

K = 10
OTHERS = 5
DAY = datetime.timedelta(days=1)

ROWS = """
    SELECT payments.store, card, day, hour(ts) AS hour, amount, coalesce('merchant ' || merchant, 'store ' || store) AS merchant,
        stores.region, stores.category
    FROM payments JOIN stores USING (store)
    ORDER BY day
"""


def month_end(day):
    return (day.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - DAY


def is_enough(buyers, parts):
    """docs/privacy.md, "Atoms": what is left without any merchant. `parts`: buyers, rows and net sum by merchant."""
    parts = list(parts)
    if not parts:
        return False
    for asks in range(len(parts)):
        others = parts[:asks] + parts[asks + 1:]
        rows, nets = [count for _, count, _ in others], [net for _, _, net in others]
        if sum(net > 0 for net in nets) < OTHERS or buyers - parts[asks][0] < K:
            return False
        if 2 * max(rows) > sum(rows) or 2 * max(map(abs, nets)) > sum(nets):
            return False
    return True


class Cell:
    """Rows of a leaf, or of leaves that are put together, on days of a month."""

    def __init__(self, first, last, rows, is_folded=False):
        self.first, self.last, self.rows, self.is_folded = first, last, rows, is_folded
        sales = [row for row in rows if row["amount"] > 0]
        self.buyers = {row["card"] for row in sales} - {None}
        of_stores = defaultdict(set)
        for row in sales:
            of_stores[row["merchant"], row["store"]].add(row["card"])
        counts, nets = Counter(), Counter()
        for row in rows:
            counts[row["merchant"]] += 1
            nets[row["merchant"]] += row["amount"]
        cards = Counter()
        for (merchant, _), buyers in of_stores.items():
            cards[merchant] += len(buyers - {None})
        self.parts = {merchant: (cards[merchant], counts[merchant], nets[merchant]) for merchant in counts}

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
    parts = defaultdict(lambda: (0, 0, 0))
    for _, cell in rests:
        for merchant, part in cell.parts.items():
            parts[merchant] = tuple(map(sum, zip(parts[merchant], part)))
    buyers = max([alone] + [len(cell.buyers) for _, cell in rests])
    if not is_enough(buyers, parts.values()):
        return None
    rows = [row for _, cell in rests for row in cell.rows]
    return Cell(min(cell.first for _, cell in rests), rests[0][1].last, rows, is_folded=True)


def leaf_of(row):
    return row["region"], row["category"]


def none_first(leaf):
    return tuple(part or "" for part in leaf)


class Told:
    """What a generation tells: all atoms, with the places that each is in, and of each leaf of the month that goes on
    its stores and its atoms."""

    def __init__(self, as_of):
        self.as_of, self.atoms, self.leaves = as_of, [], {}

    def goes_on(self):
        """The first day of the month that had not ended."""
        first = self.as_of.replace(day=1)
        return first if month_end(first) > self.as_of else None


def held(rows, before):
    """The rows of the month that goes on, each in the leaf in which its store was told of."""
    leaves = {store: leaf for leaf, (stores, _) in before.leaves.items() for store in stores}
    moved = ((row, leaves.get(row["store"], leaf_of(row))) for row in rows)
    return [{**row, "region": region, "category": category} for row, (region, category) in moved]


def places_of_leaf(region, category):
    return {None, region and f"regions|{region}", category and f"categories|{category}",
            region and category and f"regions|{region}|categories|{category}"}


def tell(rows, as_of, before=None):
    """What a generation tells that goes on from the one `before`, as docs/privacy.md says."""
    before, told = before or Told(datetime.date.min), Told(as_of)
    ended = [(places, cell) for places, cell in before.atoms if month_end(cell.first) <= before.as_of]
    told.atoms += ended
    now = set().union(*(places_of_leaf(*leaf) for leaf in {leaf_of(row) for row in rows}))
    by_month = groupby(rows, key=lambda row: row["day"].replace(day=1))
    for first, month_rows in by_month:
        month_rows, last = list(month_rows), month_end(first)
        if last <= before.as_of:
            continue
        kept = before.leaves if first == before.goes_on() else {}
        if kept:
            month_rows = held(month_rows, before)
        leaves = defaultdict(list)
        for row in month_rows:
            leaves[leaf_of(row)].append(row)
        for leaf in kept:
            leaves[leaf] += []
        rests = defaultdict(list)
        for (region, category), of_leaf in sorted(leaves.items(), key=lambda item: none_first(item[0])):
            stores, cells = kept.get((region, category), (set(), []))
            start = cells[-1].last + DAY if cells else first
            later = [row for row in of_leaf if row["day"] >= start]
            new, rest = settled(later, start, last, last <= as_of)
            cells = cells + new
            # A leaf that is none any more counts where there still are places.
            places = places_of_leaf(region, category) & now
            told.atoms += [(places, cell) for cell in cells]
            if cells and last > as_of:
                told.leaves[region, category] = stores | {row["store"] for row in of_leaf}, cells
            if rest:
                rests[region].append(((region, category), rest))
        others = []
        for region, of_region in rests.items():
            cell = fold(of_region, month_rows, lambda row: row["region"], first)
            if cell:
                told.atoms.append(({None, f"regions|{region}"} if region else {None}, cell))
            else:
                others += of_region
        cell = fold(others, month_rows, lambda row: None, first) if others else None
        told.atoms += [({None}, cell)] if cell else []
    return told


class Protected(Subject):
    """A build whose places and market are protected."""

    def __init__(self, folder, payments, stores, currency):
        super().__init__(folder, payments, stores, currency, "--config", configured(folder, K))
        self.atoms = tell(self.query(ROWS), self.last).atoms
        self.places = sorted({place for places, _ in self.atoms for place in places if place}) + [None]

    def path(self, place, resource):
        if place is None:
            return f"/v1/markets/all/{resource}"
        segments = [urllib.parse.quote(part, safe="") for part in place.split("|")]
        return "/".join(["/v1", *segments, resource])


def put_together(path):
    """Half of the stores go to one place, of which days make atoms."""
    with open(path, newline="") as file:
        header, *stores = csv.reader(file)
    region, category = header.index("region"), header.index("category")
    for store in stores[::2]:
        store[region], store[category] = "here", "things"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *stores])


def payments_of_many(folder):
    """A place with so many stores that days make atoms, others that make fewer, and some too small for any."""
    path = folder / "payments.csv"
    command = [BINARY, "generate", "--quiet", "--output", path, "--stores", "900", "--cards", "3000",
               "--transactions", "90000", "--from", "2019-11-05", "--to", "2020-03-20", "--seed", str(seed(5))]
    subprocess.run(command, check=True)
    put_together(path.with_suffix(".stores.csv"))
    return path, path.with_suffix(".stores.csv"), "EUR"


@pytest.fixture(scope="module", params=[payments_of_many, generated], ids=lambda source: source.__name__)
def subject(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("protected")
    subject = Protected(folder, *request.param(folder))
    yield subject
    subject.stop()


def sums(cells):
    """The count and the sum of atoms."""
    rows = [row for cell in cells for row in cell.rows]
    return len(rows), sum(row["amount"] for row in rows)


def is_single(cells):
    """Whether these are one atom of one leaf."""
    return len(cells) == 1 and not cells[0].is_folded


def distinct(cells):
    return len({row["card"] for cell in cells for row in cell.rows} - {None})


def cards_told(cells, first):
    """What is told of the distinct cards of atoms, of a period or range that begins on a day: exactly those of one atom
    of one leaf, those of others rounded, and not from within a month on."""
    if is_single(cells):
        return distinct(cells)
    return distinct(cells) // K * K if first.day == 1 else None


class CardsNearly:
    """About as many as k more or fewer: where rows came late, of atoms of which some were told before (docs/privacy.md,
    "Limits")."""

    def __init__(self, cards):
        self.cards = cards

    def __eq__(self, other):
        return other is not None and other % K == 0 and abs(other - self.cards) <= K


def cards_told_late(cells, first):
    """What is told of them after rows came late."""
    cards = cards_told(cells, first)
    return cards if cards is None or is_single(cells) else CardsNearly(cards)


def cards_of_parts(cells, _first):
    """What is told of them where places are parts of one: whoever is in two parts would count twice."""
    return distinct(cells) if is_single(cells) else None


def test_statistics_of_any_range_are_those_of_the_atoms_in_it(subject, dice):
    told = 0
    for _ in range(QUESTIONS):
        place = dice.choice(subject.places)
        first, last = subject.random_range(dice)
        if dice.random() < 0.4:
            first = first.replace(day=1)
        rows = subject.ask(subject.path(place, "statistics"), group_by="all", min_date=first,
                           max_date=last)["rows"]
        # A range that reaches beyond the data has its last days, and those after them.
        shown = (subject.first.replace(day=1) if first <= subject.first else first,
                 month_end(subject.last) if last >= subject.last else last)
        cells = [cell for places, cell in subject.atoms
                 if place in places and shown[0] <= cell.first and cell.last <= shown[1]]
        if not cells:
            assert rows == []
            continue
        told += 1
        [row] = rows
        assert (row["count"], row["sum"]) == sums(cells), (place, first, last)
        assert row["cards"] == cards_told(cells, shown[0]), (place, first, last)
        assert [row[name] for name in ["min", "max", "std", "refund_count", "refund_sum"]] == [None] * 5
    assert told > QUESTIONS / 4 or len(subject.stores) < 100


def compare(subject, path, place, found, cards_told=cards_told):
    """Compares the months and days of a place with those of the atoms in them; returns of how many days cards are
    told."""
    days = 0
    for kind in ["month", "day"]:
        answer = subject.ask(path, group_by=kind)
        served = {row["period"]: (row["count"], row["sum"], row["cards"]) for row in answer["rows"]}
        periods = defaultdict(list)
        for places, cell in found:
            if place in places and (kind == "month" or cell.first == cell.last):
                periods[str(cell.first)[: 7 if kind == "month" else 10]].append(cell)
        expected = {}
        for label, cells in periods.items():
            first = cells[0].first.replace(day=1) if kind == "month" else cells[0].first
            expected[label] = *sums(cells), cards_told(cells, first)
        assert served == expected, (place, kind)
        days += kind == "day" and sum(cards is not None for *_, cards in served.values())
    return days


def test_months_and_days_are_those_of_the_atoms_in_them(subject):
    days = {place: compare(subject, subject.path(place, "statistics"), place, subject.atoms)
            for place in subject.places}
    assert sum(days.values()) > 100 or len(subject.stores) < 100
    # Those of one leaf have cards every day.
    assert days.get("regions|here|categories|things", 0) > 50 or len(subject.stores) < 100


def ended_periods(first, last):
    """The first and last day and the label of the months, quarters and years that end between two dates."""
    for year in range(first.year, last.year + 1):
        for months in [1, 3, 12]:
            for number in range(12 // months):
                begin = datetime.date(year, number * months + 1, 1)
                end = month_end(datetime.date(year, (number + 1) * months, 1))
                if first <= end <= last:
                    label = {1: f"{year}-{number + 1:02}", 3: f"{year}-Q{number + 1}", 12: f"{year}"}[months]
                    yield begin, end, label


def check_pattern(answer, found, begin, end, k):
    """Compares the pattern of a place in a period with its atoms; returns how many of its hours are told."""
    cells = [cell for cell in found if begin <= cell.first and cell.last <= end]
    hours = Slots(cells, range(24), lambda row: row["hour"], leaf_of)
    weekdays = Slots(cells, range(1, 8), lambda row: row["day"].isoweekday(), leaf_of)
    hidden = []
    for name, kind, others, slots in [("hours", "hour", "other_hours_share", hours),
                                      ("weekdays", "weekday", "other_weekdays_share", weekdays)]:
        shares = slots.shares(k)
        if shares is None:
            assert answer[name] is answer[others] is None
            hidden += [name, others]
            continue
        each, together = shares
        assert answer[name] == [{kind: number, "share": share / 100} for number, share in each.items()]
        assert answer[others] == together / 100
    assert answer.get("suppressed", []) == hidden
    firsts = [cell.first.replace(day=1) for cell in cells]
    days = {"min_date": str(min(firsts)), "max_date": str(month_end(max(firsts)))} if firsts else None
    assert answer["covered"] == days
    return len(answer["hours"] or [])


def check_best_time(subject, best, pattern, begin, end):
    """Compares the quietest times with the shares that are told."""
    for kind, name in [("hour", "quietest_hour"), ("weekday", "quietest_weekday")]:
        shares = {row[kind]: row["share"] for row in pattern[f"{kind}s"] or [] if row["share"]}
        days = [begin + DAY * number for number in range((end - begin).days + 1)]
        if pattern["covered"]:
            first, last = (datetime.date.fromisoformat(day) for day in pattern["covered"].values())
            days = [day for day in days if max(first, subject.first) <= day <= last]
        such = {number: sum(kind == "hour" or day.isoweekday() == number for day in days) for number in shares}
        quietest = min(shares, key=lambda number: (round(shares[number] * 100) / such[number], number), default=None)
        expected = {kind: quietest, "days": such.get(quietest), "share": shares.get(quietest)}
        assert best[name] == (None if quietest is None else expected), (name, begin)
        assert best[f"cheapest_{kind}"] is None


def test_hours_and_weekdays_are_rounded_shares_of_the_atoms(subject):
    told = 0
    for place in subject.places:
        found = [cell for places, cell in subject.atoms if place in places]
        for begin, end, period in ended_periods(subject.first, subject.last):
            pattern = subject.ask(subject.path(place, "consumption_pattern"), period=period)
            told += check_pattern(pattern, found, begin, end, K)
            best = subject.ask(subject.path(place, "best_time"), period=period)
            check_best_time(subject, best, pattern, begin, end)
    assert told > 100 or len(subject.stores) < 100


def test_origins_of_stores_are_merged_until_each_hides_its_cards(subject, dice):
    assert check_named_periods(subject, K, dice)


def test_what_is_before_and_after_hides_cards_and_merchants(subject, dice):
    stores = subject.stores[:15] + dice.sample(subject.stores, k=5)
    beside = beside_of(subject, stores)
    months = sorted({key for cells in beside.values() for key in cells})
    told = sum((check_hidden(subject, K, beside, *key) for key in months), Counter())
    lists = {(direction, name) for direction, _, name in LISTS}
    assert lists <= set(told)
    # Of nearly all lists the rows alone say what is told.
    assert 10 * told["not decided"] <= len(months) * len(LISTS), told


def test_shares_of_spend_hide_cards_and_other_merchants(subject, dice):
    counted = check_periods(subject, K, subject.stores[:60], dice, 60)
    assert counted["hidden"]
    assert counted["told"] > 10 or len(subject.stores) < 100
