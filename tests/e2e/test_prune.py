"""Goal: `ringward-server prune` beside a running server takes old files and nothing that an endpoint, the signer or a
later release needs; what it does not understand stays, and damaged metadata stop it before the first file goes."""
import contextlib
import copy
import fcntl
import json
import os
import sqlite3
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, wait_for


def one_ring():
    policy = copy.deepcopy(POLICY)
    policy["rings"] = [{"name": "broad", "share": "rest", "bake": "1s", "gate": {"limit": "90%", "min_healthy": 1}}]
    policy["classes"] = {"rules": {}}
    return policy


def rule(lab, name):
    path = lab.dir / f"{name}.yar"
    path.write_text(f'rule {name} {{ strings: $a = "no clean file holds {name} 5f1e" condition: $a }}\n')
    return path


def tree(lab):
    return {str(p.relative_to(lab.server_dir)) for top in ("repo", "staging")
            for p in (lab.server_dir / top).rglob("*") if not p.name.startswith(".")}


def prune(lab, *args, **more):
    return lab.run("ringward-server", "prune", "--dir", lab.server_dir, "--older-than", "0s", "--keep", "1", *args, **more)


def withdraw(lab, release):
    lab.cli("release", "withdraw", "--reason", "harms", release, check=True)
    for who in ("alice", "bob"):
        lab.cli("release", "sign", "--key", lab.server_dir / f"engineers/{who}.key", "--withdraw", release, check=True)


def fetched(lab, path):
    trust = ssl.create_default_context(cafile=str(lab.server_dir / "tls" / "ca.pem"))
    try:
        return urllib.request.urlopen(f"{lab.url}/{path}", context=trust, timeout=20).status
    except urllib.error.HTTPError as e:
        return e.code


def payload(lab, release):
    family, number = release.split("/")
    return f"repo/targets/content/{family}/{lab.json('release', 'show', release)['payload']['sha256']}.{number}.rwc"


def names_of_roots(files):
    return {f for f in files if f.endswith(".root.json")}


def refuses_when_damaged(lab, name, damage, *args):
    path = lab.server_dir / "repo" / "metadata" / name
    good = path.read_bytes()
    path.write_bytes(damage(good))
    before = tree(lab)
    r = prune(lab, *args)
    path.write_bytes(good)
    assert r.returncode != 0 and "nothing is removed" in r.stderr and name in r.stderr, r.stderr
    assert before <= tree(lab)


def current(lab, role):
    metadata = lab.server_dir / "repo" / "metadata"
    stamp = json.loads((metadata / "timestamp.json").read_text())["signed"]["meta"]["snapshot.json"]["version"]
    if role == "snapshot":
        return f"{stamp}.snapshot.json"
    listed = json.loads((metadata / f"{stamp}.snapshot.json").read_text())["signed"]["meta"]
    return f"{listed[f'{role}.json']['version']}.{role}.json"


def test_what_nobody_needs_goes_and_everything_else_works_on():
    with Lab(BIN, policy=one_ring(), clean_files=4) as lab:
        lab.init().start_server()
        before = lab.publish(EXAMPLES / "good-1.yar", "the one before")
        more = lab.dir / "more.yar"
        more.write_text((EXAMPLES / "good-1.yar").read_text() + rule(lab, "more_of_it").read_text())
        bad = lab.publish(more, "withdrawn later")
        deltas = lab.server_dir / "repo" / "targets" / "delta" / "yara"
        wait_for("the difference to it is made", lambda: deltas.is_dir() and any(deltas.glob("*.zst")), 60)
        withdraw(lab, bad)
        now = lab.publish(rule(lab, "third"), "the present one")
        draft, _ = lab.create(rule(lab, "fourth"), "waits for signatures")
        lab.cli("rollout", "start", now, check=True)
        wait_for("the ring points at it", lambda: lab.rollout(now)["rings"][0]["state"] != "pending", 60)
        strangers = {"repo/metadata/notes.txt", "repo/targets/content/yara/old.bak", "staging/yara/9", "staging/Lost+Found"}
        for path in strangers:
            (lab.server_dir / path).write_text("whose is this?") if "." in path else (lab.server_dir / path).mkdir()

        whole = tree(lab)
        told = json.loads(prune(lab, "--dry-run", "-o", "json", check=True).stdout)
        assert whole <= tree(lab) and told["dry_run"] and told["removed"]
        assert json.loads(prune(lab, "--older-than", "1d", "-o", "json", check=True).stdout)["removed"] == []
        # What a version that stays lists is still wanted, though the one in force does not list it any more.
        more = json.loads(prune(lab, "--dry-run", "--keep", "99", "-o", "json", check=True).stdout)["removed"]
        assert payload(lab, bad) not in {r["path"] for r in more} and f"staging/{bad}" in {r["path"] for r in more}
        refuses_when_damaged(lab, "1.content-yara.json", lambda b: b[:len(b) // 2], "--keep", "99")
        refuses_when_damaged(lab, "timestamp.json", lambda b: b[:len(b) // 2])
        refuses_when_damaged(lab, current(lab, "targets"), lambda b: b[:len(b) // 2])
        refuses_when_damaged(lab, current(lab, "content-yara"), lambda b: b + b" ")  # another hash, still JSON

        done = prune(lab, "-o", "json", check=True)
        said = json.loads(done.stdout)
        gone = {r["path"] for r in said["removed"]}
        assert set(said["unknown"]) == strangers
        assert {r["kind"] for r in said["removed"]} == {"metadata", "payload", "delta", "staging"}
        assert payload(lab, bad) in gone and f"staging/{bad}" in gone
        left = tree(lab)
        assert not gone & left and strangers <= left and names_of_roots(left) == names_of_roots(whole)
        assert {payload(lab, before), payload(lab, now), *(f"staging/{r}/payload" for r in (before, now, draft))} <= left
        assert len([f for f in left if f.endswith(".snapshot.json")]) <= 2  # and one that was published meanwhile
        assert all(f"path={p}" in done.stderr for p in gone)
        assert fetched(lab, payload(lab, before)) == 200 and fetched(lab, payload(lab, bad)) == 404

        agent = lab.add_agent("computed")
        wait_for("a new endpoint has content", lambda: agent.active_release() == int(now.split("/")[1]), 60)
        for who in ("alice", "bob"):
            lab.sign(draft, who)
        lab.cli("release", "publish", draft, check=True)
        wait_for("the present one is proven", lambda: lab.marked(int(now.split("/")[1]), "healthy"), 60)
        lab.cli("rollout", "promote", "--reason", "one endpoint is all there is", now, check=True)
        lab.wait_rollout(now, {"complete"}, 60)
        lab.cli("rollout", "start", draft, check=True)
        wait_for("and the next release", lambda: agent.active_release() == int(draft.split("/")[1]), 60)
        records = lab.cli("audit", "show", "--limit", "1000", "-o", "ndjson", check=True).stdout
        assert [r["action"] for r in map(json.loads, records.splitlines())].count("server.prune") == 1
        lab.cli("audit", "verify", check=True)
        lab.run("ringward-server", "check", "--dir", lab.server_dir, check=True)

        # And a backup waits for it: what it has listed must be there when it copies it.
        removing = os.open(lab.server_dir, os.O_RDONLY)
        fcntl.flock(removing, fcntl.LOCK_EX)
        with pytest.raises(subprocess.TimeoutExpired):
            lab.run("ringward-server", "backup", "--dir", lab.server_dir, "--to", lab.dir / "backup", timeout_s=2)
        os.close(removing)
        lab.run("ringward-server", "backup", "--dir", lab.server_dir, "--to", lab.dir / "backup", check=True)


def age(lab, days=100):
    """As if everything that lies there had been written so long ago."""
    then = time.time() - days * 86400
    for top in ("repo", "staging"):
        for path in (lab.server_dir / top).rglob("*"):
            if not path.name.startswith("."):  # one that is being written goes away beneath us
                os.utime(path, (then, then))


def sample(lab, name):
    trust = ssl.create_default_context(cafile=str(lab.server_dir / "tls" / "ca.pem"))
    text = urllib.request.urlopen(f"{lab.url}/metrics", context=trust, timeout=20).read().decode()
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), None)


def test_the_server_does_it_by_itself_and_waits_for_a_backup():
    with Lab(BIN, policy=one_ring(), clean_files=4) as lab:
        lab.init()
        conf = lab.server_dir / "server.conf"
        settings = conf.read_text()
        conf.write_text(settings + "retention_every = 0s\n")
        lab.start_server()
        now = lab.publish(rule(lab, "first"), "the present one")
        bad = lab.publish(rule(lab, "second"), "withdrawn later")
        withdraw(lab, bad)
        assert sample(lab, "ringward_retention_") is None
        lab.server.stop()
        conf.write_text(settings + "retention_records = 7d\n")
        refused = lab.run("ringward-server", "check-config", "--dir", lab.server_dir)
        assert refused.returncode != 0 and "retention_records is 0s (never) or at least 30d" in refused.stderr

        conf.write_text(settings + "retention_every = 1s\nretention_keep = 1\nretention_audit = 30d\n")
        with contextlib.closing(sqlite3.connect(lab.server_dir / "store" / "ringward.db")) as db, db:
            moved = db.execute("UPDATE audit SET at_s = at_s - 40 * 86400 WHERE seq < (SELECT max(seq) FROM audit)").rowcount
        held = os.open(lab.server_dir, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_SH)  # as a backup does
        lab.start_server()
        age(lab)
        before = tree(lab)
        gone = payload(lab, bad)
        wait_for("it waits for the backup", lambda: "event=retention_later" in lab.server.tail(400), 60)
        assert before <= tree(lab) and sample(lab, "ringward_retention_runs_total") == 0
        os.close(held)
        wait_for("what nobody needs goes", lambda: not (lab.server_dir / gone).exists(), 60)
        wait_for("it is counted", lambda: sample(lab, 'ringward_retention_removed_total{kind="payload"}') == 1, 60)
        assert sample(lab, "ringward_retention_last_success_seconds") > time.time() - 600
        assert (lab.server_dir / payload(lab, now)).exists() and not (lab.server_dir / "staging" / bad).exists()
        records = [json.loads(r) for r in lab.cli("audit", "show", "--limit", "1000", "-o", "ndjson", check=True).stdout.splitlines()]
        mine = [r for r in records if r["action"] == "server.prune"]
        assert len(mine) == 1 and mine[0]["actor"] == "server" and mine[0]["details"]["payload"]["files"] == 1

        # The old part of the audit log is in a file, and the chain holds over both (INV-9).
        wait_for("records move", lambda: sample(lab, 'ringward_retention_removed_total{kind="audit"}') == moved, 60)
        [segment] = (lab.server_dir / "audit").glob("*.ndjson")
        alone = lab.json("audit", "verify", segment)
        assert (alone["records"], alone["after"]) == (moved, 0)
        here = lab.json("audit", "verify")
        assert here["after"] == moved and lab.json("audit", "verify", "--live", segment)["after"] == 0
        assert "records 1 to" in lab.cli("audit", "verify", check=True).stdout
        lab.cli("audit", "verify", "--remembered", alone["hash"], check=True)
        export = lab.dir / "export.ndjson"
        export.write_text(lab.cli("audit", "export", check=True).stdout)
        lab.cli("audit", "verify", segment, export, check=True)
        bent = lab.dir / "bent.ndjson"
        bent.write_text(segment.read_text().replace('"reason":"harms"', '"reason":"helps"'))
        assert bent.read_text() != segment.read_text() and lab.cli("audit", "verify", bent).returncode == 9
        cut = lab.dir / "cut.ndjson"
        cut.write_text("".join(segment.read_text().splitlines(keepends=True)[:-1]))
        assert lab.cli("audit", "verify", cut).returncode == 0 and lab.cli("audit", "verify", "--live", cut).returncode == 9

        # What it does not understand stops it, is an alarm, and is gone from there when it is in order again.
        path = lab.server_dir / "repo" / "metadata" / current(lab, "content-yara")
        good = path.read_bytes()
        path.write_bytes(good + b" ")
        wait_for("it fails", lambda: sample(lab, 'ringward_retention_runs_total{result="failed"}'), 60)
        assert any(a.startswith("retention: nothing is removed") for a in lab.json("status")["alarms"])
        path.write_bytes(good)
        lab.run("ringward-server", "backup", "--dir", lab.server_dir, "--to", lab.dir / "backup", check=True)
        lab.run("ringward-server", "restore", "--from", lab.dir / "backup", "--dir", lab.dir / "again", check=True)
        assert (lab.dir / "again" / "audit" / segment.name).read_bytes() == segment.read_bytes()
        wait_for("it works again", lambda: not [a for a in lab.json("status")["alarms"] if a.startswith("retention")], 60)
        lab.cli("audit", "verify", check=True)
        lab.run("ringward-server", "check", "--dir", lab.server_dir, check=True)
