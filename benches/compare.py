#!/usr/bin/env python3
"""Nightshard's build beside DuckDB and Polars on the same transactions, in the same run.

Each of them computes, from one CSV file: count, sum, minimum, maximum, standard deviation and
distinct cards for every store and month, and a histogram of 32 bins for every store. Nightshard
builds a whole generation, so it computes more: any range of days, the market, rankings, search.

Prints a table of medians over interleaved runs: wall time, processor time, peak resident memory.
Needs the Python packages duckdb and polars, and a release build of nightshard.

    benches/compare.py                  20 M rows, 20,000 stores, 2 M cards, 2 threads, 3 runs
    benches/compare.py --smoke          a few rows, once: does it work, and do all agree?
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

DUCKDB = """
import duckdb, json, sys
path, threads = sys.argv[1], sys.argv[2]
db = duckdb.connect()
db.execute(f"set threads={threads}; set enable_progress_bar=false")
types = "{'store_id': 'VARCHAR', 'card_id': 'VARCHAR', 'ts': 'VARCHAR', 'amount_minor': 'BIGINT'}"
source = f"read_csv('{path}', header=true, delim=',', types={types})"
db.execute(f'''create table months as select store_id, substr(ts, 1, 7) as month, count(*) as n,
    sum(amount_minor) as s, min(amount_minor) as low, max(amount_minor) as high,
    stddev_pop(amount_minor) as std, count(distinct card_id) as cards
    from {source} group by 1, 2''')
db.execute(f'''create table bins as with ends as (
    select store_id, min(low) as low, max(high) as high from months group by 1)
    select store_id, (amount_minor - low) * 32 // (high - low + 1) as bin, count(*) as n
    from {source} join ends using (store_id) group by 1, 2''')
n, s, cards = db.execute("select sum(n), sum(s), sum(cards) from months").fetchone()
binned = db.execute("select sum(n) from bins").fetchone()[0]
print(json.dumps({"n": int(n), "sum": int(s), "cards": int(cards), "binned": int(binned)}))
"""

POLARS = """
import json, sys
import polars as pl
path = sys.argv[1]
rows = pl.scan_csv(path, schema_overrides={"ts": pl.String})
amount = pl.col("amount_minor")
months = (rows.select("store_id", pl.col("ts").str.slice(0, 7).alias("month"), "card_id", amount)
    .group_by("store_id", "month").agg(pl.len().alias("n"), amount.sum().alias("s"),
        amount.min().alias("low"), amount.max().alias("high"), amount.std(ddof=0).alias("std"),
        pl.col("card_id").n_unique().alias("cards"))
    .collect(engine="streaming"))
ends = months.lazy().group_by("store_id").agg(pl.col("low").min(), pl.col("high").max())
bin = (amount - pl.col("low")) * 32 // (pl.col("high") - pl.col("low") + 1)
bins = (rows.select("store_id", amount).join(ends, on="store_id")
    .group_by("store_id", bin.alias("bin")).agg(pl.len().alias("n"))
    .collect(engine="streaming"))
print(json.dumps({"n": int(months["n"].sum()), "sum": int(months["s"].sum()),
    "cards": int(months["cards"].sum()), "binned": int(bins["n"].sum())}))
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


def check(binary, repository, reference):
    """Holds Nightshard's totals against a rival's."""
    shown = subprocess.check_output(
        [binary, "inspect", repository, "--dataset", "markets", "--key", "all", "--json"])
    ours = json.loads(shown)
    months = ours["value"]["summary"]["months"]
    n = sum(month["count"] for month in months)
    total = sum(int(month["sum"]) for month in months)
    if (n, total) != (reference["n"], reference["sum"]) or reference["binned"] != n:
        sys.exit(f"totals differ: {n} rows, sum {total}, but {reference}")


def machine():
    """Names the processor and the commit."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
                 platform.processor())
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True).stdout.strip()
    return f"{model}, {os.cpu_count()} processors; commit {commit or 'unknown'}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    parser.add_argument("--binary", default=f"{target}/release/nightshard")
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


def compare(options, folder, temporary):
    environment = dict(os.environ, NIGHTSHARD_CARD_KEY="5a" * 32,
                       POLARS_MAX_THREADS=str(options.threads))
    source = folder / f"{options.rows}-{options.stores}-{options.cards}.csv"
    if not source.exists():
        subprocess.check_call([options.binary, "generate", "--quiet", "--stores", str(options.stores),
                               "--cards", str(options.cards), "--transactions", str(options.rows),
                               "--output", source])
    seen = {"nightshard": [], "duckdb": [], "polars": []}
    for run in range(options.runs):
        repository = temporary / f"repository-{run}"
        commands = {
            "nightshard": [options.binary, "build", "--quiet", "--input", source, "--threads",
                           str(options.threads), "--memory", options.memory, "--output", repository],
            "duckdb": [sys.executable, "-c", DUCKDB, str(source), str(options.threads)],
            "polars": [sys.executable, "-c", POLARS, str(source)],
        }
        results = {}
        for name, command in commands.items():
            output, *figures = measure(command, environment)
            seen[name].append(figures)
            if output.strip():
                results[name] = json.loads(output)
        if results["duckdb"] != results["polars"]:
            sys.exit(f"the rivals differ: {results}")
        check(options.binary, repository, results["duckdb"])
    print(f"{options.rows:,} rows, {source.stat().st_size / 1e9:.2f} GB, {options.stores:,} stores, "
          f"{options.cards:,} cards, {options.threads} threads; medians of {options.runs}; {machine()}")
    print(f"{'':12}{'wall s':>10}{'cpu s':>10}{'peak MiB':>10}{'ratio':>8}")
    medians = {name: [statistics.median(column) for column in zip(*figures)]
               for name, figures in seen.items()}
    ours = medians["nightshard"][0]
    for name, (wall, cpu, memory) in medians.items():
        print(f"{name:12}{wall:10.2f}{cpu:10.2f}{memory:10.0f}{wall / ours:8.2f}")


if __name__ == "__main__":
    # A child's peak memory counts what it inherits: keep this process small.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
