"""Where the cards of a store buy before and after, by docs/definitions.md, "Before and after"."""

import datetime
import urllib.parse
from collections import Counter, defaultdict
from fractions import Fraction

from test_origins import MERGED, UNKNOWN
from test_payment_mix import first_of, periods_of

OTHERS = 5
LISTS = [("before", "regions", "region"), ("before", "categories", "category"),
         ("after", "regions", "region"), ("after", "categories", "category")]

# One row for each card of a store's month: its label, and whose the store is where one of the visits with it was.
BESIDE = """
    WITH visits AS (
        SELECT DISTINCT store, card, day, year(day) * 12 + month(day) - 1 AS month, stores.{label} AS label,
            coalesce('merchant ' || merchant, 'store ' || store) AS merchant
        FROM payments JOIN stores USING (store)
        WHERE card IS NOT NULL AND amount > 0
    ),
    nearest AS (
        SELECT own.store, own.card, own.month, own.day, {nearest}(other.day) AS there
        FROM visits AS own JOIN visits AS other USING (card, month)
        WHERE list_contains($stores, own.store) AND other.store <> own.store AND {distance} BETWEEN 1 AND 7
        GROUP BY ALL
    ),
    labels_of_day AS (
        SELECT nearest.store, card, month, nearest.day, there, label, count(*) AS visits
        FROM nearest JOIN visits USING (card, month)
        WHERE visits.day = there AND visits.store <> nearest.store
        GROUP BY ALL
    ),
    label_of_day AS (
        SELECT * FROM labels_of_day
        QUALIFY row_number() OVER (PARTITION BY store, card, day
            ORDER BY label IS NULL, visits DESC, label) = 1
    ),
    label_of_card AS (
        SELECT store, card, month, label, min(day) AS day
        FROM label_of_day
        GROUP BY store, card, month, label
        QUALIFY row_number() OVER (PARTITION BY store, card, month
            ORDER BY label IS NULL, count(*) DESC, label) = 1
    )
    SELECT of_card.store, of_card.month, of_card.label, of_card.card,
        list(DISTINCT visits.merchant) AS merchants, any_value(own.merchant) AS own
    FROM label_of_card AS of_card
    JOIN label_of_day AS of_day ON of_day.store = of_card.store AND of_day.card = of_card.card
        AND of_day.day = of_card.day
    JOIN visits ON visits.card = of_card.card AND visits.day = of_day.there AND visits.store <> of_card.store
        AND visits.label IS NOT DISTINCT FROM of_card.label
    JOIN (SELECT DISTINCT store, merchant FROM visits) AS own ON own.store = of_card.store
    GROUP BY ALL
"""
DIRECTIONS = {
    "before": {"nearest": "max", "distance": "own.day - other.day"},
    "after": {"nearest": "min", "distance": "other.day - own.day"},
}


def beside_of(subject, stores):
    """By list, then store and month, then label: the merchants that each card may count for, and the own one."""
    found = {}
    [known] = subject.query("SELECT count(region) + count(category) AS known FROM stores")
    for direction, _, label in LISTS:
        months = defaultdict(lambda: defaultdict(list))
        found[direction, label] = months
        if not known["known"]:
            continue
        sql = BESIDE.format(label=label, **DIRECTIONS[direction])
        for row in subject.query(sql, stores=stores):
            of_label = UNKNOWN if row["label"] is None else (2, row["label"].encode())
            months[row["store"], row["month"]][of_label].append((set(row["merchants"]), row["own"]))
    return found


def is_enough(cards, k):
    """Whether a cell hides k cards at five other merchants, none of them of more than half: None where that depends on
    which of its merchants a card counts for."""
    others = [(merchants - {own}, own not in merchants) for merchants, own in cards if merchants != {own}]
    certain = [merchants for merchants, is_other in others if is_other]
    of_one = Counter(merchant for merchants in certain if len(merchants) == 1 for merchant in merchants)
    of_any = Counter(merchant for merchants, _ in others for merchant in merchants)
    if len(others) < k or len(of_any) < OTHERS or 2 * max(of_one.values(), default=0) > len(others):
        return False
    is_certain = len(certain) >= k and len(of_one) >= OTHERS and 2 * max(of_any.values()) <= len(certain)
    return True if is_certain else None


def merged(cells, k):
    """What is told of a list of a month, by the steps of the document; None where nobody can say."""
    found = {label: is_enough(cards, k) for label, cards in cells.items()}
    if None in found.values():
        return None
    told = {label: len(cards) for label, cards in cells.items() if found[label]}
    short = [card for label, cards in cells.items() if not found[label] for card in cards]
    while short and not (enough := is_enough(short, k)):
        if enough is None:
            return None
        if not told:
            return {}
        smallest = min(told, key=lambda label: (told[label], label))
        short += cells[smallest]
        del told[smallest]
    return {**told, MERGED: len(short)} if short else told


def half_up(share):
    return float(Fraction((share * 200 + 1) // 2, 100))


def served_label(row, name):
    if "merged" in row:
        assert (row[name], row["merged"]) == (None, [name])
        return MERGED
    return UNKNOWN if row[name] is None else (2, row[name].encode())


def has_ended(subject, month):
    return first_of(month + 1) <= subject.last + datetime.timedelta(days=1)


def ask(subject, store, **parameters):
    path = f"/v1/stores/{urllib.parse.quote(store, safe='')}/before_after"
    return subject.ask(path, **parameters)


def numbers_of(first, last):
    return range(first.year * 12 + first.month - 1, last.year * 12 + last.month)


def check_exactly(subject, beside, store, first, last, **parameters):
    """Compares all lists of a period where nothing is hidden; returns how many cells there are."""
    served = ask(subject, store, **parameters)
    cells = 0
    for direction, plural, name in LISTS:
        cards = defaultdict(int)
        for month in numbers_of(first, last):
            for label, of_label in beside[direction, name].get((store, month), {}).items():
                cards[label] += len(of_label)
        order = sorted(cards, key=lambda label: (-cards[label], label))
        total = sum(cards.values())
        expected = [(label, cards[label] / total) for label in order]
        found = [(served_label(row, name), row["share"]) for row in served[direction][plural]]
        assert found == expected, (store, direction, name, parameters)
        cells += len(found)
    return cells


def check_hidden(subject, k, beside, store, month):
    """Compares what a month tells where k cards hide each other; returns how often each list is told, and how many
    lists depend on which of its merchants a card counts for."""
    served = ask(subject, store, period=f"{first_of(month):%Y-%m}")
    told = Counter()
    for direction, plural, name in LISTS:
        cells = beside[direction, name].get((store, month), {})
        found = [(served_label(row, name), row["share"]) for row in served[direction][plural]]
        cards = merged(cells, k) if has_ended(subject, month) else {}
        if cards is None:
            check_vaguely(dict(found), cells, k)
            told["not decided"] += 1
            continue
        total = sum(cards.values())
        order = sorted(cards, key=lambda label: (-cards[label], label))
        expected = [(label, half_up(Fraction(cards[label], total))) for label in order]
        assert found == expected, (store, month, direction, name)
        told[direction, name] += bool(found)
    return told


def check_vaguely(shares, cells, k):
    """Checks that what is told of a list may be told, whichever of its merchants a card counts for."""
    total = sum(map(len, cells.values()))
    rest = [card for label, cards in cells.items() if label not in shares for card in cards]
    for label, share in shares.items():
        cards = rest if label == MERGED else cells[label]
        assert is_enough(cards, k) is not False, label
        assert share == half_up(Fraction(len(cards), total)), label
    assert not shares or (MERGED in shares) == bool(rest)


def test_what_is_before_and_after_is_that_of_the_nearest_visits_elsewhere(subject, dice):
    stores = subject.stores[:10] + dice.sample(subject.stores, k=10)
    beside = beside_of(subject, stores)
    days = (subject.last - subject.first).days
    cells = 0
    for _ in range(40):
        store = dice.choice(stores)
        day = subject.first + datetime.timedelta(days=dice.randrange(-40, days + 40))
        for first, last, period in periods_of(day):
            cells += check_exactly(subject, beside, store, first, last, period=period)
    assert bool(cells) == any(beside.values())
