"""Every table of an export, in both formats, beside SQL over the rows it is of."""

import math

import pytest
from conftest import AS_OF

STATISTICS = """count(*) AS count, sum(amount)::DECIMAL(38, 0) AS sum, sum(amount) / count(*) AS mean,
    min(amount) AS min, max(amount) AS max, stddev_pop(amount) AS std,
    count(DISTINCT card_id) AS cards, count(*) FILTER (amount < 0) AS refund_count,
    coalesce(sum(amount) FILTER (amount < 0), 0)::DECIMAL(38, 0) AS refund_sum,
    count(*) FILTER (amount = 0) AS zero_count,
    count(DISTINCT card_id) FILTER (amount > 0) AS buyers"""

# The label, the first day and the last day of the period of a date.
PERIODS = {
    "weeks": ("strftime(date, '%G-W%V')", "date_trunc('week', date)", "INTERVAL 1 WEEK"),
    "months": ("strftime(date, '%Y-%m')", "date_trunc('month', date)", "INTERVAL 1 MONTH"),
    "quarters": ("year(date) || '-Q' || quarter(date)", "date_trunc('quarter', date)",
                 "INTERVAL 3 MONTH"),
    "years": ("year(date)::VARCHAR", "date_trunc('year', date)", "INTERVAL 1 YEAR"),
}


# Merchants of two stores or more that have rows.
CHAINS = """
    SELECT store_id, merchant_id FROM known
    WHERE merchant_id IS NOT NULL AND store_id IN (SELECT id FROM used)
    QUALIFY count(*) OVER (PARTITION BY merchant_id) > 1"""


# Between a region and a category that make an id together.
BOTH = "chr(31)"


def rows(kind):
    """The rows that a store, a place, a merchant or the market has, by id."""
    places = {
        "region": "above.id",
        "category": "store.category",
        "region_category": f"above.id || {BOTH} || store.category",
        "tile": "tiles.tile",
    }
    if kind in places:
        above = f"JOIN ({ABOVE}) AS above ON above.region = store.region" if "region" in kind else ""
        return f"""(
            SELECT used.* REPLACE ({places[kind]} AS id)
            FROM used JOIN ({STORES}) AS store ON store.id = used.id LEFT JOIN tiles ON tiles.store_id = used.id
            {above}
            WHERE {places[kind]} IS NOT NULL)"""
    match kind:
        case "store":
            return "used"
        case "merchant":
            return f"(SELECT used.* REPLACE (merchant_id AS id) FROM used JOIN ({CHAINS}) ON store_id = used.id)"
        case _:
            return "(SELECT * REPLACE ('all' AS id) FROM used)"


def period_sql(kind, part):
    label, first, length = PERIODS[part]
    last = f"({first} + {length} - INTERVAL 1 DAY)"
    ends = "(SELECT min(date) FROM used)"
    return f"""
        SELECT id, {label} AS period, {first}::DATE AS first_date, {last}::DATE AS last_date,
            {first} < {ends} OR {last} > DATE '{AS_OF}' AS partial, {STATISTICS}
        FROM {rows(kind)} GROUP BY ALL"""


def histogram_sql(kind):
    # Of a negative amount, what is mirrored at the edge between -1 and 0.
    return f"""
        WITH amounts AS (
            SELECT *, amount < 0 AS is_refund, CASE WHEN amount < 0 THEN -amount - 1 ELSE amount END AS size
            FROM {rows(kind)}),
        cells AS (
            SELECT *, CASE WHEN size < 100 THEN 1 ELSE 10::BIGINT ** (length(size::VARCHAR) - 2) END::BIGINT AS width,
                size // width * width AS below FROM amounts)
        SELECT id, strftime(date, '%Y-%m') AS period, date_trunc('month', date)::DATE AS first_date,
            CASE WHEN is_refund THEN -below - width ELSE below END AS low,
            CASE WHEN is_refund THEN -below ELSE below + width END AS high, count(*) AS count
        FROM cells GROUP BY ALL"""


def hours_sql(kind):
    return f"""
        SELECT id, strftime(date, '%Y-%m') AS period, date_trunc('month', date)::DATE AS first_date,
            isodow(date) AS weekday, hour(time) * 2 + minute(time) // 30 AS half_hour,
            count(*) AS count, sum(amount)::DECIMAL(38, 0) AS sum
        FROM {rows(kind)} GROUP BY ALL"""


STORES = f"""
    WITH figures AS (
        SELECT id, min(date) AS first_date, max(date) AS last_date, {STATISTICS} FROM used GROUP BY id),
    categories AS (
        SELECT id, category FROM used WHERE category IS NOT NULL GROUP BY id, category
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY count(*) DESC, category) = 1),
    regions AS (
        SELECT id, region FROM used WHERE region IS NOT NULL GROUP BY id, region
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY count(*) DESC, region) = 1)
    SELECT figures.id, store_name AS name, merchant_id,
        coalesce(known.category, categories.category) AS category,
        coalesce(known.region, regions.region) AS region,
        lat::DOUBLE AS lat, lon::DOUBLE AS lon, figures.* EXCLUDE (id)
    FROM figures LEFT JOIN known ON store_id = id LEFT JOIN categories USING (id) LEFT JOIN regions USING (id)"""

# The regions that a store of a region is in.
ABOVE = """
    SELECT region, region AS id FROM (
        SELECT region FROM used UNION SELECT region FROM known) WHERE region IS NOT NULL
    UNION SELECT region, parent FROM tree WHERE parent IS NOT NULL"""

MARKETS = f"""
    SELECT 'all' AS id, NULL::VARCHAR AS name, NULL::VARCHAR AS merchant_id, NULL::VARCHAR AS category,
        NULL::VARCHAR AS region, NULL::DOUBLE AS lat, NULL::DOUBLE AS lon, min(date) AS first_date,
        max(date) AS last_date, {STATISTICS}
    FROM used"""

MERCHANTS = f"""
    SELECT id, NULL::VARCHAR AS name, id AS merchant_id, NULL::VARCHAR AS category, NULL::VARCHAR AS region,
        NULL::DOUBLE AS lat, NULL::DOUBLE AS lon, min(date) AS first_date, max(date) AS last_date, {STATISTICS}
    FROM {rows("merchant")} GROUP BY id"""


def expected_sql(table):
    """What a table should be."""
    kind, _, part = table.rpartition("_")
    if kind == "region_category":
        return f"""
            SELECT split_part(id, {BOTH}, 1) AS region, split_part(id, {BOTH}, 2) AS category, * EXCLUDE (id)
            FROM ({of_part(kind, part)})"""
    match table:
        case "stores":
            return STORES
        case "markets":
            return MARKETS
        case "merchants":
            return MERCHANTS
        case "regions":
            return f"""
                SELECT above.id, count(*) AS stores
                FROM ({STORES}) AS store JOIN ({ABOVE}) AS above USING (region) GROUP BY above.id"""
        case "categories":
            return f"SELECT category AS id, count(*) AS stores FROM ({STORES}) WHERE category IS NOT NULL GROUP BY category"
        case "region_tree":
            return "SELECT region AS id, parent, name, lat::DOUBLE AS lat, lon::DOUBLE AS lon FROM tree"
        case "side_series":
            return f"""
                SELECT name, date::DATE AS date, value::DOUBLE AS value
                FROM read_csv('series.csv', all_varchar = true) WHERE date <= '{AS_OF}'"""
        case _:
            return of_part(kind, part)


def of_part(kind, part):
    """What a table of figures of one kind should be."""
    match part:
        case "totals":
            return f"""
                SELECT id, min(date) AS first_date, max(date) AS last_date, {STATISTICS} FROM {rows(kind)} GROUP BY id"""
        case "histograms":
            return histogram_sql(kind)
        case "hours":
            return hours_sql(kind)
        case "days":
            return f"SELECT id, date, {STATISTICS} FROM {rows(kind)} GROUP BY ALL"
        case _:
            return period_sql(kind, part)


PLACES = ["region", "category", "region_category", "tile"]
TABLES = ["stores", "markets", "merchants", "regions", "categories", "region_tree", "side_series"] + [
    f"{kind}_{part}"
    for kind in ["store", "market", "merchant", *PLACES]
    for part in ["days", *PERIODS, "histograms", "hours", *(["totals"] if kind in PLACES else [])]
]
# What is beside the API in test_served.py.
SERVED = ["store_visits", "store_scores", "store_benchmarks", "store_spend_shares", "store_demographics",
          "store_settlements", "store_points", "store_origins", "store_before_after", "place_demographics",
          "place_visits", "place_scores", "merchant_visits", "merchant_scores"]
SERVED += [f"{kind}_mixes" for kind in ["store", "market", "merchant", "region", "category", "region_category"]]
SERVED += [f"{kind}_{part}" for kind in ["store", "market", "merchant", *PLACES] for part in ["loyalty", "repeats", "cohorts"]]


def same(left, right):
    """Whether two values are one, but for the last digits of doubles."""
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-6)
    return left == right


def key(row):
    """What rows are sorted by: what is no double."""
    return [str(value) for value in row if not isinstance(value, float)]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_what_sql_says(database, table):
    wanted = database.sql(expected_sql(table))
    given = database.sql(f"FROM 'export/{table}.parquet'")
    assert given.columns == wanted.columns
    wanted, given = (sorted(relation.fetchall(), key=key) for relation in (wanted, given))
    assert len(given) == len(wanted) > 0
    for row, expected in zip(given, wanted):
        assert all(map(same, row, expected)), f"{row} is not {expected}"


def test_every_table_is_tested_and_told(database, folder, told):
    tables = {*TABLES, *SERVED, "generation", "packed_prices"}
    names = {f"{table}.{ending}" for table in tables for ending in ["parquet", "csv"]}
    assert {file["name"] for file in told["files"]} == names
    assert {path.name for path in (folder / "export").iterdir()} == names | {"export.json"}
    for file in told["files"]:
        assert (folder / "export" / file["name"]).stat().st_size == file["size_bytes"]
        if file["name"].endswith(".parquet"):
            count = database.sql(f"SELECT count(*) FROM 'export/{file['name']}'").fetchall()[0]
            assert count == (file["rows"],)


def test_the_generation_accounts_for_every_row(database, told):
    row = database.sql("SELECT * REPLACE (as_of::VARCHAR AS as_of) FROM 'export/generation.parquet'")
    row = dict(zip(row.columns, row.fetchall()[0]))
    assert (row["id"], row["as_of"]) == (told["generation"], AS_OF)
    assert (row["currency"], row["currency_exponent"]) == ("EUR", 2)
    ends = database.sql("SELECT min(date), max(date), count(DISTINCT id), count(*) FROM used").fetchall()[0]
    assert (row["first_date"], row["last_date"], row["stores"], row["rows_used"]) == ends
    assert row["rows_read"] == database.sql("SELECT count(*) FROM raw").fetchall()[0][0]
    assert (row["rows_rejected"], row["rows_excluded"]) == (2, 2)


def test_packed_values_that_are_no_text_are_in_base64(database):
    rows = database.sql("FROM 'export/packed_prices.parquet' ORDER BY ALL").fetchall()
    assert rows == [
        ("", None, "empty key", None),
        ('a "b", c', None, "", None),
        ("sku-1", None, "milk", None),
        ("sku-2", None, "café", None),
        (None, "//4=", None, "8J8="),
    ]


def test_files_say_what_they_are_of(database, told):
    for table in [*TABLES, *SERVED, "generation", "packed_prices"]:
        path = f"export/{table}.parquet"
        facts = database.sql(f"SELECT key::VARCHAR, value::VARCHAR FROM parquet_kv_metadata('{path}')")
        assert dict(facts.fetchall()) == {
            "nightshard.generation": told["generation"],
            "nightshard.as_of": AS_OF,
            "nightshard.currency": "EUR",
            "nightshard.currency_exponent": "2",
        }
        made = database.sql(f"SELECT created_by FROM parquet_file_metadata('{path}')").fetchall()[0][0]
        assert made.startswith("nightshard version ")
