"""Checks a DAG with Airflow itself, and runs it: the part of test_airflow.py that needs its Python.

  nights_of_airflow.py FOLDER PARAMS

FOLDER has the DAG; PARAMS, JSON, lead to a repository without generations and to a server that follows
it. Ends with an error where something does not hold.
"""

import json
import os
import sys
import tempfile
import threading
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

FOLDER, PARAMS = Path(sys.argv[1]), json.loads(sys.argv[2])
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(FOLDER)
# Airflow reads its settings when it is imported.
from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.sdk.exceptions import AirflowException, AirflowFailException  # noqa: E402
from airflow.utils.db import initdb  # noqa: E402

NAME = "nightshard_night.py"
EARLIER = "2018-03-30"
FINISHED = {"build": "success", "verify": "success", "gate": "success", "select": "success",
            "watch": "success"}


def load(folder):
    return DagBag(dag_folder=str(folder))


def broken_is_refused():
    """A tool that accepts everything says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        text = (FOLDER / NAME).read_text()
        Path(folder, NAME).write_text(text.replace("max_active_runs=1", "max_active_run=1"))
        assert load(folder).import_errors


def tasks_are_in_order(dag):
    after = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert after == {
        "build": ["verify"], "verify": ["gate"], "gate": ["select"],
        "select": ["watch"], "watch": ["mark_good", "roll_back"], "mark_good": [],
        "roll_back": ["taken_back"], "taken_back": [],
    }, after


def business_days_are_of_the_zone(dag):
    """A run of 00:30 in Berlin, on the 1st, is due while it is the day before in UTC."""
    due = datetime(2018, 3, 31, 22, 30, tzinfo=timezone.utc)
    day = dag.user_defined_macros["business_day"]
    assert day(SimpleNamespace(logical_date=due, run_after=None)) == "2018-03-31"
    assert day(SimpleNamespace(logical_date=None, run_after=due)) == "2018-03-31"


def exit_codes_say_what_is_tried_again(dag):
    operator = type(dag.get_task("build"))
    for arguments, expected in [
        (["verify", "--nonsense"], AirflowFailException),
        (["build", "--input", "/nowhere", "--output", PARAMS["repository"]], AirflowException),
    ]:
        try:
            operator(task_id="alone", arguments=arguments).execute({})
        except AirflowException as error:
            assert type(error) is expected, (arguments, error)
        else:
            raise AssertionError(arguments)


def night(dag, **changed):
    """Runs a night; returns the states of its tasks."""
    run = dag.test(run_conf=PARAMS | changed)
    return {it.task_id: it.state for it in run.get_task_instances()}


def current():
    """What the server serves."""
    token = Path(PARAMS["token_file"]).read_text().strip()
    request = urllib.request.Request(PARAMS["servers"] + "/v1/state")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["serving"]["generation"]


def marks(generation):
    folder = Path(PARAMS["repository"], "marks", generation)
    return [json.loads(path.read_text())["mark"] for path in sorted(folder.iterdir())]


def a_night_is_served_and_marked_good(dag):
    states = night(dag, day=EARLIER)
    expected = FINISHED | {"mark_good": "success", "roll_back": "skipped", "taken_back": "skipped"}
    assert states == expected, states
    assert current().startswith(EARLIER) and marks(current()) == ["good"]


def what_the_gate_refuses_is_neither_selected_nor_tried_again(dag):
    config = Path(PARAMS["config"])
    strict = config.with_name("strict.toml")
    strict.write_text(config.read_text() + "\n[gate]\nmin_rows = 1000000\n")
    before = current()
    states = night(dag, config=str(strict))
    left = dict.fromkeys(
        ["select", "watch", "mark_good", "roll_back", "taken_back"], "upstream_failed"
    )
    assert states == {"build": "success", "verify": "success", "gate": "failed"} | left, states
    assert current() == before


def what_servers_do_badly_with_is_taken_back(dag):
    """No share of errors is small enough."""
    before = current()
    is_over = threading.Event()

    def ask():
        while not is_over.wait(0.05):
            urllib.request.urlopen("http://127.0.0.1:8080/v1/stores?limit=1").close()

    asking = threading.Thread(target=ask)
    asking.start()
    states = night(dag, errors_share_max=-1)
    is_over.set()
    asking.join()
    expected = FINISHED | {"mark_good": "skipped", "roll_back": "success", "taken_back": "failed"}
    assert states == expected, states
    assert current() == before
    bad = next(path for path in Path(PARAMS["repository"], "marks").iterdir() if path.name != before)
    assert bad.name.startswith(PARAMS["day"]) and marks(bad.name) == ["bad"]


def main():
    initdb()
    broken_is_refused()
    bag = load(FOLDER)
    assert not bag.import_errors, bag.import_errors
    dag = bag.dags["nightshard_night"]
    tasks_are_in_order(dag)
    business_days_are_of_the_zone(dag)
    exit_codes_say_what_is_tried_again(dag)
    a_night_is_served_and_marked_good(dag)
    what_the_gate_refuses_is_neither_selected_nor_tried_again(dag)
    what_servers_do_badly_with_is_taken_back(dag)


main()
