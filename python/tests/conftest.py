"""The golden shards, and a small repository that the command line builds."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def golden() -> Path:
    return ROOT / "format/tests/golden/v1"


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two thousand payments in twenty stores, with two generations."""
    folder = tmp_path_factory.mktemp("repository")
    binary = os.environ["NIGHTSHARD_BINARY"]

    def run(*arguments: str) -> None:
        environment = {**os.environ, "XDG_CONFIG_HOME": str(folder)}
        environment.pop("NIGHTSHARD_CARD_KEY", None)
        subprocess.run(
            [binary, *arguments], cwd=folder, env=environment, check=True, capture_output=True
        )

    run("generate", "--transactions", "2000", "--stores", "20", "--cards", "50", "--output", "in.csv")
    build = ["build", "--input", "in.csv", "--stores", "in.stores.csv", "--output", "repository"]
    run(*build, "--as-of", "2018-11-30")
    run(*build)
    return folder / "repository"
