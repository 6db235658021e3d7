"""Goal: lists of releases come in pages, by family and state, from both ends; the command line shows all of them, and finds
the release before however many drafts lie between."""
import contextlib
import http.client
import json

import pytest
from conftest import BIN
from lab import Lab
from test_hostile_clients import CONTEXT, get
from test_prune import rule

DRAFTS = 105  # more than the command line asks for at once
DECLARED = {"family": "yara", "class": "rules", "notes": "one of many", "engine": {"min": 0, "max": 999999},
            "platforms": ["linux-x86_64"], "payload": {"sha256": "0" * 64, "bytes": 1}}


class Api:
    def __init__(self, lab):
        self.connection = http.client.HTTPSConnection("127.0.0.1", lab.port, context=CONTEXT, timeout=30)
        lab.admin = (lab.server_dir / "tokens" / "admin.token").read_text().strip()
        self.headers = {"Authorization": f"Bearer {lab.admin}", "Content-Type": "application/json"}

    def __call__(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        r = self.connection.getresponse()
        return r.status, json.loads(r.read())


@pytest.fixture(scope="module")
def many():
    with Lab(BIN, clean_files=4) as lab:
        lab.init().start_server()
        lab.api = Api(lab)
        lab.publish(rule(lab, "first"), "published before them")
        for _ in range(DRAFTS):
            assert lab.api("POST", "/v1/releases", DECLARED)[0] == 201
        yield lab
        with contextlib.suppress(OSError):
            lab.api.connection.close()


def numbers(page):
    return [r["release"] for r in page["releases"]]


def test_pages_follow_each_other_from_both_ends(many):
    status, page = many.api("GET", "/v1/releases?limit=50")
    assert status == 200 and numbers(page) == list(range(1, 51)) and page["next"] == "yara/50"
    page = many.api("GET", "/v1/releases?limit=100&after=yara/50")[1]
    assert numbers(page) == list(range(51, DRAFTS + 2)) and "next" not in page
    page = many.api("GET", "/v1/releases?order=newest&limit=2&family=yara")[1]
    assert numbers(page) == [DRAFTS + 1, DRAFTS] and page["next"] == f"yara/{DRAFTS}"
    assert numbers(many.api("GET", "/v1/releases?state=published")[1]) == [1]
    assert numbers(many.api("GET", "/v1/releases?family=ids")[1]) == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "state=good", "order=up", "after=yara", "after=yara/0", "family=Y"])
def test_a_bad_query_is_refused(many, query):
    status, answer = many.api("GET", f"/v1/releases?{query}")
    assert 400 <= status < 500 and "error" in answer, answer


def test_the_command_line_shows_all_of_them(many):
    assert numbers(many.json("release", "list")) == list(range(1, DRAFTS + 2))
    lines = many.cli("release", "list", "-o", "ndjson", check=True).stdout.splitlines()
    assert len(lines) == DRAFTS + 1
    assert numbers(many.json("release", "list", "--state", "published")) == [1]
    assert many.cli("release", "list", "--state", "good").returncode != 0


def test_the_release_before_is_found_behind_them(many):
    release, _ = many.create(rule(many, "second"), "the next")
    assert release == f"yara/{DRAFTS + 2}"
    checks = many.json("release", "show", release)["check"]["checks"]
    assert any("before" in c for c in checks), checks


def test_inv_3_what_was_given_up_is_never_published(many):
    release, _ = many.create(rule(many, "wrong"), "wrong file")
    for engineer in ("alice", "bob"):
        many.sign(release, engineer)
    assert many.api("POST", f"/v1/releases/{release}/abandon", {})[0] == 400
    assert many.cli("release", "abandon", "--reason", "wrong file", release, check=True).stdout.startswith(release)
    assert many.json("release", "show", release)["state"] == "withdrawn"
    refused = many.cli("release", "publish", release)
    assert refused.returncode == 9 and "withdrawn" in refused.stderr, refused.stderr
    last = json.loads(many.cli("audit", "export", check=True).stdout.splitlines()[-1])
    assert (last["action"], last["object"], last["reason"]) == ("release.abandon", release, "wrong file")
    refused = many.cli("release", "abandon", "--reason", "too late", "yara/1")
    assert refused.returncode == 9 and "published" in refused.stderr, refused.stderr
    assert many.json("release", "show", "yara/1")["state"] == "published"


def test_inv_11_a_tenants_viewer_sees_what_its_endpoints_may_get_and_no_more(many):
    """Approved, given up, never there: the same answer. By an engineer's token of no tenant the bytes are there."""
    token = many.cli("token", "create", "--name", "red", "--role", "publisher", "--tenant", "red", check=True).stdout.strip()
    release, _ = many.create(rule(many, "secret"), "not out yet")
    number = int(release.split("/")[1])
    assert get(many, f"/v1/releases/{release}/payload", many.admin) == (200, (many.dir / "secret.yar").read_bytes())
    never = {path: get(many, f"/v1/releases/yara/{number + 1}{path}", token) for path in ("", "/payload")}
    assert {status for status, _ in never.values()} == {404}
    for engineer in ("alice", "bob"):
        many.sign(release, engineer)
    for state in ("approved", "withdrawn"):
        assert many.json("release", "show", release)["state"] == state
        for path, (status, text) in never.items():
            there = get(many, f"/v1/releases/{release}{path}", token)
            assert there == (status, text.replace(str(number + 1).encode(), str(number).encode())), (state, path, there)
        if state == "approved":
            many.cli("release", "abandon", "--reason", "wrong file", release, check=True)
    assert numbers(json.loads(get(many, "/v1/releases?limit=1000", token)[1])) == [1]
    assert json.loads(get(many, "/v1/releases?state=draft", token)[1]) == {"releases": []}
    assert json.loads(get(many, "/v1/status", token)[1])["releases"] == 1
    assert get(many, "/v1/releases/yara/1/payload", token) == (200, (many.dir / "first.yar").read_bytes())
    assert get(many, f"/v1/releases/{release}/tosign", token)[0] == 403
