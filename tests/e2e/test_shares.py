"""Goal: endpoints of one tenant that take every permit they can get and never say a word again do not stop the rollout of
the others, nobody resumes or halts anything, and both laws of the window hold at every look (INV-1, INV-11)."""
import contextlib
import copy
import http.client
import json
import os
import re
import ssl
import signal
import threading
import time

import pytest

from bounds import Bounds
from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, wait_for
from test_hostile_clients import get

CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE
COHORT = {"os": "debian-12", "arch": "x86_64", "engine": "yara-4.2"}
START, OWN = 8, 4  # of the window, and of it for one tenant beside others
FLOOD, OTHERS = 16, 16


@pytest.fixture
def lab():
    policy = copy.deepcopy(POLICY)
    policy["rings"] = [{"name": "broad", "share": "rest", "gate": {"limit": "90%", "min_healthy": OTHERS}}]
    policy["classes"] = {"rules": {}}
    policy["window"] = {"confirm": {"start": START, "per_survivor_thousandths": 1000, "deadline": "60s", "probation": "1s"},
                        "cohort": {"start": START}}
    with Lab(BIN, policy=policy) as lab:
        yield lab.init().start_server()


class Tenant:
    """Endpoints of one tenant over one connection, by hand."""

    def __init__(self, lab, name, count):
        self.lab = lab
        self.connection = http.client.HTTPSConnection("127.0.0.1", lab.port, context=CONTEXT, timeout=30)
        join = lab.run("ringward-server", "token", "--dir", lab.server_dir, "--name", f"join-{name}", "--role", "enrol",
                       "--tenant", name, check=True).stdout.strip()
        lab.server.child.send_signal(signal.SIGHUP)  # takes new tokens over
        ids = [os.urandom(16).hex() for _ in range(count)]
        wait_for("the token is known", lambda: self.post("/v1/enrol", join, {"endpoint": ids[0]})[0] == 200)
        self.tokens = [self.post("/v1/enrol", join, {"endpoint": i})[1]["token"] for i in ids]
        self.granted, self.reasons = set(), set()
        for token in self.tokens:
            self.beacon(token)

    def post(self, path, token, body):
        self.connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {token}"})
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if answer.status == 200 else text

    def beacon(self, token, **more):
        b = {"id": os.urandom(16).hex(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kind": "alive",
             "ring": "broad", "cohort": COHORT, "grade": "full", "trust": "development", **more}
        status, text = self.post("/v1/beacons", token, {"beacons": [b]})
        assert status == 200, text

    def ask(self, token, number, sha256):
        status, answer = self.post("/v1/permits", token, {"family": "yara", "release": number, "sha256": sha256,
                                                          "ring": "broad", "from": 0, "cohort": COHORT})
        assert status == 200, answer
        if answer["decision"] == "granted":
            self.granted.add(token)
        else:
            self.reasons.add(answer.get("reason", ""))
        return token in self.granted


def flooding(tenant, done, *what):
    while not done.is_set():
        for token in tenant.tokens:
            if token not in tenant.granted:
                tenant.ask(token, *what)
        done.wait(0.05)


def test_inv_11_a_silent_flood_of_one_tenant_does_not_stop_the_others(lab):
    red, blue = Tenant(lab, "red", FLOOD), Tenant(lab, "blue", OTHERS)
    release = lab.publish(EXAMPLES / "good-1.yar", "good")
    number = int(release.split("/")[1])
    what = (number, lab.json("release", "show", release)["payload"]["sha256"])
    lab.cli("rollout", "start", release, check=True)
    done = threading.Event()
    flood = threading.Thread(target=flooding, args=(red, done, *what), daemon=True)
    with contextlib.ExitStack() as stack:
        stack.callback(flood.join)
        stack.callback(done.set)
        flood.start()
        wait_for("the flood has what it may have", lambda: len(red.granted) >= OWN, 60, 0.05)
        with Bounds(lab, release):
            # The others come when the flood has been there for long; the first half of them finds the flood pending.
            for token in blue.tokens:
                wait_for("a place", lambda t=token: blue.ask(t, *what), 30, 0.05)
                blue.beacon(token, kind="healthy", family="yara", release=number, sha256=what[1], generation=2)
            assert len(red.granted) == OWN, red.reasons
            assert any("for other tenants" in reason for reason in red.reasons), red.reasons
            explained = lab.json("explain", release)["rings"][0]
            assert explained["window"]["tenant_own"] == OWN
            assert explained["unproven_most"] == {"tenant": "red", "endpoints": OWN}
            assert explained["window"]["room"] >= START
            assert "of tenant red" in lab.cli("explain", release, check=True).stdout
            rollout = lab.wait_rollout(release, {"complete"}, 60)
    assert rollout["tenants_held"] == [] and rollout["rings"][0]["healthy"] == OTHERS, rollout


def hears_nothing_of_red(lab, release):
    """Whose token is another tenant's."""
    token = lab.cli("token", "create", "--name", "look", "--role", "operator", "--tenant", "blue", check=True).stdout.strip()
    for path in ("/v1/status", "/v1/rollouts", f"/v1/rollouts/{release}"):
        status, text = get(lab, path, token)
        assert status == 200 and b"tenants_held" in text and not re.search(rb"\bred\b", text), text
    assert get(lab, f"/v1/rollouts/{release}/explain", token)[0] == 403


def test_inv_11_a_tenant_that_forges_refusals_is_held_alone_and_nobody_has_to_resume(lab):
    red, blue = Tenant(lab, "red", 6), Tenant(lab, "blue", OTHERS)
    release = lab.publish(EXAMPLES / "good-1.yar", "good")
    number = int(release.split("/")[1])
    what = (number, lab.json("release", "show", release)["payload"]["sha256"])
    about = {"family": "yara", "release": number, "sha256": what[1]}
    lab.cli("rollout", "start", release, check=True)
    wait_for("a place", lambda: blue.ask(blue.tokens[0], *what), 30, 0.05)
    for token in red.tokens:
        red.beacon(token, kind="refused", generation=0, **about)
    with Bounds(lab, release):
        wait_for("the tenant is held", lambda: lab.rollout(release)["tenants_held"] == ["red"], 30, 0.1)
        assert not red.ask(red.tokens[0], *what) and not lab.rollout(release).get("halt")
        assert any("red" not in alarm and release in alarm for alarm in lab.json("status")["alarms"])  # INV-12
        hears_nothing_of_red(lab, release)
        for token in blue.tokens:
            wait_for("a place", lambda t=token: blue.ask(t, *what), 30, 0.05)
            blue.beacon(token, kind="healthy", generation=2, **about)
        rollout = lab.wait_rollout(release, {"complete"}, 60)
    assert rollout["tenants_held"] == ["red"] and rollout["resumes"] == 0, rollout
    (kept,) = lab.json("explain", release)["stopped"]
    assert kept["scope"] == "tenant red in ring broad" and kept["term"] == "refuse" and 1 < kept["failures"] <= 6, kept
    assert kept["scope"] in lab.cli("explain", release, check=True).stdout
