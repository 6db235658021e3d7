"""Goal: keys can be lost, stolen and replaced. A server of a real ceremony, an agent as the reader, and for every role the
way back to health: nobody has to touch an endpoint, and nothing below a threshold gets through."""
import datetime
import json
import shutil
import signal
import struct

import pytest

from ceremony import Ceremony, Thief, secret_parts, when
from conftest import BIN
from lab import EXAMPLES, Lab, wait_for

TOP = 2**53 - 2


@pytest.fixture
def prod():
    """A server with a ceremony's trust that runs, without endpoints."""
    with Lab(BIN) as lab:
        ceremony = Ceremony(lab).init()
        lab.start_server()
        yield ceremony


@pytest.fixture
def lab(prod):
    return prod.lab


def agent_has(agent, role: str) -> int:
    """The version that the agent trusts; 0: none."""
    try:
        return json.loads((agent.state / "trust" / f"{role}.json").read_text())["signed"]["version"]
    except FileNotFoundError:
        return 0


def agent_polls(agent) -> bool:
    return agent.status().get("poll", {}).get("ok", False)


def wait_agent(agent, **versions):
    wait_for(f"{agent.name} trusts {versions}", lambda: all(agent_has(agent, r) == v for r, v in versions.items())
             and agent_polls(agent), 30)


# --- the ceremony ---
def test_a_ceremony_makes_a_server_that_rolls_out_without_a_key_of_people(prod, lab):
    agents = [lab.add_agent("internal") for _ in range(4)]
    release = prod.release(EXAMPLES / "good-1.yar", "first of production")
    lab.cli("rollout", "start", release, check=True)
    wait_for("every endpoint of the first ring has it", lambda: len(lab.on_release(1)) == 4, 90, 0.5)
    assert lab.json("status")["server"]["trust"] == "production"
    assert agents[0].status()["trust"] == "ok"
    assert not (lab.server_dir / "offline").exists() and not (lab.server_dir / "engineers").exists()


def test_two_machines_build_the_same_documents(prod, lab):
    again = prod.dir / "second-machine"
    spec = prod.dir / "ceremony.json"
    first = lab.cli("trust", "show", prod.dir / "first", "-o", "json", check=True)
    lab.cli("trust", "init", "--spec", spec, "--out", again, check=True)
    second = lab.cli("trust", "show", again, "-o", "json", check=True)
    hashes = [{k: v["sha256"] for k, v in json.loads(r.stdout).items()} for r in (first, second)]
    assert hashes[0] == hashes[1] and len(hashes[0]) == 3


@pytest.mark.parametrize("change,words", [
    ({"root": {"threshold": 4, "keys": ["root-1.pub", "root-2.pub", "root-3.pub"]}}, "nobody could sign"),
    ({"families": {"yara": {"threshold": 1, "keys": ["alice.pub", "bob.pub"]}}}, "at least 2 "),
    ({"families": {"yara": {"threshold": 2, "keys": ["alice.pub", "online/ring-broad.pub"]}}}, "share a key"),
    ({"root": {"threshold": 1, "keys": ["online/timestamp.pub"]}}, "share a key"),
    ({"families": {"yara": {"threshold": 2, "keys": ["alice.pub", "alice.pub"]}}}, "has the key"),
    ({"extra": 1}, "extra"),
    ({"expires": {"root": when(30), "targets": when(60), "content": when(14)}}, "after root"),
    ({"expires": {"root": when(30), "targets": when(20), "content": when(60)}}, "after root"),
])
def test_a_plan_that_nobody_could_keep_is_refused(prod, lab, change, words):
    out = prod.dir / "refused"
    r = lab.cli("trust", "init", "--spec", prod.spec(**change), "--out", out)
    assert r.returncode in (2, 9) and words in r.stderr, r.stderr


def test_a_first_ceremony_below_its_thresholds_is_not_put_together(prod, lab):
    folder = prod.dir / "again"
    lab.cli("trust", "init", "--spec", prod.dir / "ceremony.json", "--out", folder, check=True)
    prod.sign(folder, "root", "root-1")
    prod.sign(folder, "targets", "targets-1", "targets-2")
    prod.sign(folder, "content-yara", "alice", "bob")
    shutil.copy(next(folder.glob("root.json.*.sig")), folder / "root.json.copy.sig")  # one signature twice is one vote
    r = lab.cli("trust", "assemble", folder, "--out", prod.dir / "never")
    assert r.returncode == 9 and "1 valid signatures, needs 2" in r.stderr, r.stderr
    prod.sign(folder, "root", "alice")  # somebody's, but not a root key's
    assert lab.cli("trust", "assemble", folder, "--out", prod.dir / "never").returncode == 9
    assert not (prod.dir / "never").exists()
    # A document that changed after it was signed is noticed by name.
    text = (folder / "root.json").read_text()
    (folder / "root.json").write_text(text.replace('"threshold":2', '"threshold":1', 1))
    r = lab.cli("trust", "assemble", folder, "--out", prod.dir / "never")
    assert r.returncode == 9 and "signs another document" in r.stderr, r.stderr
    r = lab.cli("trust", "sign", "--key", prod.key("root-2"), "--expect", "0" * 64, folder / "root.json")
    assert r.returncode == 9 and "nothing is signed" in r.stderr, r.stderr


# --- thefts and losses ---
def test_stolen_timestamp_and_snapshot_keys_are_cured_by_a_root(prod, lab):
    """The versions of the thief are at the top: only a change of keys brings them down again."""
    agent = lab.add_agent("internal")
    wait_for("the agent follows", lambda: agent_has(agent, "timestamp") >= 1 and agent_polls(agent), 30)
    Thief(prod, "timestamp", "snapshot").push_up(TOP)
    wait_for("the agent took the thief's versions", lambda: agent_has(agent, "snapshot") == TOP, 30)
    # The signer cannot go on from there, and says so.
    release, _ = lab.create(EXAMPLES / "good-1.yar", "under a thief")
    for name in ("alice", "bob"):
        lab.cli("release", "sign", "--key", prod.key(name), release, check=True)
    stuck = lab.cli("release", "publish", release)
    assert stuck.returncode != 0 and "rotate the key" in stuck.stderr, stuck.stderr

    online = prod.online_keys("--new", "timestamp,snapshot")
    folder = prod.rotate("--role", "timestamp,snapshot", "--keys", online)
    assert sorted(p.name for p in folder.iterdir()) == ["root.json"]
    prod.sign(folder, "root", "root-1", "root-3")
    prod.publish(folder)
    assert (prod.version("root"), prod.version("snapshot"), prod.version("timestamp")) == (2, 1, 1)
    wait_agent(agent, root=2, timestamp=1, snapshot=1)
    lab.cli("release", "publish", release, check=True)
    wait_agent(agent, timestamp=2, snapshot=2)

    # The stolen keys are worth nothing any more: the signer goes on with the new ones, also after a restart.
    lab.server.stop()
    lab.start_server()
    assert not (lab.server_dir / "signer" / "timestamp.next.key").exists(), "the new key took its place"
    lab.cli("rollout", "start", release, check=True)
    wait_for("the endpoint installs it", lambda: agent.active_release() == 1, 60, 0.3)


def test_a_backup_that_is_older_than_the_thief_is_cured_too(prod, lab):
    """The repository is restored, but signer, server and agent have seen the thief's versions."""
    agent = lab.add_agent("internal")
    wait_for("the agent follows", lambda: agent_polls(agent), 30)
    metadata = lab.server_dir / "repo" / "metadata"
    backup = prod.dir / "backup"
    shutil.copytree(metadata, backup)
    Thief(prod, "timestamp", "snapshot").push_up(TOP)
    wait_for("the agent took the thief's versions", lambda: agent_has(agent, "snapshot") == TOP, 30)
    stuck = lab.cli("rollout", "start", "yara/1")  # makes the server look at its repository
    assert stuck.returncode != 0
    for path in metadata.iterdir():
        path.unlink()
    shutil.copytree(backup, metadata, dirs_exist_ok=True)
    folder = prod.rotate("--role", "timestamp,snapshot", "--keys", prod.online_keys("--new", "timestamp,snapshot"))
    prod.sign(folder, "root", "root-2", "root-3")
    prod.publish(folder)
    wait_agent(agent, root=2, timestamp=1, snapshot=1)


def test_a_lost_engineers_key_is_replaced_and_the_family_signed_anew(prod, lab):
    agent = lab.add_agent("internal")
    release = prod.release(EXAMPLES / "good-1.yar", "signed by alice and bob")
    lab.cli("rollout", "start", release, check=True)
    wait_for("the endpoint has it", lambda: agent.active_release() == 1, 60, 0.3)

    folder = prod.rotate("--role", "content-yara", "--remove", prod.keyid("bob")[:12])
    assert sorted(p.name for p in folder.iterdir()) == ["content-yara.json", "targets.json"]
    prod.sign(folder, "targets", "targets-1", "targets-2")
    refused = prod.publish(folder, check=False)
    assert refused.returncode == 9 and "nothing was sent" in refused.stderr, refused.stderr
    # The server refuses targets that come without the family's new signatures.
    alone = {"signatures": [], "signed": json.loads((folder / "targets.json").read_text())}
    for sig in folder.glob("targets.json.*.sig"):
        s = json.loads(sig.read_text())
        alone["signatures"].append({"keyid": s["keyid"], "sig": s["sig"]})
    status, body = prod.post("/v1/trust/targets", {"targets": alone})
    assert status == 403 and "sign it anew" in json.dumps(body), body
    prod.sign(folder, "content-yara", "alice", "bob")  # bob's has no vote any more
    assert prod.publish(folder, check=False).returncode == 9
    prod.sign(folder, "content-yara", "carol")
    prod.publish(folder)
    wait_agent(agent, targets=2)
    assert agent.active_release() == 1, "what runs goes on"
    assert list(prod.published("content-yara")["signed"]["targets"]) == ["content/yara/1.rwc"]

    # Bob's key is worth nothing; alice and carol go on.
    second, _ = lab.create(EXAMPLES / "good-2.yar", "after the loss")
    lab.cli("release", "sign", "--key", prod.key("alice"), second, check=True)
    assert lab.cli("release", "sign", "--key", prod.key("bob"), second).returncode == 9
    lab.cli("release", "sign", "--key", prod.key("carol"), second, check=True)
    lab.cli("release", "publish", second, check=True)


def test_a_content_role_is_renewed_without_a_release(prod, lab):
    prod.release(EXAMPLES / "good-1.yar", "stays")
    version = prod.version("content-yara")
    folder = prod.rotate("--role", "content-yara", "--expires", "13d")
    assert sorted(p.name for p in folder.iterdir()) == ["content-yara.json"]
    prod.sign(folder, "content-yara", "bob")
    assert prod.publish(folder, check=False).returncode == 9
    prod.sign(folder, "content-yara", "carol")
    prod.publish(folder)
    assert prod.version("content-yara") == version + 1

    # The other way, an order: same role, same engineers. What was prepared before it is stale then.
    stale = prod.rotate("--role", "content-yara")
    prod.sign(stale, "content-yara", "bob", "carol")
    lab.cli("release", "renew", "yara", check=True)
    for engineer in ("bob", "carol"):
        lab.cli("release", "sign", "--renew", "--key", prod.key(engineer), "yara", check=True)
    assert prod.version("content-yara") == version + 2
    refused = prod.publish(stale, check=False)
    assert refused.returncode == 9 and "cannot follow" in refused.stderr, refused.stderr


def test_targets_below_their_threshold_change_nothing(prod, lab):
    folder = prod.rotate("--role", "targets")
    prod.sign(folder, "targets", "targets-1")
    refused = prod.publish(folder, check=False)
    assert refused.returncode == 9 and "1 valid signatures, needs 2" in refused.stderr, refused.stderr
    signed = json.loads((folder / "targets.json").read_text())
    one = [json.loads(p.read_text()) for p in folder.glob("targets.json.*.sig")][0]
    sig = {"keyid": one["keyid"], "sig": one["sig"]}
    for signatures in ([], [sig], [sig, {"keyid": prod.keyid("targets-2"), "sig": one["sig"]}]):
        status, body = prod.post("/v1/trust/targets", {"targets": {"signatures": signatures, "signed": signed}})
        assert status == 403 and "threshold" in json.dumps(body), body
    assert prod.version("targets") == 1
    assert "trust.targets" not in prod.audited(), "what was refused leaves no record of a change"
    prod.sign(folder, "targets", "targets-2")
    prod.publish(folder)
    assert prod.version("targets") == 2
    assert prod.audited()[-1] == "trust.targets"
    again = prod.publish(folder, check=False)
    assert again.returncode == 9 and "cannot follow" in again.stderr


def test_root_rotates_three_times_and_an_old_agent_catches_up(prod, lab):
    """Step by step every root key is replaced; the agent slept and walks the chain."""
    agent = lab.add_agent("internal")
    wait_agent(agent, root=1)
    agent.process.stop()
    holders = ["root-1", "root-2", "root-3"]
    for step in range(3):
        new = f"root-new-{step}"
        gone = holders.pop(0)
        prod.new_person(new)
        folder = prod.rotate("--role", "root", "--add", prod.pub(new), "--remove", prod.keyid(gone))
        prod.sign(folder, "root", new, holders[0])
        # By the new root's keys it would be enough, by the published one's it is not.
        refused = prod.publish(folder, check=False)
        assert refused.returncode == 9 and "published root" in refused.stderr, refused.stderr
        prod.sign(folder, "root", holders[1])
        prod.publish(folder)
        holders.append(new)
        assert prod.version("root") == step + 2
    assert agent_has(agent, "root") == 1
    agent.start()
    wait_agent(agent, root=4)
    # The first holders have no vote any more.
    folder = prod.rotate("--role", "root")
    prod.sign(folder, "root", "root-1", "root-2", "root-3")
    assert prod.publish(folder, check=False).returncode == 9
    # A root that jumps over a version is refused by the server too.
    folder = prod.rotate("--role", "root")
    path = folder / "root.json"
    path.write_text(path.read_text().replace('"version":5', '"version":6'))
    prod.sign(folder, "root", *holders)
    status, body = prod.post("/v1/trust/root", {"root": {
        "signatures": [{k: json.loads(p.read_text())[k] for k in ("keyid", "sig")} for p in folder.glob("*.sig")],
        "signed": json.loads(path.read_text())}})
    assert status == 409 and "cannot follow" in json.dumps(body), body


def test_keys_of_targets_rotate_with_the_targets_they_sign(prod, lab):
    agent = lab.add_agent("internal")
    wait_agent(agent, root=1, targets=1)
    prod.new_person("targets-3")
    folder = prod.rotate("--role", "targets", "--add", prod.pub("targets-3"), "--remove", prod.keyid("targets-1"))
    assert sorted(p.name for p in folder.iterdir()) == ["root.json", "targets.json"]
    prod.sign(folder, "root", "root-1", "root-2")
    prod.sign(folder, "targets", "targets-1", "targets-2")
    assert prod.publish(folder, check=False).returncode == 9
    prod.sign(folder, "targets", "targets-3")
    prod.publish(folder)
    wait_agent(agent, root=2, targets=2)


def test_a_ring_key_rotates_and_its_pointers_stay(prod, lab):
    agent = lab.add_agent("internal")
    release = prod.release(EXAMPLES / "good-1.yar", "in the ring")
    lab.cli("rollout", "start", release, check=True)
    wait_for("the endpoint has it", lambda: agent.active_release() == 1, 60, 0.3)
    lab.cli("rollout", "pause", release, "--reason", "key rotation", check=True)
    before = prod.published("ring-internal")
    folder = prod.rotate("--role", "ring-internal", "--keys", prod.online_keys("--new", "ring-internal"))
    assert sorted(p.name for p in folder.iterdir()) == ["targets.json"]
    prod.sign(folder, "targets", "targets-1", "targets-2")
    prod.publish(folder)
    after = prod.published("ring-internal")
    assert [e["custom"]["ringward"]["release"] for e in after["signed"]["targets"].values()] == [1]
    assert after["signed"]["targets"].keys() == before["signed"]["targets"].keys()
    assert after["signatures"][0]["keyid"] != before["signatures"][0]["keyid"]
    assert after["signed"]["version"] > before["signed"]["version"], "snapshot's key stayed: versions only rise"
    wait_agent(agent, targets=2, **{"ring-internal": after["signed"]["version"]})
    assert agent.active_release() == 1


def test_a_new_policy_comes_by_targets(prod, lab):
    policy = json.loads((prod.dir / "rings.json").read_text())
    policy["poll"] = {"rollout": "3s"}
    path = prod.dir / "other.json"
    path.write_text(json.dumps(policy, indent=1))
    folder = prod.rotate("--policy", path)
    prod.sign(folder, "targets", "targets-1", "targets-2")
    prod.publish(folder)
    assert prod.version("targets") == 2
    assert len(list((lab.server_dir / "repo" / "targets" / "policy").glob("*.rings.json"))) == 2
    assert json.loads(prod.get("/v1/policy"))["poll"]["rollout"] == "3s", "in force without a restart"
    # A ring without a role would leave its endpoints without a pointer: refused before anybody signs.
    policy["rings"].insert(1, {"name": "pilot", "select": "local", "bake": "2s", "gate": {"limit": "60%", "min_healthy": 1}})
    path.write_text(json.dumps(policy, indent=1))
    folder = prod.rotate("--policy", path)
    prod.sign(folder, "targets", "targets-1", "targets-2")
    refused = prod.publish(folder, check=False)
    assert refused.returncode == 9 and "ring-pilot" in refused.stderr, refused.stderr
    # With its key it is taken, and the signer makes the ring's first, empty role.
    lab.run("ringward-server", "keys", "--dir", lab.server_dir, "--policy", path, "--out", prod.dir / "online", check=True)
    folder = prod.rotate("--policy", path, "--role", "ring-pilot", "--keys", prod.dir / "online")
    prod.sign(folder, "targets", "targets-1", "targets-2")
    prod.publish(folder)
    assert prod.published("ring-pilot")["signed"]["targets"] == {}


def test_a_delegation_cannot_vanish(prod, lab):
    folder = prod.rotate("--role", "targets")
    path = folder / "targets.json"
    doc = json.loads(path.read_text())
    doc["delegations"]["roles"] = [r for r in doc["delegations"]["roles"] if r["name"] != "ring-broad"]
    path.write_text(json.dumps(doc))
    prod.sign(folder, "targets", "targets-1", "targets-2")
    body = {"targets": {"signed": doc, "signatures": [
        {k: json.loads(p.read_text())[k] for k in ("keyid", "sig")} for p in folder.glob("*.sig")]}}
    status, answer = prod.post("/v1/trust/targets", body)
    assert status == 403 and "ring-broad" in json.dumps(answer), answer
    assert prod.version("targets") == 1


def test_a_change_of_trust_cut_off_in_the_middle_is_finished_at_the_next_start(prod, lab):
    """A root without the timestamp that it demands is a repository that nobody accepts."""
    metadata = lab.server_dir / "repo" / "metadata"
    before = (metadata / "timestamp.json").read_bytes()
    had = set(metadata.iterdir())
    folder = prod.rotate("--role", "timestamp,snapshot", "--keys", prod.online_keys("--new", "timestamp,snapshot"))
    prod.sign(folder, "root", "root-1", "root-2")
    prod.publish(folder)
    lab.server.stop()
    # As the crash would have left it: the whole answer kept, root written, timestamp not.
    names = sorted(set(metadata.iterdir()) - had - {metadata / "2.root.json"}) + [metadata / "2.root.json",
                                                                                 metadata / "timestamp.json"]
    blob = struct.pack("<I", len(names))
    for name in names:
        for part in (name.name.encode(), name.read_bytes()):
            blob += struct.pack("<I", len(part)) + part
    (lab.server_dir / "repo" / "unfinished").write_bytes(struct.pack("<IH", len(blob) + 2, 101) + blob)
    (metadata / "timestamp.json").write_bytes(before)
    lab.start_server()
    agent = lab.add_agent("internal")
    wait_agent(agent, root=2, timestamp=1)
    assert not (lab.server_dir / "repo" / "unfinished").exists()


def test_only_an_administrator_changes_trust(prod, lab):
    for role in ("operator", "publisher"):
        made = lab.run("ringward-server", "token", "--dir", lab.server_dir, "--name", role, "--role", role, check=True)
        text = next(w for w in made.stdout.split() if w.startswith("rwo1."))
        (lab.server_dir / "tokens" / f"{role}.token").write_text(text)
    lab.server.child.send_signal(signal.SIGHUP)
    wait_for("the tokens are known", lambda: prod.post("/v1/trust/root", {}, "publisher")[0] != 401, 20)
    for role, path in (("publisher", "/v1/trust/root"), ("publisher", "/v1/trust/targets"), ("operator", "/v1/trust/content")):
        assert prod.post(path, {}, role)[0] == 403, f"{role} {path}"
    for path in ("/v1/trust/root", "/v1/trust/targets", "/v1/trust/content"):
        assert prod.post(path, {})[0] == 400, "an administrator may, but this says nothing"


# --- ends ---
def test_doctor_and_agent_tell_how_long_every_role_lives(prod, lab):
    agent = lab.add_agent("internal")
    wait_for("the agent follows", lambda: agent_polls(agent), 30)
    well = lab.cli("doctor", "-o", "json")
    roles = {r["role"]: r for r in json.loads(well.stdout)["roles"]}
    assert well.returncode == 0, well.stdout + well.stderr
    assert {"root", "targets", "content-yara", "snapshot", "timestamp", "ring-broad", "tls-certificate"} <= roles.keys()
    assert roles["root"]["left_days"] in (364, 365) and roles["tls-certificate"]["left_percent"] >= 99
    told = {r["role"]: r["left_days"] for r in agent.status()["roles"]}
    assert {"root", "targets", "ring-internal", "snapshot", "timestamp"} <= told.keys()
    assert told["root"] == roles["root"]["left_days"] and told["targets"] == roles["targets"]["left_days"]

    # A life is the one that was signed: 40 days that begin today are no quarter of half a year.
    folder = prod.rotate("--role", "targets", "--expires", "40d")
    prod.sign(folder, "targets", "targets-1", "targets-2")
    prod.publish(folder)
    short = lab.cli("doctor", "-o", "json")
    targets = next(r for r in json.loads(short.stdout)["roles"] if r["role"] == "targets")
    assert short.returncode == 0 and targets["left_percent"] >= 99 and targets["left_days"] in (39, 40), short.stdout
    wait_agent(agent, targets=2)
    assert {r["life"] for r in agent.status()["roles"] if r["role"] == "targets"} == {"ok"}

    # At a quarter of its life a role needs attention: exit status 6, with its name and what is left.
    folder = prod.rotate("--role", "targets", "--expires", "40d")
    document = json.loads((folder / "targets.json").read_text())
    made = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=130)
    document["x-ringward-made"] = made.strftime("%Y-%m-%dT%H:%M:%SZ")
    (folder / "targets.json").write_text(json.dumps(document))
    prod.sign(folder, "targets", "targets-1", "targets-2")
    prod.publish(folder)
    near = lab.cli("doctor", "-o", "json")
    assert near.returncode == 6, near.stderr
    verdicts = {r["role"]: r["verdict"] for r in json.loads(near.stdout)["roles"]}
    assert verdicts.pop("targets") == "quarter" and set(verdicts.values()) == {"ok"}
    wait_agent(agent, targets=3)
    wait_for("the agent tells it", lambda: any(r["role"] == "targets" and r["life"] == "quarter"
                                               for r in agent.status().get("roles", [])), 20)
    shown = lab.run("ringward-agent", "status", "--config", agent.conf, check=True).stdout
    assert "39 days left: quarter" in shown or "40 days left: quarter" in shown, shown


def test_nothing_is_published_that_outlives_its_root(prod, lab):
    for role in ("targets", "content-yara"):
        folder = prod.rotate("--role", role, "--expires", "400d")
        document = "targets" if role == "targets" else role
        prod.sign(folder, document, *(("targets-1", "targets-2") if role == "targets" else ("alice", "bob")))
        refused = prod.publish(folder, check=False)
        assert refused.returncode == 9 and "after root" in refused.stderr, refused.stderr
        signatures = [{k: json.loads(p.read_text())[k] for k in ("keyid", "sig")} for p in folder.glob("*.sig")]
        envelope = {"signed": json.loads((folder / f"{document}.json").read_text()), "signatures": signatures}
        body = {"targets": envelope} if role == "targets" else {"content": {"yara": envelope}}
        status, answer = prod.post("/v1/trust/targets" if role == "targets" else "/v1/trust/content", body)
        assert status == 403 and "after root" in json.dumps(answer), answer


def test_online_roles_end_with_a_root_that_ends_soon(prod, lab):
    folder = prod.rotate("--role", "root", "--expires", "3d")
    prod.sign(folder, "root", "root-1", "root-2")
    refused = prod.publish(folder, check=False)  # targets would outlive it
    assert refused.returncode == 9 and "after root" in refused.stderr
    folder = prod.rotate("--role", "root,targets", "--expires", "3d")
    prod.sign(folder, "root", "root-1", "root-2")
    prod.sign(folder, "targets", "targets-1", "targets-2")
    prod.publish(folder)
    end = prod.published("root")["signed"]["expires"]
    assert prod.published("snapshot")["signed"]["expires"] == end
    assert prod.published("timestamp")["signed"]["expires"] < end
    # Releases go on: their role, which would live 14 days, ends with root as well.
    prod.release(EXAMPLES / "good-1.yar", "in the last days of a root")
    assert prod.published("content-yara")["signed"]["expires"] == end


# --- secrecy ---
def test_keys_never_reach_the_server_and_never_leave_it(prod, lab):
    """Keys of people are nowhere in the server's directory; online keys lie in signer/ alone and in no answer."""
    release = prod.release(EXAMPLES / "good-1.yar", "secrecy")
    folder = prod.rotate("--role", "timestamp,snapshot", "--keys", prod.online_keys("--new", "timestamp,snapshot"))
    prod.sign(folder, "root", "root-1", "root-2")
    prod.publish(folder)
    people = [part for key in prod.dir.glob("*.key") for part in secret_parts(key)]
    online = [part for key in (lab.server_dir / "signer").glob("*.key") for part in secret_parts(key)]
    assert len(people) >= 32 and len(online) >= 24
    files = [p for p in lab.server_dir.rglob("*") if p.is_file()]
    assert len(files) > 20
    for path in files:
        data = path.read_bytes()
        assert not any(part in data for part in people), f"a key of people lies in {path}"
        if not (path.parent.name == "signer" and path.name.endswith(".key")):
            assert not any(part in data for part in online), f"an online key lies in {path}"
    exported = [p for p in (prod.dir / "online").iterdir()]
    answers = "".join(lab.cli(*args, "-o", "json").stdout for args in (
        ("status",), ("audit", "show"), ("release", "show", release), ("trust", "show"), ("doctor",)))
    answers += lab.server.log.read_text()
    answers += "".join(p.read_text() for p in exported)
    assert not any(part in answers.encode() for part in people + online)
    for path in (lab.server_dir / "signer").glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0


def test_development_trust_rotates_as_well():
    """One command makes it, and its keys can be replaced by the same verbs."""
    with Lab(BIN) as lab:
        lab.init().start_server()
        out = lab.dir / "next"
        run = lab.run("ringward-server", "keys", "--dir", lab.server_dir, "--new", "timestamp", "--out", lab.dir / "online",
                      check=True)
        assert "timestamp.next" in run.stdout
        lab.cli("trust", "rotate", "--role", "timestamp", "--keys", lab.dir / "online", "--out", out, check=True)
        lab.cli("trust", "sign", "--key", lab.server_dir / "offline" / "root-1.key", out / "root.json", check=True)
        lab.cli("trust", "publish", out, check=True)
        assert lab.json("status")["server"]["trust"] == "development"
