"""deploy/cron, run: each line as cron hands it to a shell."""

import re

from sandbox import Container, Mount, ROOT

FILE = ROOT / "deploy/cron/nightshard.crontab"


def lines():
    """The variables and the commands of the file."""
    text = [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in text if re.match(r"\w+=", line))
    commands = [line.split(None, 5)[5] for line in text if not re.match(r"\w+=", line)]
    # To cron it is the end of a line.
    assert not any("%" in command for command in commands)
    return variables, commands


def test_its_commands_make_a_night_and_reclaim(tmp_path, given, payments):
    variables, commands = lines()
    repository = tmp_path / "repository"
    repository.mkdir()
    config = tmp_path / "nightshard.toml"
    config.write_text("""
[controller]
repository = "/var/lib/nightshard/repository"
build = ["--input", "/srv/nightshard/transactions", "--card-key-file", "/etc/nightshard/card.key"]
watch_seconds = 1
""")
    printed = []
    for number, command in enumerate(commands):
        container = Container(
            command=[variables["SHELL"], "-c", command],
            mounts=[
                Mount(repository, "/var/lib/nightshard/repository", True),
                Mount(config, "/etc/nightshard/nightshard.toml"),
                Mount(given / "card.key", "/etc/nightshard/card.key"),
                Mount(payments, "/srv/nightshard"),
            ],
            user=900,
            temporary=["/tmp"],
            environment={"PATH": variables["PATH"]},
            is_first_process=False,
        )
        code, text = container.run(tmp_path / str(number))
        assert code == 0, text
        printed.append(text)
    assert "is served and good" in printed[0]
    # Cron mails whatever is printed.
    assert printed[1] == ""
