#!/usr/bin/env python3
"""How fast generations are published to S3 and fetched from it, beside other programs that copy files.

    benches/transfer.py              a few hundred small blobs, and four of 256 MB; medians of 3 rounds
    benches/transfer.py --smoke      a few, once: does it work?

Starts SeaweedFS on loopback (tests/servers/install brings it). Per round, and in another order each
time, the same files are stored and fetched by each program:

  nightshard   `publish`; and `serve` with an empty cache, until it serves: that is fetched, written,
               synced, read back from disk, compared with digests and verified
  aws          `aws s3 cp --recursive`, as it comes (PyPI awscli, in a venv of the cache)
  weed         `weed filer.copy`, SeaweedFS's own program, to its own interface

`verify` of the local repository is what of `serve` is no transfer. Prints a Markdown table: MB (10^6
bytes) a second of wall time, and processor seconds of the program without the server.
"""

import argparse
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nightshard"
SERVERS = Path(os.environ.get("NIGHTSHARD_SERVERS") or CACHE / "servers")
AWSCLI = "awscli==1.46.3"
# The one that the test server has.
BUCKET = "nightshard"


class Server:
    """SeaweedFS, on a folder of its own."""

    def __init__(self, folder):
        folder.mkdir()
        self.process = subprocess.Popen([ROOT / "tests/servers/s3", folder])
        for _ in range(600):
            if (folder / "url").exists():
                break
            time.sleep(0.1)
        else:
            sys.exit("the server does not start")
        self.url = (folder / "url").read_text().strip()
        ports = (folder / "ports").read_text().split()
        # Its own interface, and beside it the port that its own programs need, too.
        self.filer = f"http://127.0.0.1:{ports[6]}.{ports[7]}"

    def stop(self):
        self.process.terminate()
        self.process.wait()


def run(command, environment, until=None):
    """Runs a command, or a server until it prints a line that begins so; returns wall and CPU seconds."""
    begun = time.monotonic()
    child = subprocess.Popen([str(part) for part in command], env=environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, ended = [], None
    for line in child.stdout:
        said.append(line)
        if until and line.startswith(until):
            ended = time.monotonic()
            child.terminate()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    if ended is None and (until or status != 0):
        sys.exit(f"{' '.join(map(str, command))}: {''.join(said)[-2000:]}")
    return (ended or time.monotonic()) - begun, usage.ru_utime + usage.ru_stime


def environment_of(server):
    """Returns the variables by which programs find the server, and nothing else of AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtest", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": server.url,
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "NIGHTSHARD_CARD_KEY": "5a" * 32,
        "RUST_LOG": "warn",
    }


def install_aws():
    """Returns the program `aws`, of a venv of its own."""
    venv = CACHE / "transfer-venv"
    pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not (venv / "bin/aws").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([*pip, AWSCLI], check=True)
    return venv / "bin/aws"


def make_many(binary, folder, environment, smoke):
    """Builds a generation of generated transactions: hundreds of blobs of a megabyte or so."""
    stores, cards, rows = (20, 500, 20_000) if smoke else (4_000, 400_000, 16_000_000)
    rows_file, local = folder / "rows.csv", folder / "many"
    run([binary, "generate", "--layout", "canonical", "--stores", stores, "--cards", cards,
         "--transactions", rows, "--seed", 1, "--output", rows_file, "--quiet"], environment)
    run([binary, "build", "--layout", "canonical", "--input", rows_file, "--output", local, "--quiet"],
        environment)
    rows_file.unlink()
    return local


def make_large(binary, folder, environment, smoke):
    """Packs a table into four blobs of 256 MB."""
    value_bytes, rows = (1_000, 4_000) if smoke else (100_000, 10_240)
    table, local, source = folder / "table.tsv", folder / "large", random.Random(1)
    with open(table, "w") as file:
        file.write("key\tvalue\n")
        for row in range(rows):
            file.write(f"key-{row}\t{source.randbytes(value_bytes // 2).hex()}\n")
    run([binary, "pack", "--input", table, "--dataset", "table", "--key", "key", "--value", "value",
         "--as-of", "2018-03-05", "--shards", 4, "--output", local, "--quiet"], environment)
    table.unlink()
    return local


class Round:
    """One server, and what each program does with it."""

    def __init__(self, binary, aws, server, folder, name, local):
        self.binary, self.aws, self.server, self.folder = binary, aws, server, folder
        self.name, self.blobs, self.local = name, local / "blobs", local
        self.environment = environment_of(server)
        self.repository = f"s3://{BUCKET}/{name}-nightshard"
        self.copied = f"s3://{BUCKET}/{name}-aws/"

    def stores(self):
        """Returns what stores the files, by program."""
        programs = {
            "nightshard": [self.binary, "publish", self.local, self.repository, "--quiet"],
            "weed": [SERVERS / "s3/bin/weed", "filer.copy", self.blobs,
                     f"{self.server.filer}/buckets/{BUCKET}/{self.name}-weed/"],
        }
        if self.aws:
            programs["aws"] = [self.aws, "s3", "cp", "--recursive", "--only-show-errors", self.blobs,
                               self.copied]
        return programs

    def store(self, program):
        return run(self.stores()[program], self.environment)

    def fetch(self, program):
        target = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            if program == "aws":
                return run([self.aws, "s3", "cp", "--recursive", "--only-show-errors", self.copied,
                            target], self.environment)
            return run([self.binary, "serve", "--from", self.repository, "--listen", "127.0.0.1:0",
                        "--cache", target], self.environment, until="serving generation ")
        finally:
            shutil.rmtree(target)

    def verify(self):
        return run([self.binary, "verify", self.local, "--quiet"], self.environment)


def measure(binary, aws, folder, sets, rounds):
    """Returns measurements by (set, operation, program)."""
    found = {}
    for at in range(rounds):
        server = Server(folder / f"server-{at}")
        try:
            for name, local in sets.items():
                step = Round(binary, aws, server, folder, name, local)
                programs = sorted(step.stores())
                # Nobody is always the first.
                programs = programs[at % len(programs):] + programs[:at % len(programs)]
                for program in programs:
                    found.setdefault((name, "store", program), []).append(step.store(program))
                for program in programs:
                    if program != "weed":
                        found.setdefault((name, "fetch", program), []).append(step.fetch(program))
                found.setdefault((name, "local verify", "nightshard"), []).append(step.verify())
        finally:
            server.stop()
            shutil.rmtree(folder / f"server-{at}")
    return found


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ")[1]
    return platform.machine()


def report(found, sets, rounds):
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], text=True,
                            capture_output=True).stdout.strip()
    print(f"{processor()}, {os.cpu_count()} processors, Linux {platform.release()}, commit {commit}, "
          f"medians of {rounds}\n")
    print("| files | | program | MB/s | s | CPU s |\n|---|---|---|---:|---:|---:|")
    for (name, operation, program), runs in found.items():
        sizes = [path.stat().st_size for path in (sets[name] / "blobs").iterdir()]
        wall = statistics.median(wall for wall, _ in runs)
        cpu = statistics.median(cpu for _, cpu in runs)
        files = f"{len(sizes)} of {sum(sizes) / 1e6:.1f} MB"
        print(f"| {files} | {operation} | {program} | {sum(sizes) / 1e6 / wall:.0f} | {wall:.2f} "
              f"| {cpu:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="little, once, without aws")
    options = parser.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.binary or target / "release/nightshard"
    rounds = 1 if options.smoke else options.rounds
    subprocess.run([ROOT / "tests/servers/install", "s3"], check=True)
    aws = None if options.smoke else install_aws()
    folder = Path(tempfile.mkdtemp(prefix="nightshard-transfer-"))
    try:
        environment = dict(os.environ, NIGHTSHARD_CARD_KEY="5a" * 32)
        sets = {"many": make_many(binary, folder, environment, options.smoke),
                "large": make_large(binary, folder, environment, options.smoke)}
        report(measure(binary, aws, folder, sets, rounds), sets, rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
