"""Each file is accepted by its own tool, which refuses one that is broken on purpose."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox import BINARY, ROOT

DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent


def run(*command, text=""):
    """Returns the exit code and all that was printed."""
    done = subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def hadolint(path):
    return run(TOOLS / "hadolint", path)


def compose(path):
    return run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


def kubernetes(path):
    """By the schemas of the oldest version that the files are for, and of the newest that is there."""
    checks = [run(TOOLS / "kubernetes-validate", "--strict", *version, path)
              for version in [("-k", "1.30"), ()]]
    return max(code for code, _ in checks), "".join(printed for _, printed in checks)


def crontab(path):
    return run("crontab", "-n", path)


def nginx(path):
    """Has nginx read its configuration, with a certificate and passwords that it finds."""
    folder = path.parent
    text = path.read_text().replace("/tmp/", f"{folder}/")
    path.write_text(text.replace("/run/secrets", str(folder)))
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
        "-keyout", folder / "tls.key", "-out", folder / "tls.crt")
    (folder / "htpasswd").touch()
    return run("/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-c", path)


def sysusers(path):
    """Makes the user, in a root of its own."""
    root = path.parent
    (root / "etc").mkdir()
    return run("systemd-sysusers", f"--root={root}", "-", text=path.read_text())


def systemd(path):
    """Has systemd read a unit among the others, where the program is installed."""
    units = path.parent / "units"
    shutil.copytree(DEPLOY / "systemd", units)
    unit = path.name
    if path.suffix == ".conf":
        unit = "nightshard-controller.service"
        shutil.copy(path, units / f"{unit}.d/once.conf")
    else:
        shutil.copy(path, units / unit)
    # The drop-in goes with the timer only.
    if path.name in ("nightshard-controller.service", "nightshard-server.service"):
        shutil.rmtree(units / "nightshard-controller.service.d")
    # Where nothing of it is installed there is no place for it either.
    code, printed = run(
        "bwrap", "--dev-bind", "/", "/", "--tmpfs", "/usr/local/bin", "--ro-bind", BINARY,
        "/usr/local/bin/nightshard", "--setenv", "SYSTEMD_UNIT_PATH", f"{units}:",
        "systemd-analyze", "verify", "--recursive-errors=no", "--man=no", units / unit,
    )
    # Units of the system itself are not under test.
    own = [line for line in printed.splitlines() if "nightshard" in line]
    return (1 if own else code), "\n".join(own)


# A tool, a file, and what breaks it: a text and another in its place.
CHECKS = [
    (hadolint, "container/Containerfile", "ENTRYPOINT [", "ENTRYPOINT sh ["),
    (hadolint, "container/Containerfile", "WORKDIR /source", "WORKDIR source"),
    (compose, "compose/compose.yaml", "stop_grace_period: 45s", "stop_grace_periods: 45s"),
    (compose, "compose/compose.yaml", "retries: 3", "retries: [3]"),
    (kubernetes, "kubernetes/servers.yaml", "terminationGracePeriodSeconds: 60",
     "terminationGracePeriodSeconds: soon"),
    (kubernetes, "kubernetes/servers.yaml", "readinessProbe:", "readyProbe:"),
    (kubernetes, "kubernetes/night.yaml", "concurrencyPolicy: Forbid", "concurrencyPolicy: [Forbid]"),
    (kubernetes, "kubernetes/night.yaml", "values: [2, 3]", "codes: [2, 3]"),
    (kubernetes, "kubernetes/controller.yaml", "replicas: 1", "replicas: one"),
    (crontab, "cron/nightshard.crontab", "30 4 * * *", "30 24 * * *"),
    (nginx, "nginx/nginx.conf", "proxy_pass http://server;", "proxy_pas http://server;"),
    (nginx, "nginx/nginx.conf", "ssl_certificate_key", "#ssl_certificate_key"),
    (systemd, "systemd/nightshard-server.service", "TimeoutStopSec=45", "TimeoutStopSec=soon"),
    (systemd, "systemd/nightshard-server.service", "/bin/nightshard serve", "/bin/nightshade serve"),
    (systemd, "systemd/nightshard-controller.service", "LoadCredential=", "LoadCredentials="),
    (systemd, "systemd/nightshard-controller.timer", "Europe/Berlin", "Europe/Nowhere"),
    (systemd, "systemd/nightshard-controller.service.d/once.conf", "ExitStatus=3", "ExitStatus=three"),
    (sysusers, "systemd/nightshard.sysusers", "u nightshard", "u night shard"),
]


@pytest.mark.parametrize(
    ("tool", "name"), sorted({(tool, name) for tool, name, *_ in CHECKS}, key=str)
)
def test_a_file_is_accepted_by_its_own_tool(tool, name, tmp_path):
    path = Path(shutil.copy(DEPLOY / name, tmp_path))
    code, printed = tool(path)
    assert code == 0, printed


@pytest.mark.parametrize(("tool", "name", "old", "new"), CHECKS)
def test_what_is_broken_on_purpose_is_refused(tool, name, old, new, tmp_path):
    text = (DEPLOY / name).read_text()
    assert old in text
    path = tmp_path / Path(name).name
    path.write_text(text.replace(old, new, 1))
    code, printed = tool(path)
    assert code != 0, f"{new!r} was accepted: {printed}"


def test_every_file_has_a_tool():
    """Files of configuration are read by nightshard itself in other tests, the DAG by Airflow."""
    others = {"container/probe", "compose/nightshard.toml", "systemd/nightshard.toml",
              "airflow/nightshard_night.py"}
    folders = ["airflow", "compose", "container", "cron", "kubernetes", "nginx", "systemd"]
    found = {
        str(path.relative_to(DEPLOY))
        for folder in folders
        for path in (DEPLOY / folder).rglob("*")
        if path.is_file()
    }
    assert found == others | {name for _, name, *_ in CHECKS}


@pytest.mark.parametrize("unit", ["nightshard-server.service", "nightshard-controller.service"])
def test_services_can_do_little(unit):
    """What systemd counts of what a service could do, from 0 to 100; without hardening 96."""
    code, printed = run("systemd-analyze", "security", "--offline=true", "--threshold=20",
                        DEPLOY / "systemd" / unit)
    assert code == 0, re.findall("overall exposure.*", printed, re.IGNORECASE) or printed
