"""Goal: another policy comes into force by the signatures of the targets role only, and people read in words what it
changes, before they sign and before it is sent."""
import fcntl
import json
import os

import pytest

from ceremony import Ceremony
from conftest import BIN
from lab import Lab


def pruned(lab):
    r = lab.run("ringward-server", "prune", "--dir", lab.server_dir, "--older-than", "0s", "--keep", "1", "-o", "json", check=True)
    return [e["path"] for e in json.loads(r.stdout)["removed"] if e["kind"] == "policy"]


@pytest.fixture(scope="module")
def prod():
    with Lab(BIN) as lab:
        ceremony = Ceremony(lab).init()
        lab.start_server()
        yield ceremony


def test_a_policy_is_told_signed_told_again_and_sent(prod):
    lab = prod.lab
    policy = json.loads((prod.dir / "rings.json").read_text())
    path = prod.dir / "next.json"
    path.write_text(json.dumps(policy))
    same = lab.cli("rings", "publish", "--out", prod.dir / "same", path)
    assert same.returncode == 9 and "says what is in force already" in same.stderr, same.stderr
    assert lab.cli("rings", "diff", path).returncode == 9

    policy["rings"][1]["bake"] = "4s"
    policy["rings"][2]["bake"] = "4s"
    policy["rings"][1]["gate"]["limit"] = "50%"
    policy["second_person"] = {"verbs": ["promote"]}
    path.write_text(json.dumps(policy))
    words = lab.cli("rings", "diff", path)
    assert words.returncode == 0, words.stderr
    assert "ring canary: bake: 2s -> 4s\n" in words.stdout
    assert "! ring canary: greatest failure share for a PASS: 45.00% -> 50.00%  (less careful)" in words.stdout
    assert "promote needs a second person" in words.stdout and ", 1 of them less careful" in words.stdout

    folder = prod.dir / "prepared"
    prepared = lab.cli("rings", "publish", "--out", folder, path, check=True).stdout
    assert "promote needs a second person" in prepared and f"ringward rings publish {folder}" in prepared
    unsigned = lab.cli("rings", "publish", folder)
    assert unsigned.returncode == 9 and "nothing was sent" in unsigned.stderr, unsigned.stderr
    assert "second_person" not in json.loads(prod.get("/v1/policy"))
    prod.sign(folder, "targets", "targets-1", "targets-2")
    # A policy lies there before targets list it: it does not come while old ones are being removed.
    policies = lab.server_dir / "repo" / "targets" / "policy"
    before = {f.name for f in policies.iterdir()}
    removing = os.open(policies, os.O_RDONLY)
    fcntl.flock(removing, fcntl.LOCK_EX)
    later = lab.cli("rings", "publish", folder)
    assert later.returncode != 0 and "old files of the repository are being removed" in later.stderr, later.stderr
    assert {f.name for f in policies.iterdir()} == before and prod.version("targets") == 1
    os.close(removing)
    sent = lab.cli("rings", "publish", folder, check=True).stdout
    assert "promote needs a second person" in sent and "now in force" in sent
    assert json.loads(prod.get("/v1/policy"))["second_person"] == {"verbs": ["promote"]}
    assert prod.version("targets") == 2
    # The one that nothing lists any more goes, the one in force stays, and everything else is in order.
    assert pruned(lab) == [f"repo/targets/policy/{name}" for name in before] and len(before) == 1
    assert json.loads(prod.get("/v1/policy"))["second_person"] == {"verbs": ["promote"]} and pruned(lab) == []

    # Once in force it changes nothing any more; what is no prepared folder, or no policy, is refused.
    again = lab.cli("rings", "publish", folder)
    assert again.returncode == 9 and "in force already" in again.stderr, again.stderr
    wrong = lab.cli("rings", "publish", path)
    assert wrong.returncode == 2 and "--out DIR" in wrong.stderr, wrong.stderr
    path.write_text('{"format": 1}')
    bad = lab.cli("rings", "publish", "--out", prod.dir / "bad", path)
    assert bad.returncode == 2 and "rings" in bad.stderr and not (prod.dir / "bad").exists(), bad.stderr
