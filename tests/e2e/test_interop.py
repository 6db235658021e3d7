"""Goal: another implementation reads what our server publishes, and refuses what was tampered with.

tuf-js comes from npm, exactly as package-lock.json names it.
"""
import os
import shutil
import subprocess

import pytest

from ceremony import Ceremony
from conftest import BIN
from lab import EXAMPLES, ROOT, Lab

SOURCE = ROOT / "tests" / "interop" / "tuf-js"


@pytest.fixture(scope="module")
def tuf_js(tmp_path_factory):
    """A folder with tuf-js installed."""
    folder = tmp_path_factory.mktemp("tuf-js")
    for name in ("package.json", "package-lock.json", "check.mjs"):
        shutil.copy(SOURCE / name, folder)
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True, text=True,
                          timeout=300)
    if done.returncode != 0 and any(word in done.stderr for word in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")):
        pytest.skip("the npm registry cannot be reached: " + done.stderr.strip().splitlines()[0])
    assert done.returncode == 0, done.stderr
    return folder


def read(tuf_js, lab, state, target, out):
    env = {**os.environ, "NODE_EXTRA_CA_CERTS": str(lab.server_dir / "tls" / "ca.pem")}
    return subprocess.run(["node", "check.mjs", state, f"{lab.url}/repo", target, out], cwd=tuf_js, env=env, capture_output=True,
                          text=True, timeout=120)


def fresh_state(lab, tmp_path, name):
    state = tmp_path / name
    state.mkdir()
    shutil.copy(lab.server_dir / "root.json", state / "root.json")
    return state


def test_tuf_js_reads_our_repository_and_refuses_a_tampered_one(tuf_js, lab, tmp_path):
    release = lab.publish(EXAMPLES / "good-1.yar", "for another client")
    number = release.split("/")[1]
    target = f"content/yara/{number}.rwc"

    out = tmp_path / "payload"
    r = read(tuf_js, lab, fresh_state(lab, tmp_path, "a"), target, out)
    assert r.returncode == 0, r.stderr
    assert out.read_bytes() == (EXAMPLES / "good-1.yar").read_bytes()

    policy = tmp_path / "policy"
    r = read(tuf_js, lab, fresh_state(lab, tmp_path, "b"), "policy/rings.json", policy)
    assert r.returncode == 0, r.stderr

    r = read(tuf_js, lab, fresh_state(lab, tmp_path, "c"), "content/yara/999.rwc", tmp_path / "none")
    assert r.returncode == 1 and "no trusted role" in r.stderr

    payload = next((lab.server_dir / "repo" / "targets" / "content" / "yara").glob("*.rwc"))
    changed = bytearray(payload.read_bytes())
    changed[0] ^= 1
    payload.chmod(0o644)
    payload.write_bytes(changed)
    r = read(tuf_js, lab, fresh_state(lab, tmp_path, "d"), target, tmp_path / "tampered")
    assert r.returncode == 1, "a tampered payload was accepted"
    assert not (tmp_path / "tampered").exists()

    role = max((lab.server_dir / "repo" / "metadata").glob("*.content-yara.json"), key=lambda p: int(p.name.split(".")[0]))
    text = role.read_text()
    assert f'"release":{number}' in text.replace(" ", "")
    role.chmod(0o644)
    role.write_text(text.replace('"class":"rules"', '"class":"datum"', 1))
    r = read(tuf_js, lab, fresh_state(lab, tmp_path, "e"), target, tmp_path / "tampered")
    assert r.returncode == 1, "tampered metadata were accepted"


def test_tuf_js_follows_rotations_of_every_top_role(tuf_js, tmp_path):
    """Root twice, timestamp and snapshot with versions that begin anew, targets: from the first root and from old state."""
    with Lab(BIN) as lab:
        prod = Ceremony(lab).init()
        lab.start_server()
        prod.release(EXAMPLES / "good-1.yar", "for another client")
        old = fresh_state(lab, tmp_path, "old")
        assert read(tuf_js, lab, old, "content/yara/1.rwc", tmp_path / "before").returncode == 0

        folder = prod.rotate("--role", "timestamp,snapshot", "--keys", prod.online_keys("--new", "timestamp,snapshot"))
        prod.sign(folder, "root", "root-1", "root-2")
        prod.publish(folder)
        prod.new_person("root-4")
        prod.new_person("targets-3")
        folder = prod.rotate("--role", "root", "--add", prod.pub("root-4"), "--remove", prod.keyid("root-1"))
        prod.sign(folder, "root", "root-1", "root-2", "root-4")
        prod.publish(folder)
        folder = prod.rotate("--role", "targets", "--add", prod.pub("targets-3"), "--remove", prod.keyid("targets-1"))
        prod.sign(folder, "root", "root-2", "root-4")
        prod.sign(folder, "targets", "targets-2", "targets-3")
        prod.publish(folder)
        assert prod.version("root") == 4 and prod.version("timestamp") < 5

        for state in (old, fresh_state(lab, tmp_path, "new")):
            if state.name == "new":
                shutil.copy(prod.dir / "signed" / "root.json", state / "root.json")  # as an old installer carries it
            r = read(tuf_js, lab, state, "content/yara/1.rwc", tmp_path / f"{state.name}-payload")
            assert r.returncode == 0, r.stderr
