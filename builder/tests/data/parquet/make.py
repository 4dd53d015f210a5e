#!/usr/bin/env python3
"""Makes the Parquet files beside it, and types.jsonl, which says what is in types-*.parquet.

Other writers than the one of the reader under test: Polars and DuckDB, in the releases that
tests/run names. The text of every value is written here by hand or by Python, not by them.
"""

import json
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl

FOLDER = Path(__file__).parent
UTC = timezone.utc

# Column: (type of Polars, type of DuckDB, [(value, its JSON)]): the last row lacks every value.
COLUMNS = {
    "key": ("String", "VARCHAR", [("a", '"a"'), ("é\n\"\\", '"é\\n\\"\\\\"'), ("null", '"null"')]),
    "i8": ("Int8", "TINYINT", [(-128, "-128"), (127, "127")]),
    "i16": ("Int16", "SMALLINT", [(-32768, "-32768"), (32767, "32767")]),
    "i32": ("Int32", "INTEGER", [(-(2**31), "-2147483648"), (0, "0")]),
    "i64": ("Int64", "BIGINT", [(-(2**63), "-9223372036854775808"), (2**63 - 1, "9223372036854775807")]),
    "u8": ("UInt8", "UTINYINT", [(0, "0"), (255, "255")]),
    "u16": ("UInt16", "USMALLINT", [(0, "0"), (65535, "65535")]),
    "u32": ("UInt32", "UINTEGER", [(0, "0"), (2**32 - 1, "4294967295")]),
    "u64": ("UInt64", "UBIGINT", [(1, "1"), (2**64 - 1, "18446744073709551615")]),
    "f32": ("Float32", "FLOAT", [(0.1, "0.1"), (float("nan"), "null")]),
    "f64": ("Float64", "DOUBLE", [(-1e300, "-1e+300"), (2.0, "2.0")]),
    "flag": ("Boolean", "BOOLEAN", [(True, "true"), (False, "false")]),
    "text": ("String", "VARCHAR", [("", '""'), ("\x01 日本 😀", '"\\u0001 日本 😀"')]),
    "bytes": ("Binary", "BLOB", [(b"\x00\xff\xfe", '"AP/+"'), (b"", '""')]),
    "small": ("Decimal(9, 2)", "DECIMAL(9, 2)", [(Decimal("-0.05"), "-0.05"), (Decimal("1234567.80"), "1234567.80")]),
    "middle": ("Decimal(18, 6)", "DECIMAL(18, 6)", [(Decimal("123456789012.345678"), "123456789012.345678"), (Decimal("-1"), "-1.000000")]),
    "large": ("Decimal(38, 10)", "DECIMAL(38, 10)", [
        (Decimal("-9999999999999999999999999999.9999999999"), "-9999999999999999999999999999.9999999999"),
        (Decimal("0.0000000001"), "0.0000000001"),
    ]),
    "whole": ("Decimal(20, 0)", "DECIMAL(20, 0)", [(Decimal("12345678901234567890"), "12345678901234567890"), (Decimal("-7"), "-7")]),
    "day": ("Date", "DATE", [(date(1, 1, 1), '"0001-01-01"'), (date(2024, 2, 29), '"2024-02-29"')]),
    "time": ("Time", "TIME", [(time(0, 0), '"00:00:00"'), (time(23, 59, 59, 120), '"23:59:59.00012"')]),
    "ms": ("Datetime('ms')", "TIMESTAMP_MS", [
        (datetime(1969, 12, 31, 23, 59, 59, 999000), '"1969-12-31T23:59:59.999"'),
        (datetime(2024, 2, 29, 12, 0), '"2024-02-29T12:00:00"'),
    ]),
    "us": ("Datetime('us')", "TIMESTAMP", [
        (datetime(1900, 1, 1), '"1900-01-01T00:00:00"'),
        (datetime(9999, 12, 31, 23, 59, 59, 999999), '"9999-12-31T23:59:59.999999"'),
    ]),
    "ns": ("Datetime('ns')", "TIMESTAMP_NS", [
        (datetime(1700, 1, 1, 1, 2, 3, 4), '"1700-01-01T01:02:03.000004"'),
        (datetime(2024, 2, 29), '"2024-02-29T00:00:00"'),
    ]),
    "utc": ("Datetime('us', 'UTC')", "TIMESTAMPTZ", [
        (datetime(2024, 2, 29, 1, tzinfo=UTC), '"2024-02-29T01:00:00Z"'),
        (datetime(1970, 1, 1, tzinfo=UTC), '"1970-01-01T00:00:00Z"'),
    ]),
}
ROWS = 3


def frame() -> pl.DataFrame:
    """Returns the table that all files of types hold."""
    columns = []
    for name, (polars_type, _, cells) in COLUMNS.items():
        values = [value for value, _ in cells] + [None] * (ROWS - len(cells))
        dtype = eval(f"pl.{polars_type}")
        columns.append(pl.Series(name, values, dtype=dtype, strict=True))
    return pl.DataFrame(columns)


def expected() -> str:
    lines = []
    for row in range(ROWS):
        texts = {
            name: cells[row][1] if row < len(cells) else "null"
            for name, (_, _, cells) in COLUMNS.items()
        }
        members = (f"{json.dumps(name)}:{text}" for name, text in texts.items())
        lines.append("{" + ",".join(members) + "}\n")
    return "".join(lines)


def write_with_duckdb(types: pl.DataFrame) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f'"{name}" {kind}' for name, (_, kind, _) in COLUMNS.items())
    connection.execute(f"CREATE TABLE types ({columns})")
    marks = ", ".join("?" * len(COLUMNS))
    for row in types.rows():
        connection.execute(f"INSERT INTO types VALUES ({marks})", row)

    def copy(query: str, name: str, options: str) -> None:
        connection.execute(f"COPY ({query}) TO '{FOLDER / name}' (FORMAT parquet, {options})")

    copy("FROM types", "types-duckdb-snappy.parquet", "COMPRESSION snappy")
    # It writes differences that do not fit into the 32 bits that the format has for them.
    copy("SELECT * EXCLUDE (i32, u32) FROM types", "types-duckdb-v2.parquet", "COMPRESSION zstd, PARQUET_VERSION v2")
    copy("SELECT 'a' AS key, 1 AS v", "lz4.parquet", "COMPRESSION lz4_raw")
    copy("SELECT 'a' AS key, 1 AS v", "tiny.parquet", "COMPRESSION snappy")
    others = """SELECT 'a' AS key, 1 AS v, [1, 2] AS list, {'x': 1} AS struct, MAP {'x': 1} AS map,
        INTERVAL 1 DAY AS interval, '00112233-4455-6677-8899-aabbccddeeff'::UUID AS uuid"""
    copy(others, "others.parquet", "COMPRESSION snappy")


def write_groups() -> None:
    """Writes three groups of several pages, with few different texts, of which one in 7 is null."""
    rows = range(3000)
    table = pl.DataFrame({
        "key": [row * 7919 % 3001 for row in rows],
        "v": [None if row % 7 == 0 else f"value {row % 11}" for row in rows],
    })
    table.write_parquet(
        FOLDER / "groups.parquet", row_group_size=1000, data_page_size=1024, statistics=False
    )


def main() -> None:
    types = frame()
    (FOLDER / "types.jsonl").write_text(expected())
    for codec in ("uncompressed", "snappy", "gzip", "zstd"):
        path = FOLDER / f"types-polars-{codec}.parquet"
        types.write_parquet(path, compression=codec, statistics=False)
    write_with_duckdb(types)
    write_groups()


main()
