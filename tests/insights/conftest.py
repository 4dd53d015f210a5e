"""Insights as they are served, beside the same rows in DuckDB."""

import csv
import datetime
import http.client
import json
import os
import random
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path

import duckdb
import pytest

# So that what fails in it says why.
pytest.register_assert_rewrite("ranges")

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY = os.environ["NIGHTSHARD_BINARY"]
# Connections are not asked again after so long: servers close what is idle for a minute.
IDLE_SECONDS_MAX = 30
FOLDER = Path(__file__).resolve().parent

# Random questions about each insight and data set.
QUESTIONS = 1_000


def seed(own):
    """The seed of a test or of what it is about: its own, or the one that NIGHTSHARD_TEST_SEED gives."""
    return int(os.environ.get("NIGHTSHARD_TEST_SEED", own))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Says by which seed a failure comes again."""
    report = yield
    if report.failed:
        given = os.environ.get("NIGHTSHARD_TEST_SEED", "not set: the seeds of the tests")
        report.sections.append(("NIGHTSHARD_TEST_SEED", given))
    return report


def real_payments():
    """The folder of real payments, as tests/support/data.rs finds it."""
    named = os.environ.get("NIGHTSHARD_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared/data"
    if folder.is_dir():
        return folder
    if named or os.environ.get("CI") == "true":
        raise FileNotFoundError("no real payments: set NIGHTSHARD_TEST_DATA to their folder")
    pytest.skip("not tested for want of real payments: set NIGHTSHARD_TEST_DATA to their folder")


def generated(folder):
    """So few stores and cards that cards come again, over two ends of years."""
    path = folder / "payments.csv"
    command = [BINARY, "generate", "--quiet", "--output", path, "--stores", "25", "--cards", "300",
               "--transactions", "60000", "--from", "2018-10-05", "--to", "2020-03-20", "--seed", str(seed(7)),
               "--settlements"]
    subprocess.run(command, check=True)
    say_more(path)
    return path, path.with_suffix(".stores.csv"), "EUR"


def say_more(path):
    """Adds what the generator does not say of payments: unknown in some rows, spelled in several ways, and
    of one dimension in some months only."""
    dice = random.Random(seed(11))
    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    more = {
        "payment_method": ["credit", "debit", "wallet, new", ""],
        "is_foreign": ["true", "FALSE", "no", "0", "Y", "perhaps", ""],
        "country": ["KR", "kr", "FR", "\u00d6sterreich", ""],
        "campaign": [""] * 40 + ["spring", "autumn"],
        "product": [f"p{number}" for number in range(30)],
    }
    with open(path, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(names + list(more))
        for row in rows:
            said = [dice.choice(values) for values in more.values()]
            if row[names.index("ts")] < "2019-02":
                said[-1] = ""
            lines.writerow(row + said)


def birmingham(_folder):
    data = real_payments() / "birmingham"
    return data / "birmingham_dev.csv.gz", data / "birmingham_dev.stores.csv.gz", "GBP"


def complete_journey(_folder):
    return real_payments() / "completejourney/completejourney_baskets.csv.gz", None, "USD"


def write_series(path, first, last):
    """Side series over the days of a build: one that follows nothing, with days missing at random and
    values beyond both ends, one near a large number, one that never changes, and one that is stale."""
    dice = random.Random(seed(7))
    index = 2_000.0
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name", "date", "value"])
        for day in range(first.toordinal() - 20, last.toordinal() + 21):
            day = datetime.date.fromordinal(day)
            index += dice.gauss(0, 10)
            if day.weekday() < 5 and dice.random() < 0.9:
                rows.writerow(["stock index", day, f"{index:.2f}"])
                rows.writerow(["offset", day, f"{1e9 + dice.random():.6f}"])
            if day == last or dice.random() < 0.3:
                rows.writerow(["level", day, "0.1"])
            if dice.random() < 0.8 and (last - day).days >= 7:
                rows.writerow(["stale", day, dice.randrange(-5, 40)])


def named_periods(day):
    """The first day, the last day and the label of each kind of period that a day is in."""
    monday = day - datetime.timedelta(days=day.weekday())
    week = "{}-W{:02}".format(*day.isocalendar()[:2])
    yield monday, monday + datetime.timedelta(days=6), week
    next_month = (day.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)
    yield day.replace(day=1), next_month - datetime.timedelta(days=1), f"{day:%Y-%m}"
    yield day.replace(month=1, day=1), day.replace(month=12, day=31), f"{day.year}"
    yield day, day, f"{day}"


def configured(folder, k):
    """A configuration of how many cards an answer about others speaks of."""
    path = folder / "nightshard.toml"
    path.write_text(f"[privacy]\nk = {k}\n")
    return path


class Subject:
    """A build that is served, and its rows."""

    def __init__(self, folder, payments, stores, currency, *options):
        self.folder = folder
        self.rows = duckdb.connect()
        self.rows.execute("SET threads = 2")
        self.rows.execute("CREATE TABLE input AS FROM read_csv(?, all_varchar = true, header = true)",
                          [str(payments)])
        self.rows.execute("SET VARIABLE currency = ?", [currency])
        self.rows.execute((FOLDER / "payments.sql").read_text())
        self.rows.execute(
            "CREATE TABLE dimension (store_id TEXT, merchant_id TEXT, region TEXT, category TEXT, lat TEXT, lon TEXT)")
        if stores:
            self.rows.execute("INSERT INTO dimension BY NAME SELECT COLUMNS(lambda name: name IN "
                              "('store_id', 'merchant_id', 'region', 'category', 'lat', 'lon')) "
                              "FROM read_csv(?, all_varchar = true, header = true)", [str(stores)])
        self.rows.execute((FOLDER / "stores.sql").read_text())
        [[self.first, self.last]] = self.rows.execute(
            "FROM payments SELECT min(day), max(day)").fetchall()
        series = folder / "series.csv"
        write_series(series, self.first, self.last)
        self.rows.execute("CREATE TABLE series AS SELECT name, CAST(date AS DATE) AS day, "
                          "CAST(value AS DOUBLE) AS value FROM read_csv(?, all_varchar = true)",
                          [str(series)])
        command = [BINARY, "build", "--quiet", "--input", payments, "--output", folder / "repository",
                   "--series", series, *options, *self.build_options()]
        if "--config" not in command:
            # What is said of places and the market is compared whole: test_privacy.py has what is hidden.
            command += ["--config", configured(folder, 1)]
        environment = {**os.environ, "NIGHTSHARD_CARD_KEY": "11" * 32}
        subprocess.run(command + (["--stores", stores] if stores else []), check=True,
                       env=environment, stdout=subprocess.DEVNULL)
        self.stores = [store for (store,) in self.rows.execute(
            "FROM payments SELECT store GROUP BY store ORDER BY count(*) DESC, store").fetchall()]
        self.server = subprocess.Popen(
            [BINARY, "serve", "--from", folder / "repository", "--listen", "127.0.0.1:0",
             *self.serve_options()],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = next(line for line in self.server.stdout if line.startswith("listening on http://"))
        next(line for line in self.server.stdout if line.startswith("serving generation"))
        self.connection = http.client.HTTPConnection(address.strip().removeprefix("listening on http://"))
        self.asked = time.monotonic()

    # What every request has.
    headers = {}

    def build_options(self):
        """More options of the build, once the rows are known."""
        return []

    def serve_options(self):
        """More options of the server."""
        return []

    def ask(self, path, **parameters):
        """The data of an answer."""
        status, body = self.answer(path, **parameters)
        assert status == 200, body
        return body["data"]

    def answer(self, path, **parameters):
        query = urllib.parse.urlencode({name: str(value) for name, value in parameters.items()})
        if time.monotonic() - self.asked > IDLE_SECONDS_MAX:
            # Else the server may be about to close it.
            self.connection.close()
        self.connection.request("GET", f"{path}?{query}" if query else path, headers=self.headers)
        answer = self.connection.getresponse()
        self.asked = time.monotonic()
        return answer.status, json.loads(answer.read())

    # What all rows together are called: they have a path of their own.
    wholes = [None]

    def path(self, store, resource):
        """The path of a resource of a store, or of the market where the store is None."""
        if store is None:
            return f"/v1/markets/all/{resource}"
        return f"/v1/stores/{urllib.parse.quote(store, safe='')}/{resource}"

    def query(self, sql, **parameters):
        """The rows that DuckDB answers, as dictionaries."""
        answer = self.rows.execute(sql, parameters)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row)) for row in answer.fetchall()]

    def random_range(self, dice):
        """Two dates in order, some of them beyond the data."""
        days = (self.last - self.first).days
        ends = sorted(dice.randrange(-9, days + 9) for _ in range(2))
        if dice.random() < 0.5:
            ends[1] = min(ends[1], ends[0] + dice.randrange(40))
        day = self.first.__class__.fromordinal
        return tuple(day(self.first.toordinal() + end) for end in ends)

    def stop(self):
        self.close()
        shutil.rmtree(self.folder)

    def close(self):
        """Ends the server, and leaves its files."""
        self.connection.close()
        self.server.terminate()
        assert self.server.wait() == 0
        self.rows.close()


@pytest.fixture(scope="session")
def built():
    """The builds that several files ask, by source: each is made once, and kept until the end."""
    built = {}
    yield built
    for subject in built.values():
        subject.stop()


@pytest.fixture(scope="session", params=[generated, birmingham, complete_journey],
                ids=lambda source: source.__name__)
def subject(request, built, tmp_path_factory):
    source = request.param
    if source not in built:
        folder = tmp_path_factory.mktemp(source.__name__)
        built[source] = Subject(folder, *source(folder))
    return built[source]


@pytest.fixture
def dice():
    return random.Random(seed(2018))
