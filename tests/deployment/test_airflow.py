"""deploy/airflow, run by Airflow itself: nights beside a server that they switch."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import DAY
from sandbox import BINARY, ROOT, until

HERE = Path(__file__).resolve().parent
PYTHON = Path(os.environ["NIGHTSHARD_AIRFLOW"]) / "bin/python"


@pytest.fixture
def server(tmp_path, given):
    """A server of a repository that has nothing yet; its log."""
    (tmp_path / "repository").mkdir()
    config = tmp_path / "nightshard.toml"
    config.write_text(
        f'[server.admin]\nlisten = "127.0.0.1:8081"\ntoken_file = "{given}/admin.token"\n'
    )
    log = tmp_path / "server.log"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [BINARY, "serve", "--from", tmp_path / "repository", "--config", config],
            stdout=file, stderr=file, env=os.environ | {"RUST_LOG": "warn"},
        )
    until(lambda: "listening on" in log.read_text(), log.read_text)
    yield log
    process.terminate()
    assert process.wait() == 0, log.read_text()


def test_nights_are_served_refused_and_taken_back(tmp_path, given, payments, server):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nightshard").symlink_to(BINARY)
    params = {
        "repository": str(tmp_path / "repository"),
        "input": str(payments / "transactions"),
        "stores": str(payments / "stores.csv"),
        "config": str(tmp_path / "nightshard.toml"),
        "card_key_file": str(given / "card.key"),
        "token_file": str(given / "admin.token"),
        "servers": "http://127.0.0.1:8081",
        "watch_seconds": 1,
        "day": DAY,
    }
    home = tmp_path / "airflow"
    home.mkdir()
    done = subprocess.run(
        [PYTHON, HERE / "nights_of_airflow.py", ROOT / "deploy/airflow", json.dumps(params)],
        env={
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "HOME": str(home),
            "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-20000:]
