"""Customers: what each card paid, who is told, and that nothing of it is anywhere else."""

import csv
import json
import os
import subprocess

import pytest
from conftest import BINARY, Subject, birmingham, complete_journey, generated
from pseudonym import pseudonym

# As conftest.py builds.
KEY = bytes.fromhex("11" * 32)

# docs/definitions.md, "Customers". `foreign_rows` is null where rows do not say.
PAID = """
    SELECT
        card, count(*) AS count, CAST(sum(amount) AS BIGINT) AS sum,
        CAST(min(amount) AS BIGINT) AS min, CAST(max(amount) AS BIGINT) AS max,
        CAST(min(day) AS TEXT) AS first_date, CAST(max(day) AS TEXT) AS last_date,
        CASE WHEN count({foreign_rows}) > 0 THEN count(*) FILTER ({foreign_rows}) END AS foreign_count,
        count(*) FILTER ({flagged}) AS flagged_count,
    FROM payments JOIN stores USING (store)
    WHERE card IS NOT NULL AND stores.category IS DISTINCT FROM $sensitive
    GROUP BY card
"""
FOREIGN = ("CASE WHEN lower(is_foreign) IN ('true', 't', 'yes', 'y', '1') THEN true "
           "WHEN lower(is_foreign) IN ('false', 'f', 'no', 'n', '0') THEN false END")


def key_of(card):
    return pseudonym(KEY, card).hex()


def write_config(folder, sensitive, flagged):
    """A configuration that keeps customers; strings of JSON are strings of TOML."""
    path = folder / "nightshard.toml"
    access = folder / "access.key"
    subprocess.run([BINARY, "token", "--new-key", access], check=True, stdout=subprocess.DEVNULL)
    path.write_text(
        f"[privacy]\nsensitive_categories = {json.dumps(sensitive, ensure_ascii=False)}\n"
        f"[customers]\nflagged = {json.dumps(flagged)}\n"
        f"dimension = {json.dumps(str(folder / 'customers.csv'))}\n"
        f"[access]\nkeys = [{{ id = \"first\", path = {json.dumps(str(access))} }}]\n"
        "[server]\ncustomers = true\n")
    return path


def token(config, scope):
    command = [BINARY, "token", "--config", config, "--scope", scope]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Customers(Subject):
    """A build that keeps customers, and who may ask for all of them."""

    def build_options(self):
        columns = {row["name"] for row in self.query("SELECT name FROM pragma_table_info('payments')")}
        self.has_foreign = "is_foreign" in columns
        of_categories = self.query("FROM stores SELECT category WHERE category IS NOT NULL "
                                   "GROUP BY category ORDER BY count(*) DESC, category")
        self.sensitive = of_categories[0]["category"] if len(of_categories) > 1 else "none such"
        [[middle]] = self.rows.execute("FROM payments SELECT CAST(median(amount) AS BIGINT)").fetchall()
        self.flagged = f"amount > {middle}"
        if "payment_method" in columns:
            self.flagged += " AND payment_method = 'debit' OR amount < 0"
        cards = self.query("FROM payments SELECT DISTINCT card WHERE card IS NOT NULL ORDER BY card")
        self.cards = [row["card"] for row in cards]
        # Of every second customer something is known, and of some who never came.
        self.described = {card: {"registered_at": f"2017-05-{at % 28 + 1:02}", "Heimat": "Köln \"Süd\""}
                          for at, card in enumerate(self.cards[::2])}
        with open(self.folder / "customers.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["registered_at", "card_id", "Heimat", "nothing"])
            for card, known in {**self.described, "who never came": {"Heimat": "x"}}.items():
                rows.writerow([known.get("registered_at"), card, known["Heimat"], ""])
        flagged = self.flagged.replace("amount ", "amount_minor ").lower()
        self.config = write_config(self.folder, [self.sensitive], flagged)
        return ["--config", self.config]

    def serve_options(self):
        self.headers = {"Authorization": f"Bearer {token(self.config, 'customer')}"}
        return ["--config", self.config]


@pytest.fixture(scope="module", params=[generated, birmingham, complete_journey],
                ids=lambda source: source.__name__)
def customers(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.__name__)
    customers = Customers(folder, *request.param(folder))
    yield customers
    customers.stop()


def test_customers_paid_what_their_rows_add_up_to(customers):
    foreign = FOREIGN if customers.has_foreign else "CAST(NULL AS BOOLEAN)"
    sql = PAID.format(foreign_rows=foreign, flagged=customers.flagged)
    expected = {row.pop("card"): row for row in customers.query(sql, sensitive=customers.sensitive)}
    [[currency]] = customers.rows.execute("SELECT getvariable('currency')").fetchall()
    told = 0
    for card in customers.cards:
        status, body = customers.answer(f"/v1/customers/{key_of(card)}")
        if card not in expected:
            # Who was in stores of the sensitive category alone.
            assert status == 404, card
            continue
        assert status == 200, body
        served, row = body["data"], expected[card]
        assert (served.pop("id"), served.pop("payer")) == (key_of(card), "card")
        assert served.pop("attributes") == customers.described.get(card, {})
        assert served.pop("mean") == row["sum"] / row["count"]
        assert served.pop("flagged_share") == row["flagged_count"] / row["count"]
        assert (served.pop("currency"), served.pop("currency_exponent")) == (currency, 2)
        assert served == row, card
        told += 1
    assert told == len(expected) > 0
    assert sum(row["flagged_count"] for row in expected.values()) > 0
    [build_json] = (customers.folder / "repository/generations").glob("*/build.json")
    report = json.loads(build_json.read_text())["customers"]
    described = [card for card in customers.described if card in expected]
    assert report == {"records": told, "described": len(described),
                      "unknown": len(customers.described) + 1 - len(described)}


def test_a_customer_asks_for_itself_and_others_see_no_customer(customers):
    [own, other] = customers.cards[:2]
    for scope, status in [(f"customer:{key_of(own)}", 404), ("analyst", 403), ("app", 403),
                          (f"store:{customers.stores[0]}", 403)]:
        customers.headers = {"Authorization": f"Bearer {token(customers.config, scope)}"}
        assert customers.answer(f"/v1/customers/{key_of(other)}")[0] == status, scope
    customers.headers = {"Authorization": f"Bearer {token(customers.config, 'customer')}"}


def test_pseudonyms_are_computed_for_who_has_the_key(customers):
    cards = customers.cards[:50]
    command = [BINARY, "pseudonym"]
    environment = {**os.environ, "NIGHTSHARD_CARD_KEY": KEY.hex()}
    answer = subprocess.run(command, input="".join(f"{card}\n" for card in cards), env=environment,
                            check=True, capture_output=True, text=True)
    assert answer.stdout.split() == [key_of(card) for card in cards]


def with_known_cards(payments, path):
    """Writes payments anew, with card numbers that nothing else looks like; returns these."""
    with open(payments, newline="") as file:
        names, *rows = csv.reader(file)
    at = names.index("card_id")
    numbers = {}
    for row in rows:
        if row[at]:
            row[at] = numbers.setdefault(row[at], f"49291{len(numbers) * 7_654_321:011}")
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return sorted(numbers.values())


def needles(cards):
    """Whatever of cards must be nowhere, by its bytes: their ids, and each half of their pseudonyms, forward
    and backward, as bytes and in hexadecimal of either case."""
    found = {card.encode(): card for card in cards}
    for card in cards:
        whole = pseudonym(KEY, card)
        for ordered in [whole, whole[::-1]]:
            for half in [ordered[:8], ordered[8:]]:
                for needle in [half, half.hex().encode(), half.hex().upper().encode()]:
                    found[needle] = card
    return found


def found_in(data, needles):
    """The needles that are in some bytes."""
    found = set()
    for length in {len(needle) for needle in needles}:
        windows = {data[at:at + length] for at in range(len(data) - length + 1)}
        found |= windows & needles.keys()
    return found


def build(folder, payments, stores, config):
    environment = {**os.environ, "NIGHTSHARD_CARD_KEY": KEY.hex()}
    command = [BINARY, "build", "--input", payments, "--stores", stores, "--output", folder / "repository",
               "--memory", "64MiB", *config]
    return subprocess.run(command, check=True, capture_output=True, env=environment)


def test_cards_and_pseudonyms_are_in_no_byte_but_those_of_customers(tmp_path):
    payments, stores, _ = generated(tmp_path)
    known = tmp_path / "known.csv"
    cards = with_known_cards(payments, known)
    with open(tmp_path / "customers.csv", "w") as file:
        file.writelines(["card_id,home\n", *(f"{card},Atlantis\n" for card in cards), "4929199999999999,x\n"])
    searched = needles([*cards, "4929199999999999"])
    config = ["--config", write_config(tmp_path, ["none such"], "amount_minor > 1000")]
    other_blobs = []
    for name, options in [("with", config), ("without", [])]:
        folder = tmp_path / name
        folder.mkdir()
        printed = build(folder, known, stores, options)
        assert not found_in(printed.stdout + printed.stderr, searched)
        [manifest] = (folder / "repository/generations").glob("*/manifest.json")
        shards = json.loads(manifest.read_text())["shards"]
        of_customers = {shard["blob"] for shard in shards if shard["dataset"] == "customers"}
        files = [path for path in (folder / "repository").rglob("*") if path.is_file()]
        assert {path.name for path in files} > {shard["blob"] for shard in shards}
        told = b""
        for path in files:
            data = path.read_bytes()
            if path.name in of_customers:
                told += data
                continue
            assert not found_in(data, searched), path
            assert b"Atlantis" not in data, path
        # Is what is searched for what would be found?
        keys = {pseudonym(KEY, card).hex().encode() for card in cards}
        in_shards = {key for key in keys if key in told}
        assert in_shards == (keys if name == "with" else set())
        assert (b"Atlantis" in told) == (name == "with")
        halves = {half for key in in_shards for half in (key[:16], key[16:])}
        assert found_in(told, searched) == halves
        other_blobs.append({shard["blob"] for shard in shards} - of_customers)
    assert other_blobs[0] == other_blobs[1]
