"""What combinations of many protected answers tell where there are many rows: of places, ranges and two nights, each of
which is a sum of atoms, so that whatever is left of a combination hides its cards and merchants."""

import csv
import datetime
import random
from collections import Counter, defaultdict

import pytest
from conftest import QUESTIONS, Subject, configured, seed
from test_privacy import DAY, K, OTHERS, ROWS, Protected, is_single, month_end, payments_of_many, sums, tell

KINDS = ["all", "month", "day"]
# The last day of the first night: some of the month that goes on is told.
EVENING = datetime.date(2020, 2, 24)


def amount(dice):
    """An amount within three decades, now and then taken back, of so many digits that sums tell rows apart."""
    size = int(10 ** (6 + 3 * dice.random()))
    return -size if dice.random() < 0.05 else size


def nights_of(folder):
    """The payments and stores of two nights, between which rows came late, others were taken back, and stores moved."""
    payments, stores, _ = payments_of_many(folder)
    dice = random.Random(seed(17))
    with open(payments, newline="") as file:
        names, *rows = csv.reader(file)
    for row in rows:
        row[names.index("amount_minor")] = amount(dice)
    at = names.index("ts")
    late, gone = ({number for number in range(len(rows)) if dice.random() < 0.03} for _ in range(2))
    kept = [[row for number, row in enumerate(rows) if row[at][:10] <= str(EVENING) and number not in late],
            [row for number, row in enumerate(rows) if number not in gone]]
    with open(stores, newline="") as file:
        dimension = list(csv.DictReader(file))
    moved = [{**row, "category": dice.choice(dimension)["category"]} if dice.random() < 0.1 else row
             for row in dimension]
    for number, (of_night, of_stores) in enumerate(zip(kept, [dimension, moved])):
        paths = folder / f"night-{number}.csv", folder / f"night-{number}.stores.csv"
        with open(paths[0], "w", newline="") as file:
            csv.writer(file).writerows([names, *of_night])
        with open(paths[1], "w", newline="") as file:
            lines = csv.DictWriter(file, of_stores[0])
            lines.writeheader()
            lines.writerows(of_stores)
        yield paths


class Answer:
    """A count and a sum that were told, and the atoms that they should be of."""

    def __init__(self, question, row, atoms):
        self.question, self.count, self.sum, self.atoms = question, row["count"], row["sum"], frozenset(atoms)


def province_of(region, night):
    """The region that one is a part of, if any: every third of another one in the second night."""
    number = sum(region.encode())
    return None if number % 4 == 0 else f"province {(number + night * (number % 3 == 0)) % 2}"


def write_regions(path, regions, night):
    with open(path, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("region", "name", "parent", "lat", "lon"))
        lines.writerows((f"province {number}", "", "", "", "") for number in range(2))
        lines.writerows((region, "", province_of(region, night) or "", "", "") for region in regions)


def parts_of(told, night):
    """Places by what they are the sum of: themselves, or their parts."""
    places = set().union(*(in_places for in_places, _ in told.atoms))
    parts = {place: {place} for place in places}
    for place in places - {None}:
        kind, region, *category = place.split("|")
        if kind == "regions" and (province := province_of(region, night)):
            parts.setdefault("|".join(["regions", province, *category]), set()).add(place)
    return parts


def answers(subject, told, parts, ranges):
    """All that a night tells of places over ranges."""
    shown_from, shown_to = subject.first.replace(day=1), month_end(subject.last)
    for place in sorted(parts, key=lambda place: place or ""):
        of_place = [cell for in_places, cell in told.atoms if in_places & parts[place]]
        for first, last in ranges:
            begin = shown_from if first <= subject.first else first
            end = shown_to if last >= subject.last else last
            cells = [cell for cell in of_place if begin <= cell.first and cell.last <= end]
            for kind in KINDS:
                status, body = subject.answer(Protected.path(subject, place, "statistics"), group_by=kind,
                                              min_date=first, max_date=last)
                assert status in (200, 404), body
                for row in body["data"]["rows"] if status == 200 else []:
                    period = row["period"]
                    atoms = [cell for cell in cells if kind == "all" or str(cell.first).startswith(period)
                             and (kind == "month" or cell.first == cell.last)]
                    yield Answer((subject.last, place, first, last, kind, period), row, atoms)


def ranges_of(first, last):
    """Ranges at random, others that are a day longer at either end, and everything."""
    dice = random.Random(seed(19))
    days = (last - first).days
    for _ in range(12):
        begin, end = sorted(dice.randrange(days) for _ in range(2))
        begin, end = first + DAY * begin, first + DAY * end
        yield from [(begin, end), (begin - DAY, end), (begin, end + DAY)]
    yield first, last


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """All answers of two nights, and the atoms of both."""
    folder = tmp_path_factory.mktemp("nights")
    told, found, atoms = None, [], {}
    for night, (payments, stores) in enumerate(nights_of(folder)):
        with open(stores, newline="") as file:
            regions = sorted({row["region"] for row in csv.DictReader(file)} - {""})
        write_regions(folder / "regions.csv", regions, night)
        subject = Subject(folder, payments, stores, "EUR", "--config", configured(folder, K), "--regions",
                          folder / "regions.csv")
        told = tell(subject.query(ROWS), subject.last, told)
        ranges = list(ranges_of(datetime.date(2019, 11, 1), datetime.date(2020, 3, 20)))
        found += answers(subject, told, parts_of(told, night), ranges)
        atoms |= {cell: None for _, cell in told.atoms}
        subject.close()
    return found, list(atoms)


def key_of(row):
    return row["store"], row["card"], row["day"], row["hour"], row["amount"]


def none_is_most(parts):
    """Whether, whichever merchant takes out its own, nobody else's is further from 0 than half of what is left."""
    total, largest = sum(parts.values()), sorted(parts.values())[-2:]

    def left(merchant):
        own = largest[0] if parts[merchant] == largest[1] else largest[1]
        return total - max(own, 0)
    return all(2 * abs(part) <= left(merchant) for merchant, part in parts.items())


def hides(rows):
    """Whether k cards and five others are left of some rows, whichever merchant takes out its own, none of whom has more
    than half of the rows or of the net sum."""
    counts, nets = Counter(), Counter()
    for row in rows:
        counts[row["merchant"]] += 1
        nets[row["merchant"]] += row["amount"]
    cards, of_merchants = defaultdict(set), defaultdict(set)
    for row in rows:
        if row["card"] is not None:
            cards[row["card"]].add(row["merchant"])
            of_merchants[row["merchant"]].add(row["card"])
    if len({row["merchant"] for row in rows}) <= OTHERS:
        return False
    if not (none_is_most(counts) and none_is_most(nets)):
        return False
    # Who comes to one merchant alone is taken out with it.
    alone = Counter(next(iter(merchants)) for merchants in cards.values() if len(merchants) == 1)
    return all(len(cards) - alone[merchant] >= K for merchant in of_merchants)


def test_each_answer_is_the_sum_of_whole_atoms(case):
    found, atoms = case
    for answer in found:
        assert (answer.count, answer.sum) == sums(answer.atoms), answer.question
    nights = {answer.question[0] for answer in found}
    assert len(nights) == 2 and len(found) > 10 * QUESTIONS
    assert any((answer.question[1] or "").startswith("regions|province") for answer in found)
    # Some atoms are of one leaf, others of several, and no row is in two of them, of both nights together.
    assert {is_single([cell]) for cell in atoms} == {True, False}
    rows = Counter(key_of(row) for cell in atoms for row in cell.rows)
    assert max(rows.values()) == 1
    assert all(hides(cell.rows) for cell in atoms)


def pieces_of(atoms):
    """All rows by the atoms that they are in, which should be one."""
    atoms_of = defaultdict(list)
    for cell in atoms:
        for row in cell.rows:
            atoms_of[key_of(row)].append((cell, row))
    pieces = defaultdict(list)
    for of_row in atoms_of.values():
        pieces[tuple(cell for cell, _ in of_row)].append(of_row[0][1])
    return pieces


def test_what_is_left_of_a_random_combination_is_of_whole_atoms_that_hide(case, dice):
    found, atoms = case
    pieces = pieces_of(atoms)
    left_some = 0
    for _ in range(QUESTIONS // 2):
        chosen = dice.sample(found, dice.choice([2, 3, 5, 40]))
        factors = [dice.choice([-1, 1]) if len(chosen) < 5 else dice.randrange(-9, 10) for _ in chosen]
        coefficients = defaultdict(int)
        for answer, factor in zip(chosen, factors):
            for cell in answer.atoms:
                coefficients[cell] += factor
        total = sum(factor * answer.sum for answer, factor in zip(chosen, factors))
        count = sum(factor * answer.count for answer, factor in zip(chosen, factors))
        of_atoms = [(factor, *sums([cell])) for cell, factor in coefficients.items()]
        assert count == sum(factor * rows for factor, rows, _ in of_atoms)
        assert total == sum(factor * amount for factor, _, amount in of_atoms)
        # By their coefficients the rows that are left are told apart, and no further.
        groups = defaultdict(list)
        for cells, rows in pieces.items():
            groups[sum(coefficients.get(cell, 0) for cell in cells)] += rows
        groups.pop(0, None)
        left_some += bool(groups)
        assert all(map(hides, groups.values())), [answer.question for answer in chosen]
    assert left_some > QUESTIONS / 4


def around_of(place, night):
    """Places that have all that one has."""
    kind, name, *category = (place or "categories|none").split("|")
    if category:
        yield f"regions|{name}"
    if kind == "regions" and not name.startswith("province") and (province := province_of(name, night)):
        yield "|".join(["regions", province, *category])


def test_differences_of_answers_that_lie_in_each_other_are_nothing_or_of_k_rows(case):
    """By what is served alone: a longer range, a night later, a place around."""
    found, _ = case
    by_question = {answer.question: answer for answer in found if answer.question[4] == "all"}
    by_place = defaultdict(list)
    for (night, place, first, last, *_), answer in by_question.items():
        by_place[place, first, last].append((night, answer))
    differences = Counter()
    pairs = []
    for (night, place, first, last, kind, period), answer in by_question.items():
        for begin, end in [(first - DAY, last), (first, last + DAY)]:
            longer = by_question.get((night, place, begin, end, kind, f"{begin}/{end}"))
            pairs += [("range", answer, longer)] if longer else []
        for around in [None, *around_of(place, night != EVENING)]:
            whole = by_question.get((night, around, first, last, kind, period))
            pairs += [("place", answer, whole)] if whole and around != place else []
    for (place, first, last), of_nights in by_place.items():
        if "province" in (place or ""):
            # Other parts, another night.
            continue
        # Of the month that goes on more is told later, and nothing less.
        for (_, before), (_, after) in zip(of_nights, of_nights[1:]):
            pairs.append(("night", before, after))
    for kind, inner, outer in pairs:
        rows = outer.count - inner.count
        assert rows >= K or (rows, outer.sum - inner.sum) == (0, 0), (kind, inner.question, outer.question)
        differences[kind] += rows > 0
    assert min(differences[kind] for kind in ["range", "place", "night"]) > 10, differences
