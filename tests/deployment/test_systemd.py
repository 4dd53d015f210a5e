"""deploy/systemd, run: each service sees what its unit gives it."""

import re
import signal
import subprocess

import pytest
from sandbox import ROOT, Container, Mount, until

FOLDER = ROOT / "deploy/systemd"


def settings(name):
    """The settings of a unit's service, a list of values each, as systemd reads them."""
    found = {}
    for line in (FOLDER / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            # What is assigned nothing is forgotten.
            found[key] = [*found.get(key, []), value] if value else []
    return found


class Machine:
    """Folders that services share."""

    def __init__(self, folder, secrets, payments):
        self.folder, self.secrets, self.payments = folder, secrets, payments
        self.config = folder / "nightshard.toml"
        text = (FOLDER / "nightshard.toml").read_text()
        self.config.write_text(text.replace("[controller]\n", "[controller]\nwatch_seconds = 1\n"))

    def service(self, name, drop_in=None):
        """What a unit says of its process."""
        unit = settings(f"{name}.service")
        changed = settings(f"{name}.service.d/{drop_in}") if drop_in else {}
        command = changed.get("ExecStart", unit["ExecStart"])
        assert len(command) == 1 and unit["User"] == ["nightshard"]
        assert unit["ProtectSystem"] == ["strict"] and unit["PrivateTmp"] == ["yes"]
        mounts = [
            Mount(self.config, "/etc/nightshard/nightshard.toml"),
            Mount(self.payments, "/srv/nightshard"),
        ]
        read_only = unit.get("ReadOnlyPaths", [])
        for path in unit["StateDirectory"][0].split():
            target = f"/var/lib/{path}"
            is_writable = not any(target.startswith(path) for path in read_only)
            mounts.append(Mount(self.made(target), target, is_writable))
        cache = f"/var/cache/{unit['CacheDirectory'][0]}"
        mounts.append(Mount(self.made(cache), cache, True))
        for credential in unit["LoadCredential"]:
            own, path = credential.split(":")
            assert path == f"/etc/nightshard/{own}"
            target = f"/run/credentials/{name}.service/{own}"
            mounts.append(Mount(self.secrets / own, target))
        return Container(
            command=command[0].split(),
            mounts=mounts,
            user=900,
            temporary=["/tmp"],
            home="/",
            is_first_process=False,
        )

    def made(self, target):
        path = self.folder / "root" / target.strip("/")
        path.mkdir(parents=True, exist_ok=True)
        return path


@pytest.fixture
def machine(tmp_path, given, payments):
    return Machine(tmp_path, given, payments)


def test_the_services_make_nights_and_serve_them(machine, checks_of_door, tmp_path):
    server = machine.service("nightshard-server")
    controller = machine.service("nightshard-controller")
    ask = checks_of_door.ask
    with server.start(tmp_path / "server") as serving:
        serving.until(lambda: "listening on" in serving.printed())
        with controller.start(tmp_path / "controller") as working:
            working.until(lambda: "is served and good" in working.printed())
            status, body = ask("/metrics", address="http://localhost:9091")
            assert status == 200 and "nightshard_controller_night_served 1" in body
            code, printed = working.stop(signal.Signals[settings_of_signal("controller")])
            assert code == 0, printed
        assert ask("/readyz", address="http://localhost:8080")[0] == 200
        code, printed = serving.stop(signal.Signals[settings_of_signal("server")])
        assert code == 0, printed


def settings_of_signal(name):
    return settings(f"nightshard-{name}.service")["KillSignal"][0]


def test_the_timer_makes_one_night(machine, tmp_path):
    server = machine.service("nightshard-server")
    night = machine.service("nightshard-controller", "once.conf")
    with server.start(tmp_path / "server") as serving:
        serving.until(lambda: "listening on" in serving.printed())
        code, printed = night.run(tmp_path / "night")
        assert code == 0 and "is served and good" in printed, printed
    timer = settings("nightshard-controller.timer")["OnCalendar"][0]
    config = machine.config.read_text()
    assert 'schedule = "30 4 * * *"' in config and 'zone = "Europe/Berlin"' in config
    assert timer == "*-*-* 04:30:00 Europe/Berlin"


def system_calls(group):
    """The system calls of one of systemd's groups, and of the groups within it."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True
    )
    names = [line.strip() for line in listed.stdout.splitlines()[1:]]
    names = {name for name in names if name and not name.startswith("#")}
    groups = {name for name in names if name.startswith("@")}
    return names.union(*map(system_calls, groups)) - groups


def calls_of(trace):
    """The system calls of a process and its children, once it has ended."""

    def whole():
        text = trace.read_text()
        first = text.split(maxsplit=1)[0] if text else "nobody"
        return re.search(rf"^{first} +\+\+\+ exited with 0", text, re.MULTILINE) and text

    return set(re.findall(r"^\d+ +(\w+)\(", until(whole), re.MULTILINE))


def test_services_make_no_system_call_that_their_filters_forbid(machine, tmp_path):
    server = machine.service("nightshard-server")
    controller = machine.service("nightshard-controller", "once.conf")
    folder = machine.made("traces")
    for name, service in [("server", server), ("controller", controller)]:
        # The service itself stays the process that is told to stop.
        traced = ["strace", "-D", "-f", "-q", "-o", f"/traces/{name}", *service.command]
        service.command = traced
        service.mounts.append(Mount(folder, "/traces", True))
    with server.start(tmp_path / "server") as serving:
        serving.until(lambda: "listening on" in serving.printed())
        code, printed = controller.run(tmp_path / "night")
        assert code == 0, printed
        serving.until(lambda: "serving generation" in serving.printed())
        code, printed = serving.stop(signal.SIGTERM)
        assert code == 0, printed
    for name in ["server", "controller"]:
        rules = settings(f"nightshard-{name}.service")["SystemCallFilter"]
        assert rules == ["@system-service", "~@privileged"]
        used = calls_of(folder / name)
        assert {"openat", "mmap", "exit_group"} <= used
        assert used <= system_calls("@system-service") - system_calls("@privileged")


def test_wrong_configuration_is_not_tried_again(machine, tmp_path):
    for name in ["nightshard-server", "nightshard-controller"]:
        service = machine.service(name)
        machine.config.write_text("[servers]\n")
        code, printed = service.run(tmp_path / name)
        assert code == 2, printed
        assert settings(f"{name}.service")["RestartPreventExitStatus"] == ["2"]


def test_only_the_controller_has_the_card_key_and_writes():
    unit = settings("nightshard-server.service")
    assert not any("card.key" in credential for credential in unit["LoadCredential"])
    assert unit["ReadOnlyPaths"] == ["/var/lib/nightshard"]


def test_a_stop_lasts_longer_than_the_server_drains():
    text = (FOLDER / "nightshard.toml").read_text()
    drain_seconds = int(text.split("drain_ms = ")[1].split()[0]) / 1000
    unit = settings("nightshard-server.service")
    assert int(unit["TimeoutStopSec"][0]) > drain_seconds
