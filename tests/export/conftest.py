"""Payments with every oddity, a repository of them, an export, and the rows that figures are of."""

import csv
import json
import os
import subprocess
from pathlib import Path

import duckdb
import pytest

BINARY = os.environ["NIGHTSHARD_BINARY"]
ROOT = Path(__file__).resolve().parents[2]
# Later than the last row, so that the last week and month are cut by a day without rows.
AS_OF = "2019-01-19"
# What a CSV file has to quote, and what a program may take for a number.
ODD_STORES = ['say "hi", Café', "007", "NULL"]


def run(*arguments, cwd=None):
    """Runs the program, and returns what it prints."""
    environment = {**os.environ, "NIGHTSHARD_CARD_KEY": "5a" * 32}
    done = subprocess.run(
        [BINARY, *map(str, arguments)], cwd=cwd, env=environment, check=True, capture_output=True,
        text=True,
    )
    return done.stdout


def odd_rows():
    """Rows of more than what is generated: tx_id, store_id, card_id, ts, amount_minor, currency,
    category, region."""
    rows = []
    for number, store in enumerate(ODD_STORES):
        for day, amount in [("2018-02-28", 0), ("2018-03-01", 10**14), ("2018-03-02", -(10**14)),
                            ("2018-04-01", -100), ("2018-04-01", -101), ("2018-04-02", 99),
                            ("2018-12-31", 100), ("2019-01-01", 1099)]:
            tx = f"odd-{number}-{day}-{amount}"
            rows.append([tx, store, "k1", f"{day}T03:59:59", amount, "EUR", "cafe", "North"])
            rows.append([tx + "b", store, "", f"{day}T04:00:00", amount, "EUR", "bar", "North"])
    once = ["twice", "007", "k2", "2018-05-05T10:00:00", 77, "EUR", "bar", "South"]
    other = ["conflict", "007", "k2", "2018-05-05T10:00:00", 78, "EUR", "bar", "South"]
    rows += [once, once, other, other[:4] + [79] + other[5:]]
    rows.append(["pounds", "007", "k3", "2018-05-06T10:00:00", 5, "GBP", "bar", "South"])
    rows += [["", "007", "k4", "2018-05-07T10:00:00", 5, "EUR", "bar", "South"]] * 2
    return rows


# Tiles around the earth at the equator, and nearly.
WIDEST = 80_000


def tile_of(lat, lon):
    """The tile of a place in degrees, as docs/definitions.md has it."""
    south, west = round(float(lat) * 1e7), round(float(lon) * 1e7)
    row = min(south // 45_000, 19_999)
    u = 2 * (row if row >= 0 else -1 - row) + 1
    columns = WIDEST * (WIDEST * WIDEST - 4 * u * u) // (WIDEST * WIDEST + u * u)
    return f"{row}/{(west + 1_800_000_000) % 3_600_000_000 * columns // 3_600_000_000}"


def build(folder, k, repository):
    """Builds the payments so that `k` cards hide each other in what is told of places and the market."""
    (folder / "nightshard.toml").write_text(f"[privacy]\nk = {k}\n")
    run("build", "--input", "payments.csv", "odd.csv", "--stores", "stores.csv", "--regions", "regions.csv",
        "--series", "series.csv", "--as-of", AS_OF, "--config", "nightshard.toml", "--output", repository, "--quiet",
        cwd=folder)


def write_regions(path, stores):
    """A file of regions of which all but one of the stores' are parts, and one is of no store."""
    regions = sorted({store["region"] for store in stores} - {""})
    assert len(regions) > 2
    rows = [("everywhere", 'All "there is"', "", "35.5", "-127.25"), ("nowhere", "", "everywhere", "", "")]
    rows += [(region, f"name of {region}", "everywhere", "", "") for region in regions[1:]]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("region", "name", "parent", "lat", "lon"), *rows])


def write_series(path):
    """Two series, of which one has a value after the last day."""
    rows = [("2018-01-02", "index, daily", "2494.5"), ("2018-01-05", "index, daily", "-0.1"),
            ("2019-01-19", "rain", "1e-3"), ("2019-01-20", "rain", "7"), ("2017-01-01", "rain", "0")]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("date", "name", "value"), *rows])


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with payments, what is known of stores, a table to pack, and their repository."""
    folder = tmp_path_factory.mktemp("export")
    run("generate", "--transactions", 30000, "--stores", 40, "--cards", 400, "--from", "2017-12-20",
        "--to", "2019-01-15", "--settlements", "--output", "payments.csv", "--quiet", cwd=folder)
    header = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region".split(",")
    with open(folder / "odd.csv", "w", newline="") as file:
        csv.writer(file).writerows([header, *odd_rows()])
    with open(folder / "payments.stores.csv", newline="") as file:
        stores = list(csv.DictReader(file))
    # Of some nothing is known beside their rows, of others not all; bars close late.
    for number, store in enumerate(stores):
        store["day_cutoff"] = "04:00" if number % 3 == 0 else ""
        # Two merchants have several stores.
        if number % 10 in (1, 2):
            store["merchant_id"] = ["one, two", "three"][number % 10 - 1]
        if number % 5 == 0:
            store.update(category="", region="", lat="", lon="")
    stores = [store for number, store in enumerate(stores) if number % 7 != 6]
    stores.append(dict.fromkeys(stores[0], "") | {"store_id": ODD_STORES[0], "store_name": "Œuf, \"cru\"",
                                                  "day_cutoff": "04:00"})
    with open(folder / "stores.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, stores[0].keys())
        writer.writeheader()
        writer.writerows(stores)
    write_regions(folder / "regions.csv", stores)
    write_series(folder / "series.csv")
    build(folder, 1, "repository")
    (folder / "prices.csv").write_bytes(
        b'sku,name\nsku-1,milk\n"a ""b"", c",\n,empty key\nsku-2,caf\xc3\xa9\n\xff\xfe,\xf0\x9f\n'
    )
    run("pack", "--input", "prices.csv", "--dataset", "prices", "--key", "sku", "--value", "name",
        "--output", "repository", "--no-gate", "--quiet", cwd=folder)
    return folder


@pytest.fixture(scope="session")
def told(folder):
    """What the export says that it wrote."""
    return json.loads(run("export", "repository", "--output", "export", "--json", "--quiet", cwd=folder))


@pytest.fixture(scope="session")
def database(folder, told):
    """A database with the rows that count, as docs/definitions.md says, in the view `used`, and
    stores in `known`."""
    database = duckdb.connect()
    database.execute(f"SET file_search_path = '{folder}'")
    database.execute("""
        CREATE TABLE known AS SELECT * FROM read_csv('stores.csv', all_varchar = true);
        CREATE TABLE tiles (store_id VARCHAR, tile VARCHAR);
        CREATE TABLE tree AS SELECT * FROM read_csv('regions.csv', all_varchar = true);
        CREATE TABLE raw AS
            SELECT tx_id, store_id, card_id, ts, amount_minor, currency, category, region
            FROM read_csv('payments.csv', all_varchar = true)
            UNION ALL
            SELECT tx_id, store_id, card_id, ts, amount_minor, currency, category, region
            FROM read_csv('odd.csv', all_varchar = true);
        CREATE TABLE once AS
            SELECT DISTINCT * FROM raw WHERE tx_id IS NOT NULL
            UNION ALL SELECT * FROM raw WHERE tx_id IS NULL;
        CREATE TABLE used AS
            SELECT store_id AS id, card_id, amount_minor::BIGINT AS amount, once.category, once.region,
                ts::TIMESTAMP AS time,
                CAST(ts::TIMESTAMP - to_hours(
                    coalesce(split_part(day_cutoff, ':', 1)::INTEGER, 0)) AS DATE) AS date
            FROM once LEFT JOIN known USING (store_id)
            WHERE currency = 'EUR' AND (tx_id IS NULL OR (store_id, tx_id) NOT IN (
                SELECT (store_id, tx_id) FROM once WHERE tx_id IS NOT NULL
                GROUP BY store_id, tx_id HAVING count(*) > 1));
    """)
    located = database.sql("SELECT store_id, lat, lon FROM known WHERE lat IS NOT NULL AND lon IS NOT NULL").fetchall()
    database.executemany("INSERT INTO tiles VALUES (?, ?)", [[store, tile_of(*place)] for store, *place in located])
    return database
