"""CSV and other readers say the same as Parquet does in DuckDB; the examples of the documents run."""

import re
import subprocess
import sys

import duckdb
import polars
import pytest
from conftest import ROOT
from test_tables import SERVED, TABLES

ALL = [*TABLES, *SERVED, "generation", "packed_prices"]


def of_parquet(database, table):
    return database.sql(f"FROM 'export/{table}.parquet'")


@pytest.mark.parametrize("table", ALL)
def test_csv_says_the_same(database, table):
    parquet = of_parquet(database, table)
    types = {name: str(kind) for name, kind in zip(parquet.columns, parquet.types)}
    csv = database.sql(f"FROM read_csv('export/{table}.csv', header = true, columns = {types})")
    wanted = parquet.fetchall()
    if table.startswith("packed_"):
        # In CSV an empty text looks like none.
        wanted = [tuple(value or None for value in row) for row in wanted]
    assert csv.fetchall() == wanted


@pytest.mark.parametrize("table", ALL)
def test_polars_says_the_same(database, folder, table):
    frame = polars.read_parquet(folder / "export" / f"{table}.parquet")
    parquet = of_parquet(database, table)
    assert frame.columns == parquet.columns
    assert frame.rows() == parquet.fetchall()
    csv = polars.read_csv(folder / "export" / f"{table}.csv", infer_schema=False)
    assert (csv.columns, csv.height) == (frame.columns, frame.height)
    dates = [name for name, kind in frame.schema.items() if kind == polars.Date]
    for name in dates:
        assert csv[name].str.to_date().equals(frame[name])


def blocks(language):
    """The examples of the documents in a language."""
    for name in ["README.md", "docs/export.md"]:
        text = (ROOT / name).read_text()
        for block in re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if "export/" in block:
                yield block


def test_the_examples_of_the_documents_run(folder, told, monkeypatch):
    monkeypatch.chdir(folder)
    queries, programs = list(blocks("sql")), list(blocks("python"))
    assert queries and programs
    for query in queries:
        assert duckdb.sql(query.strip()).fetchall(), query
    for program in programs:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, f"{program}\n{done.stderr}"
