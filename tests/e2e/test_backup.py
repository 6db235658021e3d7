"""Goal: a backup made under load holds every permit and beacon that was answered before it (INV-8); a server restored
from it grants nothing twice (INV-1) and never goes back in versions for clients that have seen more."""
import hashlib
import json
import shutil
import sqlite3
import stat

import pytest
from conftest import BIN
from lab import EXAMPLES, Lab, wait_for
from load import Law, Load, all_endpoints
from test_kill_load import one_ring, rolled_out

KEYS = ["signer/snapshot.key", "tls/key.pem", "engineers/alice.key", "offline/root-1.key", "tokens/admin.token"]


def server(lab, *args, **more):
    return lab.run("ringward-server", *args, **more)


def versions(folder):
    """Published versions of the online roles."""
    metadata = folder / "repo" / "metadata"
    stamp = json.loads((metadata / "timestamp.json").read_text())["signed"]
    number = stamp["meta"]["snapshot.json"]["version"]
    snapshot = json.loads((metadata / f"{number}.snapshot.json").read_text())["signed"]
    return {"timestamp": stamp["version"], "snapshot": number,
            **{k: m["version"] for k, m in snapshot["meta"].items() if k.startswith("ring-")}}


def put_back(lab, folder, old):
    """What a backup does not hold, as an operator would."""
    for key in (old / "signer").glob("*.key"):
        shutil.copy(key, folder / "signer")
    shutil.copy(old / "tls" / "key.pem", folder / "tls")
    shutil.copy(old / "tokens" / "enrol.token", folder / "tokens")


def test_inv_8_everything_answered_before_a_backup_under_load_is_restored():
    with Lab(BIN, policy=one_ring()) as lab:
        lab.init().start_server()
        release, sha256 = rolled_out(lab)
        family, number = release.split("/")
        load = Load(lab, [("127.0.0.1", lab.port)], 1, sha256, endpoints=300, law=Law(4, 1)).start()
        wait_for("the load runs", lambda: load.alive > 50 and len(load.permits) > 15, 90)
        with load.lock:
            permits, healthy = dict(load.permits), set(load.healthy)
        backup = lab.dir / "backup"
        made = server(lab, "backup", "--dir", lab.server_dir, "--to", backup, check=True)
        for key in KEYS:
            assert key not in (backup / "SHA256SUMS").read_text()
        assert "left out: signer/snapshot.key (a private key)" in made.stdout
        load.stop()
        granted_after = len(load.permits) - len(permits)
        # Versions go on after the backup: agents see them.
        lab.cli("rollout", "pause", release, "--reason", "moves the pointer", check=True)
        saved = versions(backup / "data")
        wait_for("the hold is published", lambda: versions(lab.server_dir)["snapshot"] > saved["snapshot"])
        seen = versions(lab.server_dir)
        lab.server.stop()

        assert "ok    backup" in server(lab, "check", "--backup", backup, check=True).stdout
        old = lab.server_dir
        lab.server_dir = lab.dir / "restored"
        r = server(lab, "restore", "--from", backup, "--dir", lab.server_dir, check=True)
        assert "held: 1 rollout;" in r.stdout
        assert stat.S_IMODE((lab.server_dir / "secret").stat().st_mode) == 0o600
        put_back(lab, lab.server_dir, old)
        lab.env["RINGWARD_PROFILE"] = str(old / "operator.conf")
        lab.start_server()

        fleet = {e["endpoint"]: e for e in all_endpoints(lab)}
        for endpoint, permit in permits.items():
            marks = {m for c in fleet[endpoint]["content"] for o in c["outcomes"] for m in o["marks"]}
            assert "exposed" in marks, (endpoint, fleet[endpoint])
            assert endpoint not in healthy or "healthy" in marks, (endpoint, fleet[endpoint])
            if endpoint not in load.healthy:
                assert fleet[endpoint]["content"][0]["permit"]["number"] == permit
        assert lab.rollout(release)["state"] == "held"
        new = versions(lab.server_dir)
        assert all(new[k] > seen[k] + 900 for k in seen), (seen, new)  # nobody refuses them as older
        assert not (lab.server_dir / "signer" / "state" / "lift").exists()
        assert server(lab, "check", "--dir", lab.server_dir).returncode == 0

        # INV-1: held, so permits that are not known any more are not granted again.
        again = Load(lab, [("127.0.0.1", lab.port)], int(number), sha256, endpoints=300, seed=2).start()
        wait_for("the restored server is asked", lambda: again.alive > 50, 60)
        again.stop()
        assert not again.permits
        lab.cli("rollout", "resume", release, "--reason", "endpoints have reported", check=True)
        more = Load(lab, [("127.0.0.1", lab.port)], int(number), sha256, endpoints=300, seed=2).start()
        wait_for("permits go on", lambda: more.permits, 60)
        more.stop()
        lab.cli("audit", "verify", check=True)
        log = lab.cli("audit", "export", check=True).stdout.splitlines()
        actions = [json.loads(line)["action"] for line in log]
        assert "server.restore" in actions and "rollout.held" in actions
        print(json.dumps({"permits": len(permits), "granted after": granted_after, "endpoints": len(fleet)}))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A server at rest with one release, and its backup with the signer's keys."""
    with Lab(BIN) as lab:
        lab.init().start_server()
        lab.publish(EXAMPLES / "good-1.yar", "good")
        made = server(lab, "backup", "--dir", lab.server_dir, "--to", lab.dir / "backup", "--with-signer-keys",
                      check=True)
        assert "warning:" in made.stderr
        lab.server.stop()
        yield lab


def copy_of(lab, tmp_path):
    return shutil.copytree(lab.dir / "backup", tmp_path / "backup")


def test_keys_come_only_when_asked_and_stay_private(kept):
    key = kept.dir / "backup" / "data" / "signer" / "snapshot.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for other in KEYS[1:]:
        assert not (kept.dir / "backup" / "data" / other).exists()


def test_sha256sum_reads_the_list(kept):
    for line in (kept.dir / "backup" / "SHA256SUMS").read_text().splitlines():
        want, path = line.split("  ")
        assert hashlib.sha256((kept.dir / "backup" / "data" / path).read_bytes()).hexdigest() == want


def resign(backup):
    """The hashes fit again, as somebody who can write the backup would see to it."""
    lines = [line.split("  ")[1] for line in (backup / "SHA256SUMS").read_text().splitlines()]
    text = "".join(f"{hashlib.sha256((backup / 'data' / p).read_bytes()).hexdigest()}  {p}\n" for p in lines)
    (backup / "SHA256SUMS").write_text(text)
    about = json.loads((backup / "backup.json").read_text())
    about["list_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (backup / "backup.json").write_text(json.dumps(about))


def newer_schema(backup):
    with sqlite3.connect(backup / "data/store/ringward.db") as db:
        db.execute("PRAGMA user_version = 99")
    resign(backup)


def evil_path(backup):
    text = (backup / "SHA256SUMS").read_text().replace("  secret\n", "  ../../etc/x\n")
    (backup / "SHA256SUMS").write_text(text)
    about = json.loads((backup / "backup.json").read_text())
    about["list_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (backup / "backup.json").write_text(json.dumps(about))


def flip(path):
    def change(backup):
        data = bytearray((backup / path).read_bytes())
        data[len(data) // 2] ^= 1
        (backup / path).write_bytes(data)
    return change


@pytest.mark.parametrize("change, says", [
    (flip("data/secret"), "data/secret is not the file that was saved"),
    (flip("data/store/ringward.db"), "is not the file that was saved"),
    (flip("SHA256SUMS"), "is not the list that was saved"),
    (lambda b: (b / "backup.json").unlink(), "never finished"),
    (lambda b: (b / "data/root.json").unlink(), "root.json"),
    (newer_schema, "the store has schema 99"),
    (evil_path, "not 'HASH  PATH'"),
], ids=["secret", "store", "list", "unfinished", "missing", "newer", "path"])
def test_a_bad_backup_is_refused_before_anything_is_written(kept, tmp_path, change, says):
    backup = copy_of(kept, tmp_path)
    change(backup)
    r = server(kept, "restore", "--from", backup, "--dir", tmp_path / "new")
    assert r.returncode != 0 and says in r.stderr, r.stderr
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(kept, tmp_path):
    (tmp_path / "x").write_text("")
    for verb in (["restore", "--from", kept.dir / "backup", "--dir", tmp_path],
                 ["backup", "--dir", kept.server_dir, "--to", tmp_path]):
        r = server(kept, *verb)
        assert r.returncode == 9 and "is not empty" in r.stderr, r.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_check_names_what_is_damaged(kept, tmp_path):
    assert server(kept, "check", "--dir", kept.server_dir).returncode == 0

    def damaged(change):
        folder = tmp_path / "server"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept.server_dir, folder)
        change(folder)
        r = server(kept, "check", "--dir", folder)
        assert r.returncode == 6, r.stdout + r.stderr
        return [line.split()[1] for line in r.stdout.splitlines() if line.startswith("BAD")], r.stdout

    def sql(text):
        def change(folder):
            with sqlite3.connect(folder / "store/ringward.db") as db:
                db.execute(text)
        return change
    assert damaged(sql("UPDATE audit SET record = replace(record, 'actor', 'Actor') WHERE seq = 2"))[0] == ["audit"]
    assert damaged(sql("DELETE FROM audit WHERE seq = 1"))[0] == ["audit"]
    assert damaged(sql("INSERT INTO journal VALUES (1000000, x'ff00')"))[0] == ["journal"]

    def lose_content(folder):
        next(p for p in (folder / "repo/targets/content").rglob("*") if p.is_file()).unlink()
    assert damaged(lose_content)[0] == ["repository"]
    assert damaged(lambda d: (d / "repo/metadata/timestamp.json").write_text("{}"))[0] == ["repository"]
    assert damaged(lambda d: (d / "secret").chmod(0o644))[0] == ["permissions"]
