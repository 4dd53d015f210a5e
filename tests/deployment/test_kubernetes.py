"""deploy/kubernetes, run: the containers of its pods beside an S3 server."""

import os
import re
import signal
import subprocess

import image
import pytest
import yaml
from sandbox import ROOT, Container, Mount, until

FOLDER = ROOT / "deploy/kubernetes"
FILES = ["servers.yaml", "night.yaml", "controller.yaml"]
BUCKET = "s3://bucket/"
KNOWN_OF_CONTAINERS = {
    "args", "command", "envFrom", "image", "lifecycle", "livenessProbe", "name", "ports",
    "readinessProbe", "resources", "securityContext", "volumeMounts",
}


def documents():
    """All that the files declare, by kind and name."""
    return {
        (document["kind"], document["metadata"]["name"]): document
        for name in FILES
        for document in yaml.safe_load_all((FOLDER / name).read_text())
    }


DOCUMENTS = documents()
SERVERS = DOCUMENTS["StatefulSet", "nightshard-server"]["spec"]
NIGHT = DOCUMENTS["CronJob", "nightshard-night"]["spec"]["jobTemplate"]["spec"]
CONTROLLER = DOCUMENTS["Deployment", "nightshard-controller"]["spec"]
# Names of the headless service and of the pods behind it.
HOSTS = [SERVERS["serviceName"]]
HOSTS += [f"nightshard-server-{n}.{SERVERS['serviceName']}" for n in range(SERVERS["replicas"])]
SECRETS = {
    "nightshard-admin": ["admin.token"],
    "nightshard-card-key": ["card.key"],
    "nightshard-door": ["tls.crt", "tls.key", "htpasswd"],
}


class Cluster:
    """What the containers of the files find: volumes, secrets, an S3 server."""

    def __init__(self, folder, secrets, payments, environment):
        self.folder, self.secrets, self.payments = folder, secrets, payments
        self.environment = environment
        # The bucket of the test server, and in it a prefix for each test.
        self.bucket = f"s3://nightshard/{folder.name}/"

    def container(self, name, workload):
        """What a workload says of a container."""
        pod = workload["template"]["spec"]
        own = next(it for it in pod["containers"] if it["name"] == name)
        assert set(own) <= KNOWN_OF_CONTAINERS, f"{name}: unknown to this test"
        security = own["securityContext"] | pod["securityContext"]
        assert security["readOnlyRootFilesystem"] and security["runAsNonRoot"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        claims = {claim["metadata"]["name"] for claim in workload.get("volumeClaimTemplates", [])}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts, temporary = [], []
        for mount in own["volumeMounts"]:
            volume, target = mount["name"], mount["mountPath"]
            if volume in claims:
                mounts.append(Mount(self.made(f"{workload['serviceName']}-{volume}"), target, True))
            elif "emptyDir" in volumes[volume]:
                temporary.append(target)
            else:
                source = self.source(volumes[volume]) / mount.get("subPath", "")
                assert mount["readOnly"]
                mounts.append(Mount(source, target))
        is_own = own["image"].startswith("nightshard:")
        if is_own:
            mounts += image.MOUNTS
        command = own.get("command", image.ENTRYPOINT if is_own else None) + own.get("args", [])
        return Container(
            command=[part.replace(BUCKET, self.bucket) for part in command],
            mounts=mounts,
            user=pod["securityContext"]["runAsUser"],
            temporary=temporary,
            environment=dict(self.environment) if "envFrom" in own else {},
            hosts=HOSTS,
            home=image.HOME if is_own else "/",
        )

    def made(self, name):
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def source(self, volume):
        """A folder with what a volume holds."""
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] == "nightshard-input"
            return self.payments
        folder = self.made(f"volume-{volume['name']}")
        if "configMap" in volume:
            for name, text in DOCUMENTS["ConfigMap", volume["configMap"]["name"]]["data"].items():
                text = text.replace(BUCKET, self.bucket)
                text = text.replace("[controller]\n", "[controller]\nwatch_seconds = 1\n")
                (folder / name).write_text(text)
            return folder
        sources = volume.get("projected", {}).get("sources", [volume])
        for source in sources:
            secret = source["secret"]
            for name in SECRETS[secret.get("secretName", secret.get("name"))]:
                path = folder / name
                path.unlink(missing_ok=True)
                path.write_bytes((self.secrets / name).read_bytes())
        return folder


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """An S3 server, as variables of those who use it."""
    folder = tmp_path_factory.mktemp("s3")
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen([ROOT / "tests/servers/s3", folder], stdout=log, stderr=log)
    try:
        until((folder / "url").is_file, (folder / "log").read_text)
        yield {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "testtest",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": (folder / "url").read_text().strip(),
        }
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def cluster(tmp_path, given, payments, s3):
    """The containers of the files, with a repository of their own."""
    return Cluster(tmp_path, given, payments, s3)


def probe_of(name, kind):
    containers = SERVERS["template"]["spec"]["containers"]
    return next(it for it in containers if it["name"] == name)[kind]


def hook_of(name):
    """The command before a container of a server's pod is told to stop."""
    return probe_of(name, "lifecycle")["preStop"]["exec"]["command"]


def test_a_job_makes_a_night_which_servers_fetch_and_serve_behind_their_door(
    cluster, checks_of_door, tmp_path
):
    server = cluster.container("server", SERVERS)
    door = cluster.container("door", SERVERS)
    night = cluster.container("night", NIGHT)
    liveness = probe_of("server", "livenessProbe")["exec"]["command"]
    readiness = probe_of("door", "readinessProbe")["httpGet"]
    ports = [port for it in SERVERS["template"]["spec"]["containers"] for port in it["ports"]]
    port = next(it["containerPort"] for it in ports if it["name"] == readiness["port"])
    probes = f"http://localhost:{port}"

    def ready():
        return checks_of_door.ask(readiness["path"], address=probes)[0]

    with server.start(tmp_path / "server") as serving, door.start(tmp_path / "door") as doing:
        serving.until(lambda: "listening on" in serving.printed())
        doing.until(lambda: ready() == 503)
        code, printed = serving.execute(liveness)
        assert code == 0, printed
        code, printed = night.run(tmp_path / "night")
        assert code == 0 and "is served and good" in printed, printed
        doing.until(lambda: ready() == 200)
        checks_of_door.ready()

        # As the kubelet ends a pod: hooks first, then the signals of the images.
        for running, name, sent in [
            (doing, "door", signal.SIGQUIT),
            (serving, "server", signal.Signals[image.STOP_SIGNAL]),
        ]:
            code, printed = running.execute(hook_of(name))
            assert code == 0, printed
            code, printed = running.stop(sent)
            assert code == 0, printed

    # What was fetched is there still, and is served without S3.
    server.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    with server.start(tmp_path / "again") as serving:
        # One is printed and the other one logged: either may be the first.
        serving.until(lambda: all(
            words in serving.printed()
            for words in ["serving generation", "serving from the cache"]
        ))


def test_a_controller_makes_a_night_shows_how_it_went_and_stops_when_told(
    cluster, checks_of_door, tmp_path
):
    server = cluster.container("server", SERVERS)
    controller = cluster.container("controller", CONTROLLER)
    with server.start(tmp_path / "server") as serving:
        serving.until(lambda: "listening on" in serving.printed())
        with controller.start(tmp_path / "controller") as working:
            working.until(lambda: "is served and good" in working.printed())
            status, body = checks_of_door.ask("/metrics", address="http://localhost:9091")
            assert status == 200 and "nightshard_controller_night_served 1" in body
            generation = re.search(r"(\S+) is served and good", working.printed())[1]
            code, printed = working.execute([
                "nightshard", "select", f"{cluster.bucket}nightshard", generation, "--token-file",
                "/run/secrets/admin.token", "--servers", "dns:nightshard-servers:8081",
            ])
            assert code == 0 and "already current" in printed and " serves it " in printed, printed
            code, printed = working.stop(signal.SIGTERM)
            assert code == 0, printed


@pytest.fixture
def alone(cluster):
    """The container of a night without servers, and its configuration."""
    night = cluster.container("night", NIGHT)
    folder = next(it.source for it in night.mounts if it.target == "/etc/nightshard")
    config = folder / "nightshard.toml"
    text = re.sub(r"servers = \[.*?\]\n", "", config.read_text(), flags=re.DOTALL)
    config.write_text(text)
    return night, config


def test_a_night_whose_failure_no_retry_mends_fails_its_job(alone, tmp_path):
    rules = NIGHT["podFailurePolicy"]["rules"]
    final = next(rule["onExitCodes"] for rule in rules if rule["action"] == "FailJob")
    assert (final["containerName"], final["operator"]) == ("night", "In")
    assert final["values"] == [2, 3]
    night, config = alone
    text = config.read_text()
    config.write_text(text.replace("schedule", "schedules"))
    code, printed = night.run(tmp_path / "usage")
    assert code == 2, printed
    config.write_text(text + "\n[gate]\nmin_rows = 1000000\n")
    code, printed = night.run(tmp_path / "gate")
    assert code == 3, printed


def test_a_night_ends_when_its_pod_is_told_to_and_another_goes_on_at_once(alone, tmp_path):
    night, config = alone
    pipe = config.with_name("layout.toml")
    os.mkfifo(pipe)
    text = config.read_text()
    layout = '"--layout", "/etc/nightshard/layout.toml",'
    config.write_text(text.replace("build = [", f"build = [{layout}"))
    with night.start(tmp_path / "ended") as running:
        # It opens once the build does, which waits for what never comes.
        with open(pipe, "wb"):
            code, printed = running.stop(signal.SIGTERM)
    assert code == 1 and "told to stop" in printed, printed

    config.write_text(text)
    code, printed = night.run(tmp_path / "next")
    assert code == 0, printed


def test_a_night_is_tried_again_for_longer_than_the_lease_of_a_pod_that_died():
    # As long as the lease holds, with the default of clock_error_seconds.
    pauses = [10 * 2**attempt for attempt in range(NIGHT["backoffLimit"])]
    assert sum(pauses) > 60 + 15


def test_a_pod_has_longer_to_end_than_its_server_drains():
    text = DOCUMENTS["ConfigMap", "nightshard"]["data"]["nightshard.toml"]
    drain_seconds = int(text.split("drain_ms = ")[1].split()[0]) / 1000
    pauses = {name: int(hook_of(name)[1]) for name in ["door", "server"]}
    assert pauses["door"] < pauses["server"]
    grace = SERVERS["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > pauses["server"] + drain_seconds


def test_the_door_is_configured_as_the_file_of_its_own_says():
    text = DOCUMENTS["ConfigMap", "nightshard-door"]["data"]["nginx.conf"]
    assert text == (ROOT / "deploy/nginx/nginx.conf").read_text()


def test_names_that_documents_use_of_each_other_are_there():
    text = DOCUMENTS["ConfigMap", "nightshard"]["data"]["nightshard.toml"]
    name = SERVERS["serviceName"]
    for replica in range(SERVERS["replicas"]):
        assert f"http://nightshard-server-{replica}.{name}:8081" in text
    assert DOCUMENTS["Service", name]["spec"]["clusterIP"] == "None"
    labels = SERVERS["template"]["metadata"]["labels"]
    ports = {
        port["name"] for it in SERVERS["template"]["spec"]["containers"] for port in it["ports"]
    }
    for (kind, _), document in DOCUMENTS.items():
        spec = document.get("spec", {})
        if kind == "Service":
            assert spec["selector"] == labels
            assert {port["targetPort"] for port in spec["ports"]} <= ports
    asked = DOCUMENTS["NetworkPolicy", "nightshard-server"]["spec"]["ingress"][1]["from"]
    for workload in [NIGHT, CONTROLLER]:
        labels = workload["template"]["metadata"]["labels"]
        assert asked == [{"podSelector": {"matchLabels": labels}}]
