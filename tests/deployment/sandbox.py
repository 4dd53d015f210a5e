"""Processes that see what a deployment file gives them and nothing else: containers and services.

The paths of the files are real inside, the root is read-only, and there is no user but the one that
a file names. All share the network of whoever runs the tests, which has loopback only (tests/
deployment/run), as containers of one pod do; so names of other hosts lead there, too.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ["NIGHTSHARD_BINARY"]).resolve()
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEADLINE_SECONDS = 180

SYSTEM = """
--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib
--symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /usr/local/bin
""".split()


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine, and where it is inside."""

    source: Path
    target: str
    is_writable: bool = False


@dataclass
class Container:
    """What a deployment file says of one process."""

    command: list
    mounts: list
    user: int
    temporary: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    hosts: list = field(default_factory=list)
    home: str = "/"
    # The first process of a container does not end by a signal that it does not handle.
    is_first_process: bool = True

    def start(self, folder):
        """Starts it; `folder` has what it prints."""
        return Running(self, folder)

    def run(self, folder):
        """Runs it to its end, and returns its exit code and what it printed."""
        with self.start(folder) as running:
            return running.wait()

    def _options(self, folder):
        hosts = "".join(f"127.0.0.1 {name}\n" for name in ["localhost", *self.hosts])
        (folder / "hosts").write_text(hosts)
        (folder / "nsswitch.conf").write_text("hosts: files\n")
        own = [
            Mount(BINARY, "/usr/local/bin/nightshard"),
            Mount(ROOT / "deploy/container/probe", "/usr/local/bin/nightshard-probe"),
            Mount(folder / "hosts", "/etc/hosts"),
            Mount(folder / "nsswitch.conf", "/etc/nsswitch.conf"),
        ]
        options = [*SYSTEM, "--dir", self.home]
        for path in self.temporary:
            options += ["--tmpfs", path]
        # What lies in another mount comes after it.
        for mount in sorted(own + self.mounts, key=lambda mount: mount.target.count("/")):
            kind = "--bind" if mount.is_writable else "--ro-bind"
            options += [kind, str(mount.source), mount.target]
        options += ["--remount-ro", "/", "--unshare-user", "--uid", str(self.user)]
        options += ["--gid", str(self.user), "--die-with-parent", "--clearenv"]
        options += ["--unshare-pid", "--as-pid-1"] if self.is_first_process else []
        for name, value in self.variables().items():
            options += ["--setenv", name, value]
        return [*options, "--chdir", self.home]

    def variables(self):
        """The environment of all that runs inside."""
        return {"PATH": PATH, "HOME": self.home} | self.environment


class Running:
    """A process inside, ended with its context."""

    def __init__(self, container, folder):
        folder.mkdir()
        self.container = container
        self.log = folder / "log"
        information, told = os.pipe()
        options = container._options(folder)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["bwrap", "--info-fd", str(told), *options, "--", *container.command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, pass_fds=[told],
            )
        os.close(told)
        with open(information, encoding="ascii") as file:
            text = file.read()
        assert text, self.printed()
        self.inside = json.loads(text)["child-pid"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def printed(self):
        """What it printed so far."""
        return self.log.read_text(errors="replace")

    def wait(self):
        """Waits for its end, and returns its exit code and what it printed."""
        code = self.process.wait(DEADLINE_SECONDS)
        return code, self.printed()

    def execute(self, command):
        """Runs another command inside, as probes, hooks and people do."""
        variables = [f"{name}={value}" for name, value in self.container.variables().items()]
        done = subprocess.run(
            ["nsenter", "--target", str(self.inside), "--user", "--mount", "--pid",
             "--preserve-credentials", f"--wdns={self.container.home}", "--", "env", "-i",
             *variables, *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=DEADLINE_SECONDS,
        )
        return done.returncode, done.stdout + done.stderr

    def stop(self, signal):
        """Sends it a signal as whoever runs containers does, and waits for its end."""
        os.kill(self.inside, signal)
        return self.wait()

    def until(self, condition):
        """Waits until something is true, while it runs."""

        def holds():
            assert self.process.poll() is None, self.printed()
            return condition()

        return until(holds, self.printed)


def until(condition, explain=lambda: ""):
    """Waits until something is true, and returns it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {DEADLINE_SECONDS} s: {explain()}")
