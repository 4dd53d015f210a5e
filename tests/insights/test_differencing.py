"""What no combination of protected answers tells, of one night or of two: in a small case every transaction is marked, and
found again in every answer."""

import csv
import datetime
import random
import shutil
from collections import defaultdict

import pytest
from conftest import Subject, configured, seed
from test_privacy import DAY, K, OTHERS, ROWS, cards_told_late, compare, tell

STORES = 36
MARKS = 30
# An amount is so many of these, and a mark in the bits below.
UNIT = 1 << MARKS + 1
# Of three decades; an amount is at most 10^14.
SIZES = 46, 46_000
# Of stores' cards only months that have ended are told.
ENDED = "2020-01"


def amount_of(number):
    """What a transaction is of before it is marked: within three decades, and now and then taken back."""
    dice = random.Random(number)
    least, most = SIZES
    size = int(least * (most / least) ** dice.random()) * UNIT
    return -size if dice.random() < 0.05 else size


class Night:
    """What a build is made of: stores, and rows by number, which are marked, and found again by it."""

    def __init__(self, stores, rows):
        self.stores, self.rows = stores, rows

    def without(self, left_out):
        return {number: row for number, row in self.rows.items() if not left_out(row)}


def small_case(own_seed, transactions=420, cards=60, number_of_stores=STORES, days=20):
    """Rows of few stores in two regions and two categories, over the end of a month."""
    dice = random.Random(seed(own_seed))
    stores = [(f"s{number}", f"m{number // 2}" if number % 3 == 0 else "", "north" if number % 2 else "south",
               "food" if number % 4 < 3 else "books") for number in range(number_of_stores)]
    rows = []
    for number in range(transactions):
        day = datetime.date(2020, 2, 9) - DAY * days + DAY * dice.randrange(days)
        rows.append((f"t{number}", dice.choice(stores)[0], f"c{dice.randrange(cards)}", day))
    rows = sorted(rows, key=lambda row: row[3])
    return Night(stores, dict(enumerate(rows)))


def as_they_came():
    """Two nights of rows of which none is late."""
    second = small_case(3)
    last = max(row[3] for row in second.rows.values())
    return [Night(second.stores, second.without(lambda row: row[3] > last - DAY * 4)), second]


def with_changes():
    """Two nights between which rows came late and others were taken back, in a month that had ended and in one
    that goes on; stores moved, and all stores but one of a leaf got a category of their own."""
    case = small_case(5, 840, 120)
    last = max(row[3] for row in case.rows.values())
    dice = random.Random(seed(5))
    late, gone = ({number for number in case.rows if dice.random() < 0.03} for _ in range(2))
    first = Night(case.stores, {number: row for number, row in case.rows.items()
                                if row[3] <= last - DAY * 3 and number not in late})
    moved = {"s0": "north", "s1": "south", "s6": "north"}
    of_leaf = [store for store, _, region, category in case.stores if (region, category) == ("north", "books")]
    stores = [(store, merchant, moved.get(store, region), "toys" if store in of_leaf[1:] else category)
              for store, merchant, region, category in case.stores]
    second = Night(stores, {number: row for number, row in case.rows.items() if number not in gone})
    changed = [late & set(second.rows), gone & set(first.rows)]
    for month in [1, 2]:
        assert all(any(case.rows[number][3].month == month for number in numbers) for numbers in changed)
    return [first, second]


def with_late_rows(*sizes):
    """Two nights of transactions, cards and stores, between which rows of the month that had ended came late and others
    were taken back."""
    case = small_case(7, *sizes, days=36)
    dice = random.Random(seed(7))
    late, gone = ({number for number in case.rows if dice.random() < 0.05} for _ in range(2))
    return [Night(case.stores, {number: row for number, row in case.rows.items() if number not in late}),
            Night(case.stores, {number: row for number, row in case.rows.items() if number not in gone})]


def places_of(nights):
    regions = sorted({region for night in nights for _, _, region, _ in night.stores})
    categories = sorted({category for night in nights for *_, category in night.stores})
    places = [("markets", "all")] + [("regions", region) for region in regions]
    places += [("categories", category) for category in categories]
    return places + [("regions", region, "categories", category) for region in regions for category in categories]


def answers(folder, night, marked, places, ranges):
    """All counts and sums that a server tells of places, and of those who pay at stores, by question; the `marked`
    rows have a bit each."""
    subject = served(folder, night, marked)
    told = {}
    for store, *_ in night.stores:
        for row in of_store(subject, store, "demographics").get("rows", []):
            labels = tuple(row.get(attribute) for attribute in ["age_band", "gender", "segment"])
            told[("stores", store), ENDED, "demographics", labels] = row["count"], row["sum"]
    for place in places:
        path = "/v1/" + "/".join(place) + "/statistics"
        for first, last in ranges:
            for kind in ["day", "week", "month", "all"]:
                status, body = subject.answer(path, group_by=kind, min_date=first, max_date=last)
                assert status in (200, 404), body
                for row in body["data"]["rows"] if status == 200 else []:
                    told[place, first, last, kind, row["period"]] = row["count"], row["sum"]
    subject.close()
    return told


def find(found, counts, marked, told):
    """Adds the `marked` transactions that sums have to those found in the answers before, whose counts stay."""
    for question, (count, total) in told:
        found[question] |= {number for bit, number in enumerate(marked) if total >> bit & 1}
        assert counts.setdefault(question, count) == count


def check_counts(found, counts):
    """Checks that counts are of the transactions that sums have."""
    assert {question: len(numbers) for question, numbers in found.items()} == counts


def of_store(subject, store, resource):
    """What is told of a store's cards in the month that has ended; nothing of a store without rows."""
    status, body = subject.answer(f"/v1/stores/{store}/{resource}", period=ENDED)
    assert status in (200, 404), body
    return body["data"] if status == 200 else {}


def served(folder, night, marked, kind=Subject):
    """A night that is served; in the folder of another one it goes on from that."""
    with open(folder / "stores.csv", "w", newline="") as file:
        csv.writer(file).writerows([("store_id", "merchant_id", "region", "category"), *night.stores])
    with open(folder / "payments.csv", "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("tx_id", "store_id", "card_id", "ts", "amount_minor", "currency", "region", "category",
                        "age_band", "gender"))
        for number, (name, store, card, day) in night.rows.items():
            bit = 1 << marked.index(number) if number in marked else 0
            of_card = int(card[1:])
            lines.writerow((name, store, card, f"{day}T12:00:00", amount_of(number) + bit, "EUR", "", "",
                            ["20s", "30s", ""][of_card % 3], "fm"[of_card % 7 < 3]))
    return kind(folder, folder / "payments.csv", folder / "stores.csv", "EUR", "--config",
                configured(folder, K), "--no-gate")


def transactions_of(folder, nights, ranges):
    """The transactions in every sum that is told, night by night."""
    found, counts = [defaultdict(set) for _ in nights], [{} for _ in nights]
    numbers = sorted(set().union(*(night.rows for night in nights)))
    places = places_of(nights)
    for start in range(0, len(numbers), MARKS):
        marked = numbers[start:start + MARKS]
        repository = folder / f"marked-{start}"
        repository.mkdir()
        for of_night, counts_of_night, night in zip(found, counts, nights):
            find(of_night, counts_of_night, marked, answers(repository, night, marked, places, ranges).items())
        shutil.rmtree(repository)
    for of_night, counts_of_night in zip(found, counts):
        check_counts(of_night, counts_of_night)
    return found


def random_ranges(nights):
    days = sorted({row[3] for night in nights for row in night.rows.values()})
    dice = random.Random(seed(3))
    return [(days[0], days[-1])] + [tuple(sorted(dice.sample(days, 2))) for _ in range(25)]


@pytest.mark.parametrize("nights", [as_they_came, with_changes], ids=lambda nights: nights.__name__)
def test_no_combination_of_answers_isolates_fewer_than_k_cards(nights, tmp_path):
    nights = nights()
    rows = {number: row for night in nights for number, row in night.rows.items()}
    merchants = {store: merchant or store for store, merchant, _, _ in nights[0].stores}
    # What the second night tells beside the first is there to be subtracted, too.
    by_night = transactions_of(tmp_path, nights, random_ranges(nights))
    groups = groups_of(rows, by_night, lambda kind: kind != "stores")
    assert len(groups) > 1
    for group in groups:
        for asks in merchants.values():
            others = [rows[number] for number in group if merchants[rows[number][1]] != asks]
            assert len({card for _, _, card, _ in others}) >= K
            assert len({merchants[store] for _, store, _, _ in others}) >= OTHERS
    # Of the month that goes on some was told in the first night, so that there was something to keep.
    assert any(question[3] == "all" and question[1].month == 2 and transactions
               for question, transactions in by_night[0].items() if question[0][0] != "stores")


def test_no_combination_of_cells_of_stores_isolates_fewer_than_k_cards(tmp_path):
    nights = with_late_rows(700, 250, 6)
    rows = {number: row for night in nights for number, row in night.rows.items()}
    by_night = transactions_of(tmp_path, nights, [])
    assert by_night[0] == by_night[1]
    groups = groups_of(rows, by_night, lambda kind: kind == "stores")
    assert len(groups) > 2 * len(nights[0].stores)
    for group in groups:
        assert len({rows[number][2] for number in group}) >= K
    # Did the second night not go on from the first one, the difference of two cells would isolate some.
    [afresh] = transactions_of(tmp_path, nights[1:], [])
    differences = [afresh[question] ^ by_night[0][question] for question in {*afresh, *by_night[0]}]
    assert any(0 < len({rows[number][2] for number in numbers}) < K for numbers in differences)


def groups_of(rows, by_night, is_asked):
    """The rows by the answers that they are in. Those in the same answers have the same coefficient in every linear
    combination, so whatever is left of a combination is made of whole groups."""
    told = [transactions for night in by_night for (place, *_), transactions in night.items() if is_asked(place[0])]
    groups = defaultdict(set)
    for number in rows:
        groups[tuple(number in answer for answer in told)].add(number)
    groups.pop((False,) * len(told), None)
    return list(groups.values())


def test_months_that_had_ended_are_told_as_they_were(tmp_path):
    nights = with_changes()
    places = places_of(nights)
    january = datetime.date(2020, 1, 1), datetime.date(2020, 1, 31)
    before, after = (answers(tmp_path, night, [], places, [january]) for night in nights)
    assert before == after
    assert len({place for place, *_ in before}) > 4


def who_pays(subject, place):
    """What is told of who pays in a place in the month that has ended; nothing of a place without stores."""
    status, body = subject.answer("/v1/" + "/".join(place) + "/demographics", period=ENDED)
    assert status in (200, 404), body
    return body["data"] if status == 200 else {}


def test_what_was_told_of_the_cards_of_stores_stays(tmp_path):
    resources = ["demographics", "origins", "before_after", "benchmark"]
    told = []
    first, second = with_late_rows(6_000, 300, 40)
    for night, folder in [(first, "kept"), (second, "kept"), (second, "afresh")]:
        (tmp_path / folder).mkdir(exist_ok=True)
        subject = served(tmp_path / folder, night, [])
        answers = {resource: [of_store(subject, store, resource) for store, *_ in night.stores]
                   for resource in resources}
        # A benchmark of stores' sales is none of cards.
        answers["benchmark"] = [answer.get("spend_share") for answer in answers["benchmark"]]
        answers["places"] = [who_pays(subject, place) for place in places_of([first, second])]
        told.append(answers)
        subject.close()
    before, after, afresh = told
    assert before == after
    for resource in [*resources, "places"]:
        assert before[resource] != afresh[resource]


def test_a_night_goes_on_from_what_was_told(tmp_path):
    told = None
    for night in with_changes():
        subject = served(tmp_path, night, [])
        told = tell(subject.query(ROWS), subject.last, told)
        places = {place for places, _ in told.atoms for place in places}
        for place in places:
            path = "/v1/" + (place.replace("|", "/") if place else "markets/all") + "/statistics"
            compare(subject, path, place, told.atoms, cards_told_late)
        subject.close()
    assert len(places) > 6
