#!/usr/bin/env python3
"""Runs Nightshard and its rivals on the same keys and values, and prints one table.

Called by benches/store.sh, which builds what this needs. Each rival builds and is measured in a
process of its own; measurements are medians of runs that take turns among all rivals, unless
--one-by-one has each rival's table removed before the next one's is built.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

RIVALS = ["nightshard", "hashbrown", "perfect-hash", "fst", "lmdb", "redb", "rocksdb",
          "rocksdb-plain", "sparkey", "keyvi"]
# Measured in huge pages, too: those whose memory or maps can be.
HUGE = {"nightshard", "hashbrown", "perfect-hash", "fst", "lmdb", "rocksdb", "rocksdb-plain",
        "sparkey"}
COLD = ["nightshard", "lmdb", "rocksdb"]
LABELS = {"hashbrown": "hashbrown (memory)", "perfect-hash": "perfect hash (memory, unverified)",
          "rocksdb-plain": "rocksdb, plain table", "keyvi": "keyvi (Python loop)"}
LOOKUPS = ["hit", "miss", "dependent", "zipf-hit", "zipf-miss", "zipf-dependent", "batch-hit",
           "batch-miss", "batch-zipf"]
SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


def number(text):
    """Reads 10M as ten million."""
    digits = text.rstrip("kMG")
    return int(float(digits) * SUFFIXES[text[len(digits):]])


class Bench:
    """What is the same for all rivals."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder

    def folder_of(self, rival):
        return self.folder / rival

    def call(self, rival, command, *arguments, huge=False, memory=None):
        """Runs a command for a rival; returns what it prints."""
        dataset = [str(self.options.keys), str(self.options.value)]
        folder = str(self.folder_of(rival))
        if rival == "keyvi":
            values = [argument for argument in arguments if not argument.startswith("--")]
            program = [sys.executable, str(HERE / "keyvi_rival.py"), command, self.options.binary,
                       *dataset, folder, *values]
        else:
            program = [self.options.binary, "--keys", dataset[0], "--value", dataset[1], command,
                       rival, folder, *arguments]
        environment = dict(os.environ)
        if huge:
            program.append("--huge")
            # Has malloc advise huge pages, as the maps of files are.
            environment["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
        enter = (lambda: memory.enter()) if memory else None
        output = subprocess.run(program, env=environment, stdout=subprocess.PIPE, check=True,
                                preexec_fn=enter).stdout
        return json.loads(output)

    def build(self, rival):
        print(f"building {rival}", file=sys.stderr)
        self.remove(rival)
        self.folder_of(rival).mkdir(parents=True)
        return self.call(rival, "build")

    def measure(self, rival, rounds, seed, huge):
        """Returns what so many rounds of one process tell."""
        print(f"measuring {rival}{', huge pages' if huge else ''}", file=sys.stderr)
        seen = self.call(rival, "measure", "--lookups", str(self.options.lookups), "--rounds",
                         str(rounds), "--seed", str(seed), huge=huge)
        return [seen | {"ns": ns} for ns in seen["ns"]]

    def remove(self, rival):
        shutil.rmtree(self.folder_of(rival), ignore_errors=True)


class MemoryLimit:
    """A control group of either version whose processes and their page cache are limited."""

    def __init__(self, limit):
        root = Path("/sys/fs/cgroup")
        is_v2 = (root / "cgroup.controllers").exists()
        self.group = (root if is_v2 else root / "memory") / f"nightshard-bench-{os.getpid()}"
        self.group.mkdir()
        names = ["memory.max"] if is_v2 else ["memory.limit_in_bytes"]
        for name in names:
            (self.group / name).write_text(str(limit))

    def enter(self):
        (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def close(self):
        self.group.rmdir()


def significant(value, digits=3):
    """Rounds to so many digits."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - int(f"{value:e}".split("e")[1]))
    return f"{value:.{decimals}f}"


def median(results, take):
    values = [value for value in map(take, results) if value is not None]
    return statistics.median(values) if values else None


def spread(results):
    """The largest distance of runs of one figure, relative to its median, in percent."""
    worst = 0
    for name in results[0]["ns"]:
        values = [result["ns"][name] for result in results]
        worst = max(worst, (max(values) - min(values)) / statistics.median(values))
    return worst * 100


def row(rival, huge, built, results, keys):
    """A row of the table."""
    first = results[0]
    in_memory = first["in_memory"]
    took = median(results, lambda one: one["open_s"]) if in_memory else built["build_s"]
    peak = median(results, lambda one: one["peak_bytes"]) if in_memory else built["peak_bytes"]
    index = median(results, lambda one: one["index_bytes"])
    opened = None if in_memory else median(results, lambda one: one["open_s"]) * 1e3
    size = None if in_memory else built["file_bytes"] / 1e9
    figures = [median(results, lambda one, name=name: one["ns"].get(name)) for name in LOOKUPS]
    columns = [LABELS.get(rival, rival) + (", huge pages" if huge else "")]
    columns += ["" if figure is None else f"{figure:.0f}" for figure in figures]
    columns += [significant(index and index / keys), significant(size), significant(took),
                significant(peak / 1e9), significant(opened),
                f"{median(results, lambda one: one['huge_bytes']) / 1e9:.1f}",
                f"{spread(results):.0f}"]
    return "| " + " | ".join(columns) + " |"


HEADS = ["", "hit", "miss", "dependent", "Zipf hit", "Zipf miss", "Zipf dependent", "batch hit",
         "batch miss", "batch Zipf", "index B/key", "file GB", "build s", "build peak GB",
         "open ms", "in huge pages GB", "spread %"]


def print_head(heads):
    print("| " + " | ".join(heads) + " |")
    print("|---" + "|---:" * (len(heads) - 1) + "|")


def machine():
    """Names the processor, the memory, the kernel and the commit."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines
                  if line.startswith("model name")), platform.processor())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"],
                            capture_output=True, text=True).stdout.strip()
    return (f"{model}, {os.cpu_count()} processors, {memory:.0f} GiB, Linux {platform.release()}; "
            f"commit {commit or 'unknown'}")


def variants(rival, options):
    """Without and with huge pages."""
    return [False, True] if rival in HUGE and options.huge else [False]


def warm(bench, options):
    """Everything in memory."""
    order = "each rival's in one process" if options.one_by_one else "taking turns"
    print(f"{options.keys:,} keys of 16 B, values of {options.value:,} B, {options.lookups:,} "
          f"lookups each, ns a lookup: medians of {options.runs} runs, {order}. {machine()}\n")
    print_head(HEADS)
    groups = [[rival] for rival in options.rivals] if options.one_by_one else [options.rivals]
    runs, rounds = (1, options.runs) if options.one_by_one else (options.runs, 1)
    for rivals in groups:
        built = {rival: bench.build(rival) for rival in rivals}
        results = {}
        for run in range(runs):
            for rival in rivals:
                for huge in variants(rival, options):
                    seen = bench.measure(rival, rounds, run, huge)
                    results.setdefault((rival, huge), []).extend(seen)
        for (rival, huge), measured in results.items():
            print(row(rival, huge, built[rival], measured, options.keys), flush=True)
        for rival in rivals:
            bench.remove(rival)


def cold(bench, options):
    """Much less memory than data."""
    limit = number(options.memory)
    print(f"{options.keys:,} keys of 16 B, values of {options.value:,} B, in a control group of "
          f"{options.memory} B of memory: medians of {options.runs} runs. {machine()}\n")
    print_head(["", "file GB", "open ms", "first lookup ms", "lookup us", "read B a lookup",
                "build s", "build peak GB", "spread %"])
    for rival in options.rivals:
        built = bench.build(rival)
        results = []
        for run in range(options.runs):
            print(f"run {run + 1}: {rival}", file=sys.stderr)
            group = MemoryLimit(limit)
            try:
                results.append(bench.call(rival, "cold", "--seconds", str(options.seconds),
                                          "--seed", str(run), memory=group))
            finally:
                group.close()
        bench.remove(rival)
        columns = [median(results, lambda one, name=name: one[name])
                   for name in ("open_s", "first_s", "ns", "read_bytes")]
        times = [result["ns"] for result in results]
        figures = [built["file_bytes"] / 1e9, columns[0] * 1e3, columns[1] * 1e3, columns[2] / 1e3,
                   columns[3], built["build_s"], built["peak_bytes"] / 1e9,
                   (max(times) - min(times)) / statistics.median(times) * 100]
        print("| " + " | ".join([rival] + [significant(figure) for figure in figures]) + " |",
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     prog="benches/store.sh")
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--keys", type=number, default=None, help="10M unless told; cold: 20M")
    parser.add_argument("--value", type=number, default=None, help="bytes: 100; cold: 1k")
    parser.add_argument("--rivals", help=f"of {','.join(RIVALS)}")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lookups", type=number, default=1_000_000)
    parser.add_argument("--no-huge", dest="huge", action="store_false",
                        help="leave out the runs in huge pages")
    parser.add_argument("--one-by-one", action="store_true",
                        help="for want of disk: remove a rival's table before the next one's")
    parser.add_argument("--cold", action="store_true", help="with little memory")
    parser.add_argument("--memory", default="1G", help="cold: bytes of memory (a decimal unit)")
    parser.add_argument("--seconds", type=int, default=20, help="cold: to look keys up, twice")
    parser.add_argument("--folder", help="where the tables are built: on a disk, in a file system "
                                         "of which files can be in huge pages (ext4, XFS)")
    parser.add_argument("--smoke", action="store_true", help="a few keys: does it work?")
    options = parser.parse_args()
    everyone = COLD if options.cold else RIVALS
    options.rivals = options.rivals.split(",") if options.rivals else everyone
    if options.smoke:
        options.keys, options.lookups, options.runs, options.seconds = 20_000, 1_000, 1, 1
    options.keys = options.keys or (20_000_000 if options.cold else 10_000_000)
    options.value = options.value or (1_000 if options.cold else 100)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench = Bench(options, Path(folder))
        (cold if options.cold else warm)(bench, options)


if __name__ == "__main__":
    main()
