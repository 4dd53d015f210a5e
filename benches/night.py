#!/usr/bin/env python3
"""One more day on a year: what travels, and how long it takes until all servers serve it.

Needs a build of nightshard (--binary) and the test servers: tests/servers/run starts them.

    tests/servers/run benches/night.py                        S3, 20 million rows of 20,000 stores
    tests/servers/run benches/night.py --runs 256             the same in more, smaller shards
    tests/servers/run benches/night.py --storage hdfs         the same on HDFS
    tests/servers/run benches/night.py --smoke                a few rows: does it work?

A year of generated transactions but for its last day is published, and three servers serve it, each
from a cache of its own. Then the last day is delivered: once by itself, once with rows of earlier days
that were late, a hundredth of what the day has, from any day of the year. Each is built from all rows,
published beside the year and selected on the servers. What was uploaded and fetched is compared with
the size of the generation.
"""

import argparse
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cluster import BUCKET, ROOT, Nightshard, Server

LAST_DAY = "2018-12-31"
LATE_SHARE = 0.01


def generate(nightshard, folder, rows, stores, cards):
    """Returns the files of the year before its last day, of that day, and of what was late."""
    whole, *parts = (folder / name for name in ("whole.csv", "year.csv", "day.csv", "late.csv"))
    subprocess.run([nightshard.binary, "generate", "--layout", "canonical", "--stores", str(stores),
                    "--cards", str(cards), "--transactions", str(rows), "--from", "2018-01-01",
                    "--to", LAST_DAY, "--seed", "1", "--output", whole, "--quiet"],
                   check=True, env=nightshard.environment)
    late = random.Random(1).sample(range(rows), k=max(1, round(rows / 365 * LATE_SHARE)))
    late = set(late)
    with open(whole) as lines:
        year, day, delayed = (open(part, "w") for part in parts)
        header = next(lines)
        at = header.strip().split(",").index("ts")
        for file in (year, day, delayed):
            file.write(header)
        for number, line in enumerate(lines):
            if line.split(",", at + 1)[at].startswith(LAST_DAY):
                day.write(line)
            else:
                (delayed if number in late else year).write(line)
        for file in (year, day, delayed):
            file.close()
    whole.unlink()
    return parts


def bytes_below(folder):
    return sum(size_of(Path(parent) / name) for parent, _, names in os.walk(folder)
               for name in names)


def size_of(path):
    """Returns the size of a file, 0 if a server has renamed or removed it meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Scenario:
    """A repository that has the year, and servers that serve it."""

    def __init__(self, nightshard, folder, uri, name, year):
        self.nightshard, self.uri = nightshard, f"{uri}-{name}"
        self.local = folder / f"local-{name}"
        self.build([year])
        nightshard.run("publish", self.local, self.uri)
        self.caches = [folder / f"cache-{name}-{at}" for at in range(3)]
        self.servers = [Server(nightshard, self.uri, cache) for cache in self.caches]

    def build(self, inputs):
        """Makes the generation of the inputs the local repository's current one."""
        return self.nightshard.run(
            "build", "--layout", "canonical", "--output", self.local, "--no-gate", "--quiet",
            "--config", self.nightshard.config, "--input", *inputs)

    def deliver(self, inputs):
        """Builds, publishes and selects; returns a row of the table."""
        built, build_seconds = self.build(inputs)
        before = [bytes_below(cache) for cache in self.caches]
        admins = ",".join(server.admin for server in self.servers)
        done, seconds = self.nightshard.run("publish", self.local, self.uri, "--servers", admins)
        if any(server["after_ms"] is None for server in done["servers"]):
            sys.exit(f"not served: {done['servers']}")
        fetched = [bytes_below(cache) - was for cache, was in zip(self.caches, before)]
        total = done["bytes_new"] + done["bytes_present"]
        blobs = done["blobs_new"] + done["blobs_present"]
        return (built["rows"]["used"], total, blobs, done["blobs_new"], done["bytes_new"],
                max(fetched), build_seconds, seconds)

    def stop(self):
        for server in self.servers:
            server.process.terminate()
            server.process.wait()
        for cache in self.caches:
            shutil.rmtree(cache, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=None)
    parser.add_argument("--storage", choices=["s3", "hdfs"], default="s3")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--stores", type=int, default=20_000)
    parser.add_argument("--cards", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.rows, options.stores, options.cards = 20_000, 20, 500
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    binary = options.binary or Path(target) / "release/nightshard"
    variable = f"NIGHTSHARD_TEST_{options.storage.upper()}"
    if variable not in os.environ:
        sys.exit(f"{variable} is not set: run this by tests/servers/run")
    folder = Path(tempfile.mkdtemp(prefix="nightshard-night-"))
    nightshard = Nightshard(str(binary), folder)
    nightshard.config.write_text(f"[shards]\nruns = {options.runs}\n")
    if options.storage == "s3":
        nightshard.environment.update(AWS_ENDPOINT_URL=os.environ[variable],
                                      AWS_REGION="us-east-1")
        uri = f"s3://{BUCKET}/night-{os.getpid()}"
    else:
        uri = f"{os.environ[variable]}/night-{os.getpid()}"
    try:
        year, day, late = generate(nightshard, folder, options.rows, options.stores, options.cards)
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], text=True,
                                capture_output=True).stdout.strip()
        print(f"{options.storage}, {platform.processor() or platform.machine()}, "
              f"{os.cpu_count()} processors, commit {commit}, {options.stores} stores, "
              f"{options.runs} runs\n")
        print("| delivered | rows | MB, blobs | uploaded, blobs | fetched by a server | build s "
              "| built to served s |\n|---|---|---|---|---|---|---|")
        for name, inputs in {"day": [year, day], "late": [year, day, late]}.items():
            scenario = Scenario(nightshard, folder, uri, name, year)
            try:
                rows, total, blobs, new, uploaded, fetched, build, served = scenario.deliver(inputs)
            finally:
                scenario.stop()
            text = {"day": "the last day", "late": "and 1 % late rows"}[name]
            print(f"| {text} | {rows:,} | {total / 1e6:.1f}, {blobs} "
                  f"| {uploaded / 1e6:.1f} MB ({uploaded / total:.1%}), {new} "
                  f"| {fetched / 1e6:.1f} MB ({fetched / total:.1%}) | {build:.2f} | {served:.2f} |",
                  flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
