"""What the image of deploy/container says of every container."""

import json
import re
from pathlib import Path

from sandbox import ROOT, Mount

TEXT = (ROOT / "deploy/container/Containerfile").read_text()


def instruction(name):
    """The last instruction of a name."""
    return re.findall(rf"^{name} (.*)$", TEXT, re.MULTILINE)[-1]


ENTRYPOINT = json.loads(instruction("ENTRYPOINT"))
USER = int(instruction("USER").split(":")[0])
HOME = instruction("WORKDIR")
STOP_SIGNAL = instruction("STOPSIGNAL")
# Docker gives a new volume the owner of the folder in the image that it is mounted at.
FOLDERS = re.findall(r"(/var/\S+/\S+)(?= |$)", re.sub(r"\\\n", "", TEXT), re.MULTILINE)
# What its packages put outside /usr.
assert " ca-certificates " in TEXT
MOUNTS = [Mount(Path("/etc/ssl/certs"), "/etc/ssl/certs")]
