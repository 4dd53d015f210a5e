"""How payments divide in regions, categories, categories of regions and the market: exactly, and where answers are
protected as rounded shares of the rows of atoms, by docs/definitions.md, "Payment mix"."""

import csv
import datetime
import random
from collections import Counter, defaultdict

import pytest
from conftest import Subject, generated, say_more, seed
from patterns import OTHERS, Slots
from test_payment_mix import DIMENSIONS, check, dimensions_of, periods_of
from test_places import PLACES
from test_places import Places as PlacesOfStores
from test_privacy import K, Protected, ended_periods, leaf_of, month_end, payments_of_many, tell

KEPT = 64
QUESTIONS = 40
MARKET = "markets|all"


class Places(Subject):
    """The places of a build where nothing is hidden, and the market, in the place of its stores."""

    def __init__(self, folder, payments, stores, currency):
        super().__init__(folder, payments, stores, currency)
        self.rows.execute(PLACES, [str(stores)])
        self.rows.execute(f"""
            CREATE OR REPLACE TABLE payments AS
            SELECT payments.* REPLACE (place AS store) FROM payments JOIN places ON places.store = payments.store
            UNION ALL SELECT * REPLACE ('{MARKET}' AS store) FROM payments
        """)
        self.stores = [store for (store,) in self.rows.execute(
            "FROM payments SELECT store GROUP BY store ORDER BY count(*) DESC, store").fetchall()]

    path = PlacesOfStores.path


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exact_mixes")
    subject = Places(folder, *generated(folder))
    yield subject
    subject.stop()


def test_mixes_of_places_are_those_of_the_rows_of_their_stores(exact, dice):
    present = dimensions_of(exact)
    assert len(present) > 5
    with_dimensions = 0
    for place in [MARKET, *dice.choices(exact.stores, k=QUESTIONS)]:
        day = exact.first + datetime.timedelta(days=dice.randrange((exact.last - exact.first).days))
        for first, last, period in periods_of(day):
            with_dimensions += check(exact, present, place, first, last, period=period) > 0
            check(exact, present, place, first, last, min_date=first, max_date=last)
        check(exact, present, place, exact.first, exact.last)
    assert with_dimensions > QUESTIONS


# Rows with whose they are, and what each says of how it was paid.
SAID = """
    SELECT payments.store, card, day, amount, coalesce('merchant ' || merchant, 'store ' || store) AS merchant,
        stores.region, stores.category, {said}
    FROM payments JOIN stores USING (store)
    ORDER BY day
"""


def of_many(folder):
    """Payments of so many stores that there are atoms, with more products than are kept and a campaign of one store."""
    path, stores, currency = payments_of_many(folder)
    say_more(path)
    dice = random.Random(seed(13))
    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    store, campaign, product = (names.index(name) for name in ["store_id", "campaign", "product"])
    for row in rows:
        row[product] = f"p{int(dice.expovariate(0.04))}"
        if row[store] == rows[0][store]:
            row[campaign] = "of one"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path, stores, currency


class Mixes(Protected):
    """A build whose places are protected, and the rows of its atoms with how they were paid."""

    def __init__(self, folder, source):
        super().__init__(folder, *source(folder))
        self.present = dimensions_of(self)
        said = ", ".join(f"{DIMENSIONS[name]} AS said_{name}" for name in self.present)
        rows = self.query(SAID.format(said=said))
        self.atoms = tell(rows, self.last).atoms
        self.of_leaves = Counter(leaf_month(row) for row in rows)

    def parts(self, place, begin, end):
        """The rows that count in a place and period: of whole leaves, by month and leaf, or by the atom of several
        leaves in which what is left of one is."""
        cells = [cell for places, cell in self.atoms if place in places and begin <= cell.first and cell.last <= end]
        of_leaves, folded = defaultdict(list), {}
        for cell in cells:
            for row in cell.rows:
                of_leaves[leaf_month(row)].append(row)
                if cell.is_folded:
                    folded[leaf_month(row)] = cell
        parts = defaultdict(list)
        for leaf, rows in of_leaves.items():
            if len(rows) == self.of_leaves[leaf]:
                parts[leaf[0], folded.get(leaf, leaf)] += rows
        return parts


def leaf_month(row):
    return row["day"].replace(day=1), leaf_of(row)


def order(value):
    """The order of values: those that are not said come last."""
    return value is None, value.encode() if isinstance(value, str) else value


@pytest.fixture(scope="module", params=[of_many, generated], ids=lambda source: source.__name__)
def protected(request, tmp_path_factory):
    subject = Mixes(tmp_path_factory.mktemp("mixes"), request.param)
    yield subject
    subject.stop()


class Values(Slots):
    """The rows of parts by value of a dimension, of which those that some month does not keep are never told alone."""

    def __init__(self, parts, name):
        self.parts = defaultdict(list)
        by_month = defaultdict(Counter)
        for (month, _), rows in parts.items():
            of_part = defaultdict(Counter)
            for row in rows:
                of_part[row[f"said_{name}"]][row["merchant"]] += 1
                by_month[month][row[f"said_{name}"]] += 1
            for value, merchants in of_part.items():
                self.parts[value].append(sorted(merchants.values(), reverse=True))
        self.numbers = sorted(self.parts, key=order)
        self.kept = set(self.numbers)
        for counts in by_month.values():
            if len(counts) > KEPT:
                self.kept &= set(sorted(counts, key=lambda value: (-counts[value], order(value)))[:KEPT])

    def alone(self):
        alone = [value for value in self.numbers if value in self.kept and self.is_enough([value])]
        while alone:
            others = [value for value in self.numbers if value not in alone]
            if not self.rows(others) or self.is_enough(others):
                break
            alone.remove(min(alone, key=lambda value: (self.rows([value]), order(value))))
        return alone


HIDDEN = {"count": None, "sum": None, "sum_share": None, "suppressed": ["count", "sum", "sum_share"]}


def row_of(value, percents, **more):
    return {"value": value, "count_share": percents / 100, **HIDDEN, **more}


def expected_mix(values):
    """What is told of a dimension, or None."""
    shares = values.shares(K) if values.numbers else None
    if shares is None:
        return None
    each, together = shares
    rows = [row_of(value, each[value]) for value in sorted(each, key=lambda value: (-each[value], order(value)))]
    return rows + [row_of(None, together, others=True)] * (len(each) < len(values.numbers))


def hides_merchants(parts, name, value):
    """Whether, whichever merchant's rows of a value are taken out, five others are left, none with more than half."""
    rows = Counter(row["merchant"] for of_part in parts.values() for row in of_part if row[f"said_{name}"] == value)
    return all(len(rows) - 1 >= OTHERS and 2 * max(rows[other] for other in rows if other != asks) <= rows.total() - own
               for asks, own in rows.items())


def test_shares_are_those_of_the_rows_of_atoms_and_hide_merchants(protected):
    told = Counter()
    for place in protected.places:
        for begin, end, period in ended_periods(protected.first, protected.last):
            parts = protected.parts(place, begin, end)
            served = protected.ask(protected.path(place, "payment_mix"), period=period)
            expected = {name: expected_mix(Values(parts, name)) for name in protected.present}
            expected = {name: rows for name, rows in expected.items() if rows is not None}
            assert served["mix"] == expected, (place, period)
            assert (served["count"], served["sum"], served["suppressed"]) == (None, None, ["count", "sum"])
            months = [month for month, _ in parts]
            days = {"min_date": str(min(months)), "max_date": str(month_end(max(months)))} if months else None
            assert served["covered"] == days, (place, period)
            for name, rows in served["mix"].items():
                for row in rows:
                    if not row.get("others"):
                        assert hides_merchants(parts, name, row["value"]), (place, period, name, row)
                        assert row["value"] != "of one"
                    told["others" if row.get("others") else name] += 1
    if len(protected.stores) > 100:
        assert told["others"] > 10 and told["card_company"] > 10 and told["product"] > 10, told


def test_other_periods_are_refused(protected):
    day = protected.first + datetime.timedelta(days=70)
    first = day.replace(day=1)
    for parameters in [{}, {"period": day}, {"min_date": first, "max_date": month_end(first)}]:
        status, body = protected.answer(protected.path(None, "payment_mix"), **parameters)
        assert (status, body["parameter"]) == (400, "min_date" if "min_date" in parameters else "period")
