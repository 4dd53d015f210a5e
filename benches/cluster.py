#!/usr/bin/env python3
"""Three servers behind nginx, fed from object storage: switched and rolled back under load.

Needs nginx, a build of nightshard (--binary), and the test servers: tests/servers/run starts them.

    tests/servers/run benches/cluster.py                      S3, 100 switches
    tests/servers/run benches/cluster.py --storage hdfs       the same on HDFS
    tests/servers/run benches/cluster.py --smoke              a few switches: does it work?

Two generations are published: generated transactions of a year, and the same with one more day.
What travelled is compared with the size of the whole. Then servers that are prepared are switched to
and fro by `select --servers` and `rollback --servers`, while clients ask through the proxy, which
tries another server where one answers 503. Half of the clients send Nightshard-At-Least.

Prints a table, and stops if a request failed, if an answer contradicts its own generation, or if
time ran backwards for a client that sends Nightshard-At-Least.
"""

import argparse
import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "/v1/markets/all/statistics?group_by=all"
# The one that the test server has.
BUCKET = "nightshard"

NGINX = """
daemon off; pid {folder}/nginx.pid; worker_processes 1; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream servers {{ {servers} keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://servers; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host localhost;
            proxy_next_upstream error timeout http_503; proxy_next_upstream_tries 3;
        }}
    }}
}}
"""


class Nightshard:
    """The program, in an environment with a card key."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.environment = dict(os.environ, NIGHTSHARD_CARD_KEY="5a" * 32, RUST_LOG="warn")
        self.config = folder / "nightshard.toml"
        self.config.write_text("[privacy]\nk = 1\n[server]\nkeep_mapped = 2\n")

    def run(self, *arguments):
        """Runs a command and returns what it prints as JSON, and how long it took."""
        begun = time.monotonic()
        done = subprocess.run([self.binary, *map(str, arguments), "--json"], text=True,
                              env=self.environment, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{arguments}: exit code {done.returncode}: {done.stderr}")
        return json.loads(done.stdout), time.monotonic() - begun


class Server:
    """A server as a process, with its own cache."""

    def __init__(self, nightshard, uri, cache):
        command = [nightshard.binary, "serve", "--from", uri, "--listen", "127.0.0.1:0", "--admin",
                   "127.0.0.1:0", "--cache", str(cache), "--config", str(nightshard.config)]
        self.process = subprocess.Popen(command, env=nightshard.environment, text=True,
                                        stdout=subprocess.PIPE)
        lines = iter(self.process.stdout.readline, "")
        for line in lines:
            if line.startswith("listening on http://"):
                self.address = line.strip().removeprefix("listening on http://")
            if line.startswith("admin on "):
                self.admin = line.strip().removeprefix("admin on ")
            if line.startswith("serving generation "):
                break
        # Whoever does not read on would stop it in the end.
        threading.Thread(target=lambda: list(lines), daemon=True).start()


class Client(threading.Thread):
    """Asks through the proxy until told to stop."""

    def __init__(self, port, sends_at_least, truth, stop):
        super().__init__()
        self.port, self.sends_at_least, self.truth, self.stop = port, sends_at_least, truth, stop
        self.answers, self.problems = [], []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        seen = 0
        while not self.stop.is_set():
            headers = {"Nightshard-At-Least": str(seen)} if self.sends_at_least and seen else {}
            begun = time.monotonic()
            try:
                connection.request("GET", QUESTION, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
            except OSError as error:
                self.problems.append(f"no answer: {error}")
                connection.close()
                continue
            ended = time.monotonic()
            if answer.status != 200:
                self.problems.append(f"status {answer.status}: {body[:200]}")
                continue
            selection = int(answer.headers["Nightshard-Selection"])
            document = json.loads(body)
            count = document["data"]["rows"][0]["count"]
            if self.truth[document["generation"]] != count:
                self.problems.append(f"{document['generation']} counts {count}")
            if self.sends_at_least and selection < seen:
                self.problems.append(f"selection {selection} after {seen}")
            seen = max(seen, selection)
            self.answers.append((begun, ended, selection))


def generate(nightshard, folder, smoke):
    """Returns a year of transactions, and the same with one more day."""
    stores, cards, rows = (20, 500, 20_000) if smoke else (2_000, 200_000, 4_000_000)
    whole, year, day = (folder / name for name in ("whole.csv", "year.csv", "day.csv"))
    subprocess.run([nightshard.binary, "generate", "--layout", "canonical", "--stores", str(stores),
                    "--cards", str(cards), "--transactions", str(rows), "--from", "2018-01-01",
                    "--to", "2018-12-31", "--seed", "1", "--output", whole, "--quiet"],
                   check=True, env=nightshard.environment)
    with open(whole) as rows, open(year, "w") as before, open(day, "w") as last:
        header = next(rows)
        before.write(header)
        last.write(header)
        at = header.strip().split(",").index("ts")
        for row in rows:
            is_last = row.split(",", at + 1)[at].startswith("2018-12-31")
            (last if is_last else before).write(row)
    return [year], [year, day]


def publish(nightshard, local, uri, inputs):
    """Builds a generation and publishes it; returns its id, the facts, and the seconds."""
    built, build_seconds = nightshard.run("build", "--layout", "canonical", "--output", local,
                                          "--config", nightshard.config, "--no-gate", "--quiet", "--input", *inputs)
    published, seconds = nightshard.run("publish", local, uri)
    return built["generation"], published, build_seconds, seconds


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] * 1000 if values else 0.0


def start_nginx(servers, folder):
    ports = subprocess.run([ROOT / "tests/servers/ports", "1"], check=True, capture_output=True)
    port = int(ports.stdout)
    upstream = " ".join(f"server {server.address} max_fails=0;" for server in servers)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, servers=upstream))
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    process = subprocess.Popen([nginx, "-c", config, "-p", folder])
    for _ in range(100):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return process, port
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit("nginx does not answer")


def switch(nightshard, uri, ids, servers, times):
    """Switches to and fro; returns when each command began and ended, and what servers said."""
    admins = ",".join(server.admin for server in servers)
    switches = []
    for at in range(times):
        target = ids[at % 2]
        # Every fourth is a rollback to a generation that is named.
        command = "rollback" if at % 4 == 3 else "select"
        begun = time.monotonic()
        done, _ = nightshard.run(command, uri, target, "--servers", admins)
        ended = time.monotonic()
        after = [server["after_ms"] for server in done["servers"]]
        if None in after:
            sys.exit(f"{command}: {done['servers']}")
        switches.append((command, begun, ended, done["selection"]["number"], max(after)))
        time.sleep(0.2)
    return switches


def windows(answers, switches):
    """For each switch: from the first answer of the new to the last of the old generation."""
    found = []
    for _, begun, ended, number, _ in switches:
        near = [it for it in answers if begun - 1 < it[0] < ended + 1]
        first_new = min((it[1] for it in near if it[2] >= number), default=None)
        last_old = max((it[1] for it in near if it[2] < number), default=None)
        if first_new is not None and last_old is not None:
            found.append(max(0.0, last_old - first_new) * 1000)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=None)
    parser.add_argument("--storage", choices=["s3", "hdfs"], default="s3")
    parser.add_argument("--switches", type=int, default=100)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    binary = options.binary or Path(target) / "release/nightshard"
    switches_wanted = 6 if options.smoke else options.switches
    folder = Path(tempfile.mkdtemp(prefix="nightshard-cluster-"))
    nightshard = Nightshard(str(binary), folder)
    server_variable = f"NIGHTSHARD_TEST_{options.storage.upper()}"
    if server_variable not in os.environ:
        sys.exit(f"{server_variable} is not set: run this by tests/servers/run")
    server = os.environ[server_variable]
    if options.storage == "s3":
        nightshard.environment.update(AWS_ENDPOINT_URL=server, AWS_REGION="us-east-1")
        uri = f"s3://{BUCKET}/repository-{os.getpid()}"
    else:
        uri = f"{server}/cluster-{os.getpid()}"
    running = []
    try:
        year, with_day = generate(nightshard, folder, options.smoke)
        first, whole, _, first_seconds = publish(nightshard, folder / "local", uri, year)
        servers = [Server(nightshard, uri, folder / f"cache{at}") for at in range(3)]
        running += [it.process for it in servers]
        second, more, build_seconds, more_seconds = publish(
            nightshard, folder / "local", uri, with_day)
        ids = [first, second]
        total = more["bytes_new"] + more["bytes_present"]
        process, port = start_nginx(servers, folder)
        running.append(process)
        truth = {}
        for id in ids:
            nightshard.run("select", uri, id, "--servers", ",".join(it.admin for it in servers))
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", QUESTION)
            document = json.loads(connection.getresponse().read())
            truth[id] = document["data"]["rows"][0]["count"]
        stop = threading.Event()
        clients = [Client(port, at % 2 == 0, truth, stop) for at in range(4)]
        for client in clients:
            client.start()
        time.sleep(0.2 if options.smoke else 10)
        begun = time.monotonic()
        switches = switch(nightshard, uri, ids, servers, switches_wanted)
        stop.set()
        for client in clients:
            client.join()
        problems = [it for client in clients for it in client.problems]
        if problems:
            sys.exit(f"{len(problems)} problems, such as: {problems[0]}")
        answers = [it for client in clients for it in client.answers]
        plain = [it for client in clients if not client.sends_at_least for it in client.answers]
        quiet = [ended - start for start, ended, _ in answers if ended < begun]
        during = [ended - start for start, ended, _ in answers
                  if any(a <= ended and start <= b for _, a, b, _, _ in switches)]
        found = windows(plain, switches)
        backs = [ended - start for command, start, ended, _, _ in switches if command == "rollback"]
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], text=True,
                                capture_output=True).stdout.strip()
        print(f"{options.storage}, {platform.processor() or platform.machine()}, "
              f"{os.cpu_count()} processors, commit {commit}")
        print(f"published: {whole['blobs_new']} blobs, {whole['bytes_new'] / 1e6:.1f} MB "
              f"in {first_seconds:.2f} s")
        print(f"one more day: {more['blobs_new']} of {more['blobs_new'] + more['blobs_present']} "
              f"blobs, {more['bytes_new'] / 1e6:.1f} of {total / 1e6:.1f} MB "
              f"({100 * more['bytes_new'] / total:.1f} %) in {more_seconds:.2f} s, built in "
              f"{build_seconds:.2f} s")
        print(f"{len(switches)} switches, {len(answers)} answers, none failed, none mixed, none back")
        print(f"p99 {percentile(quiet, 0.99):.2f} ms without, {percentile(during, 0.99):.2f} ms "
              f"during switches (p50 {percentile(quiet, 0.5):.2f}, {percentile(during, 0.5):.2f})")
        print(f"from the first new to the last old answer: median {statistics.median(found):.1f} ms, "
              f"most {max(found):.1f} ms")
        print(f"from the selection to the last server: median "
              f"{statistics.median(it[4] for it in switches)} ms, "
              f"most {max(it[4] for it in switches)} ms")
        if backs:
            print(f"rollback, from the command to all servers: median "
                  f"{statistics.median(backs) * 1000:.0f} ms, most {max(backs) * 1000:.0f} ms")
    finally:
        for process in running:
            # nginx takes its workers along.
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
