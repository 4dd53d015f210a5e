"""What the tests of commands share: payments to build from, and secrets."""

import secrets
import ssl
import subprocess
import types
import urllib.error
import urllib.request
from base64 import b64encode

import pytest
from sandbox import BINARY

# The last day of the payments.
DAY = "2018-03-31"
PASSWORD = "open sesame"


@pytest.fixture(scope="session")
def payments(tmp_path_factory):
    """A folder of transactions, and what is known of stores beside it."""
    folder = tmp_path_factory.mktemp("payments")
    (folder / "transactions").mkdir()
    path = folder / "transactions/payments.csv"
    subprocess.run(
        [BINARY, "generate", "--transactions", "4000", "--stores", "20", "--cards", "200",
         "--from", "2018-01-01", "--to", DAY, "--output", path, "--quiet"],
        check=True,
    )
    (folder / "transactions/payments.stores.csv").rename(folder / "stores.csv")
    return folder


@pytest.fixture(scope="session")
def given(tmp_path_factory):
    """A folder with the secrets that the files ask for, by their names."""
    folder = tmp_path_factory.mktemp("secrets")
    for name in ["card.key", "admin.token"]:
        (folder / name).write_text(secrets.token_hex(32) + "\n")
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", PASSWORD], check=True, capture_output=True, text=True
    )
    (folder / "htpasswd").write_text(f"analyst:{hashed.stdout}")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "tls.key", "-out",
         folder / "tls.crt"],
        check=True, capture_output=True,
    )
    for path in folder.iterdir():
        path.chmod(0o400)
    return folder


@pytest.fixture
def door(given):
    """Asks through the door of a server; returns the status and the body."""
    context = ssl.create_default_context(cafile=given / "tls.crt")

    def ask(path, password=None, address="https://localhost:8443"):
        request = urllib.request.Request(address + path)
        # As others call it.
        if address.startswith("https:"):
            request.add_header("Host", "nightshard.example.org")
        if password is not None:
            shown = b64encode(f"analyst:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {shown}")
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError as error:
            return None, str(error)

    return ask


@pytest.fixture
def checks_of_door(door):
    """What holds of every door before a server that is ready."""

    def check():
        path = "/v1/stores?limit=2"
        assert door(path)[0] == 401
        assert door(path, "guessed")[0] == 401
        status, body = door(path, PASSWORD)
        assert status == 200, body
        assert '"total":20' in body
        # Probes need no password, and get nothing else.
        assert door("/readyz", address="http://localhost:8082")[0] == 200
        assert door("/healthz", address="http://localhost:8082")[0] == 200
        assert door(path, address="http://localhost:8082")[0] == 404

    return types.SimpleNamespace(ready=check, ask=door)
