"""What is answered, beside the OpenAPI document: every member of every answer, and no other."""

import http.client
import json
import re
import subprocess
import urllib.parse

import pytest
from conftest import BINARY, Subject, generated
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from test_customers import key_of, token, write_config

CUSTOMERS = "/v1/customers/{pseudonym}"
PACKED = "/v1/datasets/{dataset}/{key}"
BATCH = "/v1/batch"
# Which a build without customers and packed datasets does not answer.
NOT_OF_STORES = {CUSTOMERS, PACKED}

# So many rows are checked at either end of an answer.
ROWS = 10

# More values of parameters than the document names; of those that it names as well, instead.
VALUES = {
    "period": ["2019", "all", "2019-Q1", "2019-03", "2019-W07", "2019-03-05", "2031"],
    "min_date": ["2019-02-27", "1990-01-01", "2031-01-01"],
    "max_date": ["2019-03-20"],
    "date": ["2019-03-05"],
    "bins": ["2", "64", "1"],
    "absence_days": ["1", "400"],
    "series": ["stock index", "stale", "nothing"],
    "q": ["a", "s"],
    "limit": ["1", "1001"],
    "numbers": ["string"],
    "generation": ["2018-01-01-000000000000"],
    "cursor": ["0"],
    "region": ["nowhere"],
    "parent": ["", "nowhere"],
    "bbox": ["-180,-90,180,90", "1,2,3"],
    "category": ["nothing"],
}

# Each is wrong or not there.
WRONG = ["/v1/stores?colour=red", "/v1/stores?limit=1&limit=1", "/v1/stores/nobody", "/v1/nothing",
         "/v1/regions/nowhere/statistics", "/v1/stores/nobody/histogram?bins=x", "/v1/info/quality?q="]


class Document:
    """The document, by which answers are checked."""

    def __init__(self, content):
        self.content = content
        resource = DRAFT202012.create_resource(content)
        self.registry = Registry().with_resource("urn:document", resource)
        self.validators = {}

    def resolve(self, value):
        """What a reference names; anything else is itself."""
        while "$ref" in value:
            place = value["$ref"].removeprefix("#/").split("/")
            value = self.content
            for name in place:
                value = value[name]
        return value

    def validator(self, *place):
        if place not in self.validators:
            names = (name.replace("~", "~0").replace("/", "~1") for name in place)
            schema = {"$ref": "urn:document#/" + urllib.parse.quote("/".join(names), safe="/~")}
            self.validators[place] = Draft202012Validator(
                schema, registry=self.registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return self.validators[place]

    def parameters(self, path, method="get"):
        """The parameters of queries of a path, resolved."""
        of_path = self.content["paths"][path][method].get("parameters", [])
        return [it for it in map(self.resolve, of_path) if it["in"] == "query"]

    def check(self, answer, path, method="get"):
        """Checks status, headers and body of an answer by what is said of the path."""
        responses = self.content["paths"][path][method]["responses"]
        described = self.resolve(responses.get(str(answer.status), responses["default"]))
        for name in described.get("headers", {}):
            assert name in answer.headers or name == "Nightshard-Behind", (path, name)
        [media_type] = described["content"]
        assert media_type in (answer.headers["content-type"], "*/*")
        if answer.status != 200:
            place = "components", "schemas", "Problem"
            assert answer.json()["status"] == answer.status
        elif media_type == "application/json":
            place = "paths", path, method, "responses", "200", "content", media_type, "schema"
        else:
            return
        wrong = list(self.validator(*place).iter_errors(shortened(answer.json())))
        assert wrong == [], (path, answer.body[:1_000])


def shortened(body):
    """An answer with no more rows than one looks at: the first and the last ones."""
    match body:
        case {"data": {"rows": [*rows]}} if len(rows) > 2 * ROWS:
            body["data"]["rows"] = rows[:ROWS] + rows[-ROWS:]
    return body


def members(pairs):
    """An object, no member of which stands there twice."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


class Answer:
    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    def json(self):
        return json.loads(self.body, object_pairs_hook=members)


class Asker:
    """Who asks a server for everything that its document describes, under a token or none."""

    def __init__(self, subject, **headers):
        self.headers = headers
        self.connection = http.client.HTTPConnection(subject.connection.host, subject.connection.port)
        self.document = Document(self.ask("/openapi.json").json())
        # Paths, and the statuses that each was answered.
        self.met = {path: set() for path in self.document.content["paths"]}

    def ask(self, target, method="GET", body=None, **headers):
        self.connection.request(method, target, body, {**self.headers, **headers})
        return Answer(self.connection.getresponse())

    def meet(self, path, target):
        answer = self.ask(target)
        self.document.check(answer, path)
        self.met[path].add(answer.status)

    def meet_all(self, place):
        """Asks for each path with each value of each parameter. `place`: what stands for those of paths."""
        for path, item in self.document.content["paths"].items():
            if "get" not in item:
                continue
            target = filled(path, place)
            if target:
                for query in self.queries(path):
                    self.meet(path, f"{target}?{query}" if query else target)

    def queries(self, path):
        """The query of the example, and with each value of each parameter in turn."""
        example = dict(urllib.parse.parse_qsl(self.document.content["paths"][path]["get"]["x-example"]))
        example = {name: VALUES.get(name, [value])[0] for name, value in example.items()}
        yield urllib.parse.urlencode(example)
        for parameter in self.document.parameters(path):
            name = parameter["name"]
            schema = self.document.resolve(parameter["schema"])
            for value in VALUES.get(name, schema.get("enum", [])):
                beside = {**example, "rank_by": "growth"} if name == "against" else dict(example)
                if name in ("min_date", "max_date"):
                    beside.pop("period", None)
                yield urllib.parse.urlencode({**beside, name: value})

    def close(self):
        self.connection.close()


def filled(path, place):
    """The path with what `place` has for its parameters, or None if it lacks one."""
    for name in re.findall(r"{(\w+)}", path):
        if name not in place:
            return None
        path = path.replace(f"{{{name}}}", urllib.parse.quote(place[name], safe=""))
    return path


def place_of(asker, store):
    """What stands for parameters of paths: a store, and where it is."""
    profile = asker.ask("/v1/stores/" + urllib.parse.quote(store, safe="")).json()["data"]
    place = {"store": store, "market": "all", "region": profile["region"], "category": profile["category"]}
    merchants = asker.ask("/v1/merchants?limit=1").json()["data"]["rows"]
    tiles = asker.ask("/v1/tiles?limit=1").json().get("data", {"rows": []})["rows"]
    place["merchant"] = next((merchant["id"] for merchant in merchants), None)
    place["lat"], place["lon"] = tiles[0]["id"].split("/") if tiles else (None, None)
    return {name: id for name, id in place.items() if id is not None}


def test_every_answer_is_as_the_document_describes_it(subject):
    asker = Asker(subject)
    place = place_of(asker, subject.stores[0])
    asker.meet_all(place)
    for path, statuses in asker.met.items():
        if path not in NOT_OF_STORES | {BATCH} and filled(path, place):
            assert 200 in statuses, path
    for target in WRONG:
        answer = asker.ask(target)
        assert answer.status in (400, 404), target
        asker.document.check(answer, "/v1/stores")
    asker.close()


def test_what_a_client_has_is_not_sent_again(subject):
    asker = Asker(subject)
    for target in ["/v1/stores?limit=1", "/v1/info/generation", "/openapi.json", "/docs"]:
        tag = asker.ask(target).headers["etag"]
        answer = asker.ask(target, **{"If-None-Match": tag})
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag), target
    asker.close()


def test_a_batch_is_as_the_document_describes_it(subject):
    asker = Asker(subject)
    item = asker.document.content["paths"][BATCH]["post"]
    request = item["requestBody"]["content"]["application/json"]["example"]
    assert list(asker.document.validator("components", "schemas", "Lookups").iter_errors(request)) == []
    request["lookups"].append({"path": "/v1/nothing"})
    for body, status in [(json.dumps(request), 200), ("{", 400)]:
        answer = asker.ask(BATCH, "POST", body)
        assert answer.status == status
        asker.document.check(answer, BATCH, "post")
    asker.close()


class Guarded(Subject):
    """A build that hides figures of fewer than ten cards, and has customers, data tests and a packed dataset."""

    def build_options(self):
        [self.card], = self.rows.execute("FROM payments SELECT any_value(card)").fetchall()
        (self.folder / "customers.csv").write_text(f"card_id,Heimat\n{self.card},Köln\n")
        self.config = write_config(self.folder, [], "amount_minor < 0")
        with open(self.config, "a") as file:
            file.write('[[data_tests]]\ntest = "not_null"\ncolumn = "campaign"\nseverity = "warn"\n')
        return ["--config", self.config]

    def serve_options(self):
        prices = self.folder / "prices.csv"
        prices.write_text("sku,price\nsku-2,2.50\n")
        command = [BINARY, "pack", "--quiet", "--input", prices, "--dataset", "prices", "--key", "sku",
                   "--output", self.folder / "repository"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return ["--config", self.config]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    guarded = Guarded(folder, *generated(folder))
    yield guarded
    guarded.stop()


def test_the_document_is_openapi_3_1(guarded):
    asker = Asker(guarded)
    OpenAPIV31SpecValidator(asker.document.content).validate()
    operations = [it for item in asker.document.content["paths"].values() for it in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    asker.close()


def test_every_scope_is_answered_as_the_document_describes_it(guarded):
    store = guarded.stores[0]
    [[merchant]] = guarded.rows.execute(
        "FROM stores SELECT any_value(merchant) WHERE merchant IS NOT NULL").fetchall()
    place = {"pseudonym": key_of(guarded.card), "dataset": "prices", "key": "sku-2"}
    answered = set()
    for scope in ["analyst", "app", f"store:{store}", f"merchant:{merchant}", "customer",
                  f"customer:{key_of(guarded.card)}", "admin", None]:
        headers = {"Authorization": f"Bearer {token(guarded.config, scope)}"} if scope else {}
        asker = Asker(guarded, **headers)
        if scope == "analyst":
            place.update(place_of(asker, store))
        asker.meet_all(place)
        answered |= {path for path, statuses in asker.met.items() if 200 in statuses}
        asker.close()
    # All that is told protected, and what only this build has.
    assert {CUSTOMERS, PACKED, "/v1/info/quality", "/v1/markets/{market}/statistics",
            "/v1/regions/{region}/comparison", "/v1/regions/{region}/demographics", "/v1/categories"} <= answered
