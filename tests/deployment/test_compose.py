"""deploy/compose, run: containers of one machine, from nothing to a night that is served."""

import signal
import subprocess

import image
import pytest
import yaml
from sandbox import BINARY, ROOT, Container, Mount

FOLDER = ROOT / "deploy/compose"
FILE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
# What these tests know of a service: another key may mean something that they do not try.
KNOWN = {
    "build", "cap_drop", "command", "configs", "depends_on", "healthcheck", "image",
    "network_mode", "ports", "read_only", "restart", "secrets", "security_opt",
    "stop_grace_period", "stop_signal", "tmpfs", "user", "volumes",
}


def source_of(volume, folder):
    """Where a volume is on this machine."""
    if volume["type"] == "bind":
        return folder / volume["source"]
    assert volume["source"] in FILE["volumes"]
    assert volume["target"] in image.FOLDERS, "its owner would be root"
    path = folder / "volumes" / volume["source"]
    path.mkdir(parents=True, exist_ok=True)
    return path


def container(name, folder, secrets):
    """What the file says of a service, with the folders beside the file in `folder`."""
    service = FILE["services"][name]
    assert set(service) <= KNOWN, f"{name}: unknown to this test"
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    mounts = []
    for config in service["configs"]:
        path = folder / FILE["configs"][config["source"]]["file"]
        mounts.append(Mount(path, config["target"]))
    for secret in service["secrets"]:
        assert FILE["secrets"][secret]["file"] == f"secrets/{secret}"
        mounts.append(Mount(secrets / secret, f"/run/secrets/{secret}"))
    for volume in service.get("volumes", []):
        is_writable = not volume.get("read_only", False)
        mounts.append(Mount(source_of(volume, folder), volume["target"], is_writable))
    is_own = service["image"].startswith("nightshard:")
    if is_own:
        mounts += image.MOUNTS
    return Container(
        command=(image.ENTRYPOINT if is_own else []) + service["command"],
        mounts=mounts,
        user=int(service["user"].split(":")[0]),
        temporary=service.get("tmpfs", []),
        hosts=list(FILE["services"]),
        home=image.HOME if is_own else "/",
    )


@pytest.fixture
def beside(tmp_path, payments):
    """What lies beside the file, with servers that are watched for a second."""
    folder = tmp_path / "deploy/compose"
    (folder / "input").mkdir(parents=True)
    (tmp_path / "deploy/nginx").symlink_to(ROOT / "deploy/nginx")
    text = (FOLDER / "nightshard.toml").read_text()
    text = text.replace("[controller]\n", "[controller]\nwatch_seconds = 1\n")
    (folder / "nightshard.toml").write_text(text)
    subprocess.run(["cp", "-r", *payments.iterdir(), folder / "input"], check=True)
    return folder


def commands_of_comments():
    """What the file has people run in the controller's container."""
    lines = (FOLDER / "compose.yaml").read_text().splitlines()
    words = " exec controller "
    commands = [line.split(words)[1].split() for line in lines if words in line]
    assert len(commands) == 2
    return commands


def test_a_controller_makes_a_night_and_the_server_serves_it_behind_its_door(
    beside, given, checks_of_door, tmp_path
):
    server = container("server", beside, given)
    door = container("door", beside, given)
    controller = container("controller", beside, given)
    healthcheck = FILE["services"]["server"]["healthcheck"]["test"]
    assert healthcheck[0] == "CMD"
    with server.start(tmp_path / "server") as serving, door.start(tmp_path / "door") as doing:
        serving.until(lambda: "listening on" in serving.printed())
        code, _ = serving.execute(healthcheck[1:])
        assert code != 0, "nothing is served yet"
        doing.until(lambda: checks_of_door.ask("/readyz", "wrong")[0] == 401)
        with controller.start(tmp_path / "controller") as working:
            working.until(lambda: "is served and good" in working.printed())
            for command in commands_of_comments():
                code, printed = working.execute(command)
                assert code == 0, printed
            code, printed = working.stop(signal.SIGTERM)
            assert code == 0, printed
        assert "serving generation" in serving.printed()
        code, printed = serving.execute(healthcheck[1:])
        assert code == 0, printed
        checks_of_door.ready()

        code, printed = doing.stop(signal.Signals[FILE["services"]["door"]["stop_signal"]])
        assert code == 0, printed
        code, printed = serving.stop(signal.Signals[image.STOP_SIGNAL])
        assert code == 0, printed


def test_the_server_cannot_write_what_it_serves_nor_see_the_card_key():
    server = FILE["services"]["server"]
    assert all(volume["read_only"] for volume in server["volumes"])
    assert "card.key" not in server["secrets"]


def test_a_stop_lasts_longer_than_the_server_drains():
    text = (FOLDER / "nightshard.toml").read_text()
    drain_seconds = int(text.split("drain_ms = ")[1].split()[0]) / 1000
    for name in ["server", "door"]:
        period = FILE["services"][name]["stop_grace_period"]
        assert int(period.removesuffix("s")) > drain_seconds


def test_the_image_has_what_the_binary_loads():
    """Beside what every Debian has."""
    loaded = subprocess.run(["ldd", BINARY], check=True, capture_output=True, text=True).stdout
    names = {line.split()[0].split(".so")[0] for line in loaded.splitlines()}
    assert names <= {"linux-vdso", "libgcc_s", "libm", "libc", "libdl", "libpthread", "librt",
                     "/lib64/ld-linux-x86-64"}
