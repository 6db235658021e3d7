"""Goal: every program refuses what it does not understand, says what and where, and nothing is lost."""
import json
import os
import shutil
import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import wait_for

PROGRAMS = ["ringward", "ringward-server", "ringward-signer", "ringward-agent", "ringward-box", "ringward-sensor", "ringward-http"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_there_and_unknown_options_are_refused(shared_lab, program):
    shown = shared_lab.run(program, "--help")
    assert shown.returncode == 0 and "Usage" in shown.stdout, shown.stdout + shown.stderr
    refused = shared_lab.run(program, "--no-such-option")
    assert refused.returncode == 2, refused.stderr
    assert "no-such-option" in refused.stderr and "--help" in refused.stderr


def test_inv_12_nobody_takes_keys_of_development_for_production(shared_lab):
    shown = shared_lab.cli("status", check=True).stdout
    assert "TRUST: development" in shown and "NOT FOR PRODUCTION" in shown, shown
    assert shared_lab.json("status")["server"]["trust"] == "development"


def test_an_agent_configuration_with_an_unknown_key_names_file_and_line(shared_lab):
    path = shared_lab.dir / "bad.conf"
    path.write_text("server = https://127.0.0.1:1\nserverr = x\n")
    refused = shared_lab.run("ringward-agent", "run", "--config", path, "--check-config")
    assert refused.returncode == 2
    assert "bad.conf" in refused.stderr and "2" in refused.stderr and "serverr" in refused.stderr


def test_a_server_configuration_with_an_unknown_key_names_file_and_line(shared_lab):
    folder = shared_lab.dir / "broken"
    shutil.copytree(shared_lab.server_dir, folder, ignore=shutil.ignore_patterns("store"))
    with open(folder / "server.conf", "a") as conf:
        conf.write("no_such_key = 1\n")
    refused = shared_lab.run("ringward-server", "check-config", "--dir", folder)
    assert refused.returncode == 2
    assert "server.conf" in refused.stderr and "no_such_key" in refused.stderr


def test_a_bad_policy_is_refused_with_path_and_line(shared_lab):
    path = shared_lab.dir / "bad.json"
    path.write_text('{\n "format": 1,\n "rings": [{"name": "a", "share": "rest", "bake": "1h"}],\n "clases": {}\n}\n')
    refused = shared_lab.cli("rings", "check", path)
    assert refused.returncode == 2 and "bad.json: line 4: clases: unknown member" in refused.stderr, refused.stderr
    assert "hint: known here: format, rings, classes" in refused.stderr


def test_an_operators_token_is_sent_to_no_other_host_in_plain_text(shared_lab):
    profile = shared_lab.dir / "plain.conf"
    for host in ("192.0.2.1:9", "localhost:80@192.0.2.1"):
        profile.write_text(f"server = http://{host}\ntoken_file = {shared_lab.server_dir}/tokens/admin.token\n")
        refused = shared_lab.cli("status", "--profile", profile)
        assert refused.returncode == 2 and "plain text" in refused.stderr and "https://" in refused.stderr, refused.stderr


def test_a_burst_too_small_for_a_full_spool_is_warned_of(shared_lab):
    def check(lines):
        folder = shared_lab.dir / "small-burst"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(shared_lab.server_dir, folder, ignore=shutil.ignore_patterns("ringward.db*"))
        (folder / "store" / "ringward.db").touch()
        conf = folder / "server.conf"
        kept = [x for x in conf.read_text().splitlines() if not x.startswith(("endpoint_rate", "limit_burst"))]
        conf.write_text("\n".join(kept + lines) + "\n")
        done = shared_lab.run("ringward-server", "check-config", "--dir", folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    warned = check(["endpoint_rate = 2", "limit_burst = 60s"])
    assert "warning: endpoint_rate (2 a second) for limit_burst (60 s) lets 120 requests" in warned
    assert "warning" not in check(["endpoint_rate = 32", "limit_burst = 4s"])  # 128: a whole spool
    assert "warning" not in check(["endpoint_rate = 0"])  # no limit


def test_what_is_not_there_is_refused_with_where_to_look(shared_lab):
    for told, hint in [(shared_lab.cli("fleet", "show", "0" * 32), "ringward fleet list"),
                       (shared_lab.cli("rollout", "halt", "--reason", "x", "yara/4711"), "ringward rollout history"),
                       (shared_lab.cli("rollout", "start", "yara/4711"), "ringward release list"),
                       (shared_lab.cli("control", "clear", "--tenant", "nobody", "--reason", "x"), "ringward control list")]:
        assert told.returncode == 7 and f"hint: '{hint}'" in told.stderr, told.stderr


class Api:
    def __init__(self, lab):
        self.lab = lab
        self.context = ssl.create_default_context(cafile=str(lab.server_dir / "tls" / "ca.pem"))
        self.admin = (lab.server_dir / "tokens" / "admin.token").read_text().strip()
        self.enrol = (lab.server_dir / "tokens" / "enrol.token").read_text().strip()

    def __call__(self, method, path, body=None, token=None):
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        request = urllib.request.Request(self.lab.url + path, data=data, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=20) as answer:
                return answer.status, self.body(answer), answer.headers
        except urllib.error.HTTPError as e:
            return e.code, self.body(e), e.headers

    @staticmethod
    def body(answer):
        text = answer.read()
        return json.loads(text) if "json" in answer.headers.get("Content-Type", "") and text else text


@pytest.fixture(scope="module")
def api(shared_lab):
    return Api(shared_lab)


@pytest.fixture(scope="module")
def endpoint_token(api):
    status, answer, _ = api("POST", "/v1/enrol", {"endpoint": "ab" * 16}, api.enrol)
    assert status == 200, answer
    return answer["token"]


COHORT = {"os": "debian-12", "arch": "x86_64", "engine": "yara-4.2"}
PERMIT = {"family": "yara", "release": 1, "sha256": "0" * 64, "ring": "internal", "from": 0, "cohort": COHORT}


@pytest.mark.parametrize("change, named", [
    ({"release": 0}, "release"),
    ({"release": "1"}, "release"),
    ({"sha256": "00"}, "sha256"),
    ({"ring": 7}, "ring"),
    ({"surplus": 1}, "surplus"),
    ({"cohort": {"os": "a"}}, "arch"),
])
def test_a_malformed_permit_request_names_the_member(api, endpoint_token, change, named):
    status, answer, _ = api("POST", "/v1/permits", {**PERMIT, **change}, endpoint_token)
    assert status == 400, answer
    assert named in answer["error"]["text"], answer


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"beacons":[]}', b'{"beacons":[{}]}', b'{"a":1,"a":2}', b"\xff\xfe"])
def test_a_malformed_beacon_body_is_400_with_a_code(api, endpoint_token, body):
    status, answer, _ = api("POST", "/v1/beacons", body, endpoint_token)
    assert status == 400, answer
    assert answer["error"]["code"] and answer["error"]["text"]


def test_an_oversized_body_is_413_before_it_is_read(api, endpoint_token):
    status, answer, _ = api("POST", "/v1/permits", b"x" * 100_000, endpoint_token)
    assert status == 413, answer
    assert "error" in answer


@pytest.mark.parametrize("method, path", [("GET", "/v1/releases"), ("POST", "/v1/permits"), ("POST", "/v1/enrol"),
                                          ("GET", "/v1/fleet"), ("GET", "/v1/audit")])
@pytest.mark.parametrize("token", [None, "rwo1.admin." + "0" * 64, "garbage", "rwe1." + "ab" * 16 + ".default." + "0" * 64])
def test_without_a_valid_token_the_answer_is_401(api, method, path, token):
    status, answer, _ = api(method, path, {} if method == "POST" else None, token)
    assert status == 401, answer
    assert answer["error"]["code"] == "AUTH"


def test_a_token_of_another_kind_is_403(api, endpoint_token):
    assert api("GET", "/v1/releases", None, endpoint_token)[0] == 403
    assert api("POST", "/v1/permits", PERMIT, api.admin)[0] == 403
    assert api("POST", "/v1/beacons", {"beacons": []}, api.enrol)[0] == 403


def test_an_endpoint_token_speaks_for_its_own_endpoint_only(api, endpoint_token):
    """INV-11: a token whose endpoint was changed is forged."""
    forged = endpoint_token.replace("ab" * 16, "cd" * 16)
    assert forged != endpoint_token
    assert api("POST", "/v1/permits", PERMIT, forged)[0] == 401


def test_a_viewer_may_look_and_not_touch(shared_lab, api):
    made = shared_lab.run("ringward-server", "token", "--dir", shared_lab.server_dir, "--name", "eve", "--role", "viewer")
    assert made.returncode == 0, made.stderr
    viewer = made.stdout.strip().splitlines()[-1].split()[-1]
    shared_lab.server.stop()
    shared_lab.start_server()
    assert api("GET", "/v1/releases", None, viewer)[0] == 200
    status, answer, _ = api("POST", "/v1/rollouts", {"family": "yara", "release": 1}, viewer)
    assert status == 403 and answer["error"]["code"] == "FORBIDDEN"


def test_unknown_paths_and_methods(api):
    assert api("GET", "/v1/no-such-thing", None, api.admin)[0] == 404
    status, _, headers = api("POST", "/v1/status", {}, api.admin)
    assert status == 405 and "GET" in headers["Allow"]


@pytest.mark.parametrize("path", ["/repo/../secret", "/repo/metadata/../../secret", "/repo/metadata/.timestamp.json.tmp",
                                  "/repo/%2e%2e/secret", "/repo/metadata", "/secret", "/signer/snapshot.key"])
def test_nothing_but_the_repository_is_served(api, path):
    assert api("GET", path)[0] in (400, 404)


def test_steering_without_a_reason_names_the_member(api):
    status, answer, _ = api("POST", "/v1/rollouts/yara/1/halt", {}, api.admin)
    assert status == 400 and "reason" in answer["error"]["text"], answer


def test_what_takes_long_about_a_payload_keeps_nobody_else_waiting(shared_lab, api):
    """A payload that cannot be read for now: whoever asked for it waits, the core goes on."""
    content = shared_lab.dir / "slow.yar"
    content.write_text("rule slow { condition: false }")
    release, _ = shared_lab.create(content, "slow", "--unchecked", "nothing is wrong with it")
    staged = shared_lab.server_dir / "staging" / release / "payload"
    staged.unlink()
    os.mkfifo(staged)  # the server's open() returns once somebody writes

    def let_go():
        try:
            os.close(os.open(staged, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads yet
            return False
        return True
    path = f"/v1/releases/{release}/payload"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api, "GET", path, None, api.admin)
        try:
            for _ in range(20):
                assert api("GET", f"/v1/releases/{release}", None, api.admin)[0] == 200
            assert not waiting.done()
        finally:
            wait_for("the server reads it", let_go, 60)
        status, answer, _ = waiting.result(30)
    assert status == 403 and "changed on the disk" in answer["error"]["text"]
    staged.unlink()
    assert api("GET", path, None, api.admin)[0] == 404


def test_the_server_is_alive_after_all_that(api):
    assert api("GET", "/healthz")[0] == 200
    assert api("GET", "/readyz")[0] == 200
