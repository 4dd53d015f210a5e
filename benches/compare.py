#!/usr/bin/env python3
"""Nightshard's build beside DuckDB and Polars on the same transactions, in the same run.

Each of them computes, from one CSV file: count, sum, minimum, maximum, standard deviation and
distinct cards for every store and month, and a histogram of 32 bins for every store. Nightshard
builds a whole generation, so it computes more: any range of days, the market, rankings, search.

The rivals do it in two ways: by two queries of the file, as an analyst would write them, and
from a table that they load first, which is faster and takes more memory. Polars then holds
stores and months as categories.

Prints a table of medians over interleaved runs: wall time, processor time, peak resident memory;
and the peak of anonymous memory of a build with --memory 256MiB. Stops if any figure differs.
Needs the Python packages duckdb and polars, and a release build of nightshard.

    benches/compare.py                    20 M rows, 20,000 stores, 2 M cards, 2 threads, 3 runs
    benches/compare.py --layout funda     the same with fewer columns and without transaction ids
    benches/compare.py --smoke            a few rows, once: does it work, and do all agree?
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Of each layout: the columns of the date and the amount, and what an amount is multiplied by.
COLUMNS = {"canonical": ("ts", "amount_minor", 1), "funda": ("transacted_date", "amount", 10)}

# What the rivals run, each in a process of its own; `sys.argv`: file, threads, layout, way.
DUCKDB = """
import duckdb, json, sys
path, threads, date, amount, factor, way = sys.argv[1:7]
db = duckdb.connect()
db.execute(f"set threads={threads}; set enable_progress_bar=false")
types = {"store_id": "VARCHAR", "card_id": "VARCHAR", date: "VARCHAR", amount: "BIGINT"}
source = f"read_csv('{path}', header=true, delim=',', types={types})"
columns = f"store_id, card_id, substr({date}, 1, 7) as month, {amount} * {factor} as amount"
if way == "table":
    db.execute(f"create table rows as select {columns} from {source}")
    rows = "rows"
else:
    rows = f"(select {columns} from {source})"
db.execute(f'''create table months as select store_id, month, count(*) as n, sum(amount) as s,
    min(amount) as low, max(amount) as high, stddev_pop(amount) as std,
    count(distinct card_id) as cards from {rows} group by 1, 2''')
db.execute(f'''create table bins as with ends as (
    select store_id, min(low) as low, max(high) as high from months group by 1)
    select store_id, (amount - low) * 32 // (high - low + 1) as bin, count(*) as n
    from {rows} join ends using (store_id) group by 1, 2''')
binned = db.execute("select sum(n) from bins").fetchone()[0]
months = db.execute("select store_id, month, n, s, low, high, std, cards from months").fetchall()
"""

POLARS = """
import json, sys
import polars as pl
path, threads, date, amount, factor, way = sys.argv[1:7]
rows = pl.scan_csv(path, schema_overrides={date: pl.String}).select("store_id", "card_id",
    pl.col(date).str.slice(0, 7).alias("month"), (pl.col(amount) * int(factor)).alias("amount"))
if way == "table":
    categories = [pl.col(name).cast(pl.Categorical) for name in ("store_id", "month")]
    rows = rows.with_columns(categories).collect(engine="streaming").lazy()
amount = pl.col("amount")
months = (rows.group_by("store_id", "month").agg(pl.len().alias("n"), amount.sum().alias("s"),
        amount.min().alias("low"), amount.max().alias("high"), amount.std(ddof=0).alias("std"),
        pl.col("card_id").n_unique().alias("cards"))
    .collect(engine="streaming"))
ends = months.lazy().group_by("store_id").agg(pl.col("low").min(), pl.col("high").max())
bin = (amount - pl.col("low")) * 32 // (pl.col("high") - pl.col("low") + 1)
bins = (rows.select("store_id", "amount").join(ends, on="store_id")
    .group_by("store_id", bin.alias("bin")).agg(pl.len().alias("n"))
    .collect(engine="streaming"))
binned = bins["n"].sum()
months = months.select("store_id", "month", "n", "s", "low", "high", "std", "cards").rows()
"""

# Prints totals, and all figures of a few stores.
REPORT = """
stores = sorted({row[0] for row in months})[::max(1, len({row[0] for row in months}) // 5)]
print(json.dumps({"n": int(sum(row[2] for row in months)), "sum": int(sum(row[3] for row in months)),
    "cards": int(sum(row[7] for row in months)), "binned": int(binned),
    "stores": {store: sorted([row[1], int(row[2]), int(row[3]), int(row[4]), int(row[5]),
        float(row[6]), int(row[7])] for row in months if row[0] == store) for store in stores}}))
"""


def measure(command, environment):
    """Runs a command; returns its output, wall and processor seconds, and peak memory in MiB."""
    before = time.monotonic()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - before
    if status != 0:
        sys.exit(f"failed: {' '.join(map(str, command))[:200]}")
    return output, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def anonymous_peak(command, environment):
    """Runs a command; returns the peak of its anonymous resident memory in MiB, as seen."""
    peak = 0
    child = subprocess.Popen(command, env=environment)
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            continue
        seen = [line for line in status.splitlines() if line.startswith("RssAnon")]
        peak = max([peak] + [int(line.split()[1]) for line in seen])
        time.sleep(0.002)
    if child.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))[:200]}")
    return peak / 1024


def summary(binary, repository, dataset, key):
    """Returns what Nightshard says of a key, month by month."""
    shown = subprocess.check_output([binary, "inspect", repository, "--dataset", dataset,
                                     "--key", key, "--json"])
    return json.loads(shown)["value"]["summary"]["months"]


def check(binary, repository, reference):
    """Holds Nightshard's figures against a rival's."""
    market = summary(binary, repository, "markets", "all")
    totals = {"n": sum(month["count"] for month in market),
              "sum": sum(int(month["sum"]) for month in market)}
    expected = {name: reference[name] for name in totals}
    if totals != expected or reference["binned"] != totals["n"]:
        sys.exit(f"totals differ: {totals}, but {expected}, {reference['binned']} binned")
    for store, months in reference["stores"].items():
        for ours, theirs in zip(summary(binary, repository, "stores", store), months, strict=True):
            exact = [ours["period"], ours["count"], int(ours["sum"]), ours["min"], ours["max"],
                     ours["cards"]]
            is_near = abs(ours["std"] - theirs[5]) <= 1e-9 * max(1, theirs[5])
            if exact != theirs[:5] + theirs[6:] or not is_near:
                sys.exit(f"store {store} differs: {ours}, but {theirs}")


def is_equal(one, other):
    """Whether two rivals agree; their deviations are rounded in different ways."""
    def rounded(report):
        stores = {store: [row[:5] + [round(row[5], 6)] + row[6:] for row in rows]
                  for store, rows in report["stores"].items()}
        return report | {"stores": stores}
    return rounded(one) == rounded(other)


def machine():
    """Names the processor and the commit."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
                 platform.processor())
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True).stdout.strip()
    return f"{model}, {os.cpu_count()} processors; commit {commit or 'unknown'}"


def compare(options, folder, temporary):
    """Generates the file if it is not there, runs everybody, and prints the table."""
    environment = dict(os.environ, NIGHTSHARD_CARD_KEY="5a" * 32,
                       POLARS_MAX_THREADS=str(options.threads))
    name = f"{options.layout}-{options.rows}-{options.stores}-{options.cards}"
    source = folder / f"{name}.csv"
    if not source.exists():
        subprocess.check_call([options.binary, "generate", "--quiet", "--layout", options.layout,
                               "--stores", str(options.stores), "--cards", str(options.cards),
                               "--transactions", str(options.rows), "--output", source])

    # Nothing is hidden, so that what is said of the market can be held against the rivals'.
    config = temporary / "nightshard.toml"
    config.write_text("[privacy]\nk = 1\n")

    def build(repository, memory):
        return [options.binary, "build", "--quiet", "--input", source, "--layout", options.layout,
                "--threads", str(options.threads), "--memory", memory, "--config", config,
                "--output", repository]

    def rival(program, way):
        date, amount, factor = COLUMNS[options.layout]
        return [sys.executable, "-c", program + REPORT, source, str(options.threads), date, amount,
                str(factor), way]

    seen = {}
    for run in range(options.runs):
        repository = temporary / f"repository-{run}"
        commands = {
            "nightshard": build(repository, options.memory),
            "duckdb, two queries": rival(DUCKDB, "queries"),
            "duckdb, loaded first": rival(DUCKDB, "table"),
            "polars, two queries": rival(POLARS, "queries"),
            "polars, loaded first": rival(POLARS, "table"),
        }
        reports = []
        for who, command in commands.items():
            output, *figures = measure(command, environment)
            seen.setdefault(who, []).append(figures)
            if output.strip():
                reports.append(json.loads(output))
        if not all(is_equal(report, reports[0]) for report in reports):
            sys.exit(f"the rivals differ: {reports}")
        check(options.binary, repository, reports[0])
    print(f"{options.layout}: {options.rows:,} rows, {source.stat().st_size / 1e9:.2f} GB, "
          f"{options.stores:,} stores, {options.cards:,} cards, {options.threads} threads; "
          f"medians of {options.runs}; {machine()}")
    print(f"{'':22}{'wall s':>10}{'cpu s':>10}{'peak MiB':>10}{'ratio':>8}")
    medians = {who: [statistics.median(column) for column in zip(*figures)]
               for who, figures in seen.items()}
    ours = medians["nightshard"][0]
    for who, (wall, cpu, memory) in medians.items():
        print(f"{who:22}{wall:10.2f}{cpu:10.2f}{memory:10.0f}{wall / ours:8.2f}")
    peak = anonymous_peak(build(temporary / "small", "256MiB"), environment)
    print(f"--memory 256MiB: peak of anonymous memory {peak:.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    parser.add_argument("--binary", default=f"{target}/release/nightshard")
    parser.add_argument("--layout", choices=COLUMNS, default="canonical")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--stores", type=int, default=20_000)
    parser.add_argument("--cards", type=int, default=2_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="4GiB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", help="where the generated file is kept for another time")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.rows, options.stores, options.cards, options.runs = 20_000, 100, 2_000, 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        compare(options, folder, Path(temporary))


if __name__ == "__main__":
    main()
