"""A night of Nightshard as tasks of Apache Airflow 3: each is one command of `nightshard`.

    build -> verify -> gate -> select -> watch -> mark_good
                                            \\--> roll_back -> taken_back

An exit code says what comes of a task. 1 is tried again. 2 (wrong usage or configuration), 3 (refused
by the quality gate) and 4 (another writer was first) do not pass by themselves: the task fails at
once, and what is current stays so. Where servers do badly with the new generation, the last good one
is selected again, and the run fails all the same.

Workers need `nightshard` on their PATH, the files that the parameters name, and where the repository
is in S3 its credentials. Give the values of your own as `params` below. Let no `nightshard controller`
make nights beside this: these commands take no lease.
"""

import json
import subprocess
import time
import urllib.request
from datetime import timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import BaseOperator, CronTriggerTimetable, DAG, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

# In which the schedule and business days are.
ZONE = "Europe/Berlin"

PARAMS = {
    "repository": "s3://bucket/nightshard",
    "input": "/srv/nightshard/transactions",
    "stores": "/srv/nightshard/stores.csv",
    "currency": "EUR",
    "config": "/etc/nightshard/nightshard.toml",
    "card_key_file": "/etc/nightshard/card.key",
    "token_file": "/etc/nightshard/admin.token",
    # Administrative addresses of servers.
    "servers": "http://nightshard-1:8081,http://nightshard-2:8081",
    # How long servers are watched, and the largest share of errors among their answers meanwhile.
    "watch_seconds": 60,
    "errors_share_max": 0.01,
    # A business day, to make it once more; empty: the last one that is over.
    "day": "",
}

# What no attempt mends.
FINAL = {
    2: "wrong usage or configuration",
    3: "refused by a data test or the quality gate",
    4: "another writer was first",
}

GENERATION = "{{ ti.xcom_pull(task_ids='build')['generation'] }}"
CONFIG = ("--config", "{{ params.config }}")
SERVERS = ("--servers", "{{ params.servers }}", "--token-file", "{{ params.token_file }}")


class NightshardOperator(BaseOperator):
    """Runs one command, and returns what it prints as JSON."""

    template_fields = ("arguments",)

    def __init__(self, *, arguments, **options):
        super().__init__(**options)
        self.arguments = list(arguments)
        self._process = None

    def execute(self, context):
        command = ["nightshard", *self.arguments, "--json"]
        self.log.info("%s", command)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        printed, _ = self._process.communicate()
        code = self._process.returncode
        if code in FINAL:
            raise AirflowFailException(f"exit code {code}: {FINAL[code]}")
        if code != 0:
            raise AirflowException(f"exit code {code}")
        return json.loads(printed)

    def on_kill(self):
        if self._process is not None:
            self._process.terminate()


def business_day(run):
    """The last business day that was over when a run was due."""
    due = (run.logical_date or run.run_after).astimezone(ZoneInfo(ZONE))
    return (due - timedelta(days=1)).date().isoformat()


def ask(server, token):
    """What a server says of itself."""
    url = server.rstrip("/") + "/v1/state"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def errors(state):
    """Answers that say that a server is in trouble; who is only behind sends clients on."""
    return state["requests"]["errors_5xx"] - state["requests"]["behind_503"]


def meanwhile(old, new):
    """How many answers a server gave between two states, and how many errors among them."""
    answers = new["requests"]["total"] - old["requests"]["total"]
    if answers < 0:
        # It was restarted, and counts from 0.
        return new["requests"]["total"], errors(new)
    return answers, max(0, errors(new) - errors(old))


with DAG(
    dag_id="nightshard_night",
    schedule=CronTriggerTimetable("30 4 * * *", timezone=ZONE),
    # After an outage the newest night alone, and never two at once.
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    user_defined_macros={"business_day": business_day},
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=30),
    },
    tags=["nightshard"],
    doc_md=__doc__,
) as dag:
    repository = "{{ params.repository }}"

    build = NightshardOperator(
        task_id="build",
        execution_timeout=timedelta(hours=6),
        arguments=[
            "build", "--no-select", "--quiet",
            "--input", "{{ params.input }}",
            "--stores", "{{ params.stores }}",
            "--currency", "{{ params.currency }}",
            "--card-key-file", "{{ params.card_key_file }}",
            "--as-of", "{{ params.day or business_day(dag_run) }}",
            "--output", repository,
            *CONFIG,
        ],
    )
    verify = NightshardOperator(
        task_id="verify", arguments=["verify", repository, GENERATION, *CONFIG]
    )
    gate = NightshardOperator(
        task_id="gate", arguments=["gate", repository, GENERATION, *CONFIG]
    )
    select = NightshardOperator(
        task_id="select", arguments=["select", repository, GENERATION, *CONFIG, *SERVERS]
    )

    @task.branch
    def watch(generation, params=None):
        """Chooses by how servers do; one that cannot be asked is a failure of this task alone."""
        with open(params["token_file"], encoding="ascii") as file:
            token = file.read().strip()
        servers = params["servers"].split(",")
        before = [ask(server, token) for server in servers]
        time.sleep(params["watch_seconds"])
        after = [ask(server, token) for server in servers]
        elsewhere = [
            server
            for server, state in zip(servers, after)
            if (state["serving"] or {}).get("generation") != generation
        ]
        counted = [meanwhile(old, new) for old, new in zip(before, after)]
        answers, wrong = (sum(counts) for counts in zip(*counted))
        print(f"{len(elsewhere)} servers do not serve it; {wrong} errors in {answers} answers")
        is_bad = elsewhere or wrong > params["errors_share_max"] * answers
        return "roll_back" if is_bad else "mark_good"

    mark_good = NightshardOperator(
        task_id="mark_good",
        arguments=["mark", repository, GENERATION, "good", "--why", "servers do well", *CONFIG],
    )
    roll_back = NightshardOperator(
        task_id="roll_back",
        # What somebody else selected meanwhile is left alone, and a repeated attempt, too: exit code 4.
        arguments=["rollback", repository, "--from", GENERATION, "--why", "servers did badly",
                   *CONFIG, *SERVERS],
    )

    @task
    def taken_back():
        """Has the run fail, so that somebody looks."""
        raise AirflowFailException("servers did badly: the last good generation is current again")

    build >> verify >> gate >> select
    watched = watch(GENERATION)
    select >> watched >> [mark_good, roll_back]
    roll_back >> taken_back()
