"""Goal: an engineer's key can live on a PKCS#11 token: it is shown, it signs a release, it never leaves the token, and what
goes wrong with tokens is said plainly. SoftHSM plays the token, in a folder of its own."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab import EXAMPLES

MODULES = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
           "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"]
MODULE = next((m for m in MODULES if Path(m).exists()), None)
PIN, SO_PIN, LABEL = "4711-pin", "so-4711-pin", "ceremony"
URI = f"pkcs11:token={LABEL};object=carol"

pytestmark = pytest.mark.skipif(
    MODULE is None or not shutil.which("softhsm2-util") or not shutil.which("pkcs11-tool"),
    reason="softhsm2 and opensc are not installed (scripts/packages test)")


class Token:
    def __init__(self, folder: Path):
        tokens = folder / "tokens"
        tokens.mkdir(parents=True)
        self.folder, self.pin = folder, folder / "pin"
        self.pin.write_text(PIN + "\n")
        conf = folder / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": str(conf), "RINGWARD_PKCS11_MODULE": MODULE,
                    # The engine, which is not ours, keeps memory until the process ends.
                    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=0"}
        self.call("softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", SO_PIN)

    def call(self, *args):
        subprocess.run(args, env={**os.environ, **self.env}, check=True, capture_output=True, timeout=60)

    def make_key(self, kind: str, label: str, number: str):
        self.call("pkcs11-tool", "--module", MODULE, "--token-label", LABEL, "--login", "--pin", PIN, "--keypairgen",
                  "--key-type", kind, "--label", label, "--id", number)

    def public_pem(self, label: str) -> str:
        der = self.folder / f"{label}.der"
        self.call("pkcs11-tool", "--module", MODULE, "--token-label", LABEL, "--read-object", "--type", "pubkey",
                  "--label", label, "-o", str(der))
        return subprocess.run(["openssl", "pkey", "-pubin", "-inform", "DER", "-in", str(der)], check=True,
                              capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def token(lab):
    token = Token(lab.dir / "token")
    token.make_key("EC:prime256v1", "carol", "01")
    lab.env.update(token.env)
    return token


def test_the_public_half_of_a_token_key_is_the_tokens_own(lab, token):
    shown = json.loads(lab.cli("key", "show", "-o", "json", "--pin-file", token.pin, URI, check=True).stdout)
    assert shown["key"]["scheme"] == "ecdsa-sha2-nistp256"
    assert shown["key"]["keyval"]["public"] == token.public_pem("carol")
    by_env = lab.cli("key", "show", "-o", "json", URI, env={**lab.env, "RINGWARD_PIN": PIN}, check=True)
    assert json.loads(by_env.stdout) == shown


def test_a_token_key_signs_a_release(lab, token):
    """Carol is made an engineer by a rotation of the content role; then her token's signature counts as one of two."""
    pub = lab.dir / "carol.pub"
    pub.write_text(lab.cli("key", "show", "-o", "json", "--pin-file", token.pin, URI, check=True).stdout)
    out = lab.dir / "next"
    lab.cli("trust", "rotate", "--role", "content-yara", "--add", pub, "--out", out, check=True)
    lab.cli("trust", "sign", "--key", lab.server_dir / "offline" / "targets-1.key", out / "targets.json", check=True)
    lab.cli("trust", "sign", "--key", lab.server_dir / "engineers" / "alice.key", out / "content-yara.json", check=True)
    lab.cli("trust", "sign", "--key", URI, "--pin-file", token.pin, out / "content-yara.json", check=True)
    lab.cli("trust", "publish", out, check=True)

    release, _ = lab.create(EXAMPLES / "good-1.yar", "signed on a token")
    lab.sign(release, "alice")
    lab.cli("release", "sign", "--key", URI, "--pin-file", token.pin, release, check=True)
    lab.cli("release", "publish", release, check=True)
    assert lab.json("release", "show", release)["state"] == "published"


@pytest.mark.parametrize("uri,more,status,words", [
    (URI, [], 2, "PIN"),
    (URI + "?pin-value=" + PIN, ["--pin-file", "pin"], 2, "may not stand in the key's URI"),
    (URI, ["--pin-file", "wrong"], 9, "PIN incorrect"),
    ("pkcs11:token=ceremony;object=nobody", ["--pin-file", "pin"], 7, "not found"),
    ("pkcs11:token=other;object=carol", ["--pin-file", "pin"], 7, "not found"),
])
def test_what_goes_wrong_with_a_token_is_said(lab, token, uri, more, status, words):
    (token.folder / "wrong").write_text("0000\n")
    more = [token.folder / m if m in ("pin", "wrong") else m for m in more]
    r = lab.cli("key", "show", *more, uri)
    assert r.returncode == status and words in r.stderr, r.stderr
    assert PIN not in r.stderr.replace(uri, "") and r.stdout == ""


def test_a_missing_module_or_engine_is_named(lab, token):
    r = lab.cli("key", "show", "--pin-file", token.pin, URI, env={**lab.env, "RINGWARD_PKCS11_MODULE": "/nowhere.so"})
    assert r.returncode == 1 and "/nowhere.so" in r.stderr and "RINGWARD_PKCS11_MODULE" in r.stderr, r.stderr
    r = lab.cli("key", "show", "--pin-file", token.pin, URI, env={**lab.env, "OPENSSL_ENGINES": str(lab.dir)})
    assert r.returncode == 1 and "libengine-pkcs11-openssl" in r.stderr, r.stderr


def test_a_token_key_of_another_kind_is_refused(lab, token):
    token.make_key("rsa:2048", "old", "02")
    r = lab.cli("key", "show", "--pin-file", token.pin, f"pkcs11:token={LABEL};object=old")
    assert r.returncode == 2 and "P-256" in r.stderr, r.stderr
