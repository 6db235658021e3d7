"""Goal: what the policy marks takes two operators, through the command line: the first only asks, the same person is
refused, another one carries it out, the audit log names both; clear refusals name field and way out."""
import copy
import json

import pytest

from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, wait_for


@pytest.fixture(scope="module")
def lab():
    policy = copy.deepcopy(POLICY)
    policy["second_person"] = {"verbs": ["promote", "resume"], "within": "10m"}
    with Lab(BIN, policy=policy) as lab:
        yield lab.init().start_server()


def operator(lab, name, role="operator"):
    """A profile of one more person."""
    token = lab.run("ringward-server", "token", "--dir", lab.server_dir, "--name", name, "--role", role, check=True).stdout
    (lab.server_dir / f"{name}.token").write_text(token)
    profile = lab.server_dir / f"{name}.conf"
    profile.write_text(f"server = {lab.url}\nca_file = tls/ca.pem\ntoken_file = {name}.token\n")
    lab.server.child.send_signal(1)  # SIGHUP: tokens are loaded anew

    def known():
        return lab.cli("--version").returncode == 0 and lab.cli("second", "list", "--profile", profile).returncode == 0
    wait_for(f"the server knows {name}", known)
    return lambda *args: lab.cli(*args, "--profile", profile)


def audit(lab):
    text = lab.cli("audit", "show", "--limit", "1000", "-o", "ndjson", check=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def test_two_operators_promote_and_one_alone_cannot(lab):
    release = lab.publish(EXAMPLES / "good-1.yar", "good")
    lab.cli("rollout", "start", release, check=True)
    lab.wait_rollout(release, {"ramping"})  # an empty ring never passes by itself
    ada, bob, eve = operator(lab, "ada"), operator(lab, "bob"), operator(lab, "eve", "viewer")

    asked = ada("rollout", "promote", "--reason", "no hosts in this ring", release)
    assert asked.returncode == 6 and "nothing has changed yet" in asked.stderr, asked.stderr
    assert f"ringward second confirm promote {release}" in asked.stderr
    assert lab.rollout(release)["state"] == "ramping"
    assert any(f"ada asks to promote {release}" in a for a in lab.json("status")["alarms"])
    assert "ada" in lab.cli("second", "list").stdout

    again = ada("second", "confirm", "promote", release)
    assert again.returncode == 6 and "another operator" in again.stderr, again.stderr
    assert eve("second", "confirm", "promote", release).returncode == 9
    assert bob("rollout", "promote", "--reason", "me too", release).returncode == 6

    done = bob("second", "confirm", "promote", release)
    assert done.returncode == 0, done.stderr
    ring = lab.rollout(release)["rings"][0]
    assert ring["state"] == "passed" and ring["reason"] == "stepped over by ada and bob: no hosts in this ring"
    assert lab.json("second", "list")["requests"][0]["state"] == "confirmed"
    decided = bob("second", "confirm", "promote", release)
    assert decided.returncode == 9 and "is confirmed" in decided.stderr

    records = {r["action"]: r for r in audit(lab)}
    assert records["second.ask"]["actor"] == "ada"
    assert records["second.confirm"]["details"]["asked_by"] == "ada"
    assert records["second.confirm"]["details"]["decided_by"] == "bob"
    assert records["rollout.promote"]["actor"] == "ada and bob"
    assert lab.cli("audit", "verify").returncode == 0

    # What has moved on since it was asked for is not stepped over unseen.
    asked = ada("rollout", "promote", "--reason", "the next one", release)
    assert asked.returncode == 6, asked.stderr
    lab.cli("rollout", "pause", "--reason", "one person is enough to stop", release, check=True)
    stale = bob("second", "confirm", "promote", release)
    assert stale.returncode == 8 and "ask anew" in stale.stderr, stale.stderr
    assert lab.rollout(release)["state"] == "held"
    resume = ada("rollout", "resume", release)
    assert resume.returncode == 2 and "reason" in resume.stderr, resume.stderr
    taken_back = ada("second", "refuse", "--reason", "moved on", "promote", release)
    assert taken_back.returncode == 0 and "nothing has changed" in taken_back.stdout

    stale = ada("rollout", "resume", "--reason", "go", "--generation", "1", release)
    assert stale.returncode == 8 and "rollout status" in stale.stderr, stale.stderr
    lab.cli("rollout", "halt", "--reason", "ticket 4711", release, check=True)
    for verb in ("pause", "halt"):
        r = lab.cli("rollout", verb, "--reason", "x", release)
        assert r.returncode == 9 and "new release" in r.stderr, r.stderr
    started = lab.cli("rollout", "start", release)
    assert started.returncode == 9 and "make a new release" in started.stderr, started.stderr


def test_rings_check_names_the_marked_verbs(lab):
    out = lab.cli("rings", "show").stdout
    assert "A second person has to confirm: promote, resume (within 10m)." in out
