"""What a merchant, a store and an app may see together, by their tokens: own books, exactly, and protected answers. In
a small case every transaction is marked, and found again in every answer; no combination isolates a few of others."""

import json
import shutil
import subprocess
from collections import defaultdict

import pytest
from conftest import BINARY, Subject
from test_customers import token
from test_differencing import (
    ENDED,
    MARKS,
    Night,
    check_counts,
    find,
    groups_of,
    places_of,
    random_ranges,
    served,
    small_case,
)
from test_privacy import K, OTHERS

OF_CHAIN = {"s0", "s1", "s2", "s3"}
# Who asks, and whose books these are.
SCOPES = {"merchant:chain": OF_CHAIN, "store:s7": {"s7"}, "app": set()}


class Keyed(Subject):
    """A server that asks for tokens."""

    def serve_options(self):
        config, key = self.folder / "nightshard.toml", self.folder / "access.key"
        subprocess.run([BINARY, "token", "--new-key", key], check=True, stdout=subprocess.DEVNULL)
        with open(config, "a") as file:
            file.write(f'[access]\nkeys = [{{ id = "own", path = {json.dumps(str(key))} }}]\n')
        self.config = config
        return ["--config", config]


def with_a_chain():
    """A night in which one merchant has stores in all leaves."""
    case = small_case(3)
    stores = [(store, "chain" if store in OF_CHAIN else merchant, *kind) for store, merchant, *kind in case.stores]
    return Night(stores, case.rows)


def rows_told(subject, path, **asked):
    status, body = subject.answer(path, **asked)
    assert status in (200, 403, 404), body
    return body["data"].get("rows", []) if status == 200 else []


def answers(subject, night, places, ranges):
    """All counts and sums that who asks is told, by question."""
    for store in [("merchants", "chain"), *(("stores", store) for store, *_ in night.stores)]:
        path = "/v1/" + "/".join(store)
        for kind in ["day", "month", "all"]:
            for row in rows_told(subject, f"{path}/statistics", group_by=kind):
                yield (store, kind, row["period"]), (row["count"], row["sum"])
        for row in rows_told(subject, f"{path}/demographics", period=ENDED):
            labels = row["age_band"], row["gender"], *row.get("merged", [])
            yield (store, "demographics", labels), (row["count"], row["sum"])
    for place in places:
        for first, last in ranges:
            for kind in ["day", "month", "all"]:
                for row in rows_told(subject, "/v1/" + "/".join(place) + "/statistics", group_by=kind, min_date=first,
                                     max_date=last):
                    yield (place, first, last, kind, row["period"]), (row["count"], row["sum"])


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A night, and by who asks the transactions in every sum that is told."""
    night = with_a_chain()
    places, ranges = places_of([night]), random_ranges([night])[:12]
    found, counts = {scope: defaultdict(set) for scope in SCOPES}, {scope: {} for scope in SCOPES}
    numbers = sorted(night.rows)
    for start in range(0, len(numbers), MARKS):
        marked = numbers[start:start + MARKS]
        folder = tmp_path_factory.mktemp("marked")
        subject = served(folder, night, marked, Keyed)
        for scope, told in found.items():
            subject.headers = {"Authorization": f"Bearer {token(subject.config, scope)}"}
            find(told, counts[scope], marked, answers(subject, night, places, ranges))
        subject.close()
        shutil.rmtree(folder)
    for scope, told in found.items():
        check_counts(told, counts[scope])
    return night, found


def test_books_are_told_to_whom_they_belong_alone(case):
    night, found = case
    for scope, stores in SCOPES.items():
        own = {number for number, row in night.rows.items() if row[1] in stores}
        of_books = {question: numbers for question, numbers in found[scope].items()
                    if question[0][0] in ("stores", "merchants")}
        assert all(numbers <= own for numbers in of_books.values()), scope
        # All of it, exactly.
        assert set().union(*of_books.values()) == own
        asked = {question[0] for question in of_books}
        expected = {("stores", store) for store in stores} | ({("merchants", "chain")} if stores == OF_CHAIN else set())
        assert asked == expected, scope


def test_no_combination_of_books_and_protected_answers_isolates_fewer_than_k_cards_of_others(case):
    night, found = case
    merchants = {store: merchant or store for store, merchant, *_ in night.stores}
    protected = []
    for scope, stores in SCOPES.items():
        others = {number: row for number, row in night.rows.items() if row[1] not in stores}
        groups = groups_of(others, [{question: numbers for question, numbers in found[scope].items()}],
                           lambda kind: True)
        assert len(groups) > 3, scope
        for group in groups:
            rows = [night.rows[number] for number in group]
            assert len({card for _, _, card, _ in rows}) >= K, scope
            assert len({merchants[store] for _, store, _, _ in rows}) >= OTHERS, scope
        protected.append({question: numbers for question, numbers in found[scope].items()
                          if question[0][0] not in ("stores", "merchants")})
    assert protected[0] == protected[1] == protected[2]
