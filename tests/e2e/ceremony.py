"""A production server for the end-to-end tests: keys of people in files of their own, documents signed one by one, a server
directory that never sees them. And a thief, who signs with online keys that he took. Needs python3-cryptography."""
import base64
import datetime
import hashlib
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from lab import Lab

PEOPLE = ["root-1", "root-2", "root-3", "targets-1", "targets-2", "alice", "bob", "carol"]


def when(days: float) -> str:
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return end.strftime("%Y-%m-%dT%H:%M:%SZ")


def canonical(value) -> bytes:
    """Canonical JSON of documents whose strings need no escape."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Ceremony:
    def __init__(self, lab: Lab):
        self.lab = lab
        self.dir = lab.dir / "people"
        self.dir.mkdir()
        self.steps = 0
        for name in PEOPLE:
            self.new_person(name)

    # --- people ---
    def new_person(self, name: str) -> Path:
        self.lab.cli("key", "generate", "--type", "ecdsa", "--out", self.key(name), check=True)
        shown = self.lab.cli("key", "show", "-o", "json", self.key(name), check=True).stdout
        self.pub(name).write_text(shown)
        return self.pub(name)

    def key(self, name: str) -> Path:
        return self.dir / f"{name}.key"

    def pub(self, name: str) -> Path:
        return self.dir / f"{name}.pub"

    def keyid(self, name: str) -> str:
        return json.loads(self.pub(name).read_text())["keyid"]

    # --- documents ---
    def spec(self, **changes) -> Path:
        spec = {
            "format": 1,
            "root": {"threshold": 2, "keys": ["root-1.pub", "root-2.pub", "root-3.pub"]},
            "targets": {"threshold": 2, "keys": ["targets-1.pub", "targets-2.pub"]},
            "families": {"yara": {"threshold": 2, "keys": ["alice.pub", "bob.pub", "carol.pub"]}},
            "online": "online",
            "policy": "rings.json",
            "made": when(0),
            "expires": {"root": when(365), "targets": when(180), "content": when(14)},
        }
        spec.update(changes)
        path = self.dir / "ceremony.json"
        path.write_text(json.dumps(spec, indent=1))
        return path

    def online_keys(self, *more) -> Path:
        (self.dir / "rings.json").write_text(json.dumps(self.lab.policy, indent=2))
        self.lab.run("ringward-server", "keys", "--dir", self.lab.server_dir, "--policy", self.dir / "rings.json", "--out",
                     self.dir / "online", *more, check=True)
        return self.dir / "online"

    def sign(self, folder: Path, document: str, *names: str):
        for name in names:
            self.lab.cli("trust", "sign", "--key", self.key(name), folder / f"{document}.json", check=True)

    def begin(self) -> Path:
        """The first documents, unsigned."""
        self.online_keys()
        folder = self.dir / "first"
        self.lab.cli("trust", "init", "--spec", self.spec(), "--out", folder, check=True)
        return folder

    def init(self):
        """The whole way to a server directory."""
        folder, signed = self.begin(), self.dir / "signed"
        self.sign(folder, "root", "root-1", "root-2")
        self.sign(folder, "targets", "targets-1", "targets-2")
        self.sign(folder, "content-yara", "alice", "bob")
        self.lab.cli("trust", "assemble", folder, "--out", signed, check=True)
        self.lab.run("ringward-server", "init", "--dir", self.lab.server_dir, "--trust", signed, "--listen",
                     f"127.0.0.1:{self.lab.port}", check=True)
        return self

    def rotate(self, *args) -> Path:
        """The next documents, unsigned."""
        self.steps += 1
        folder = self.dir / f"step-{self.steps}"
        self.lab.cli("trust", "rotate", *args, "--out", folder, check=True)
        return folder

    def publish(self, folder: Path, check=True):
        return self.lab.cli("trust", "publish", folder, check=check)

    # --- releases ---
    def release(self, content: Path, notes: str, *engineers: str) -> str:
        release, _ = self.lab.create(content, notes)
        for name in engineers or ("alice", "bob"):
            self.lab.cli("release", "sign", "--key", self.key(name), release, check=True)
        self.lab.cli("release", "publish", release, check=True)
        return release

    # --- what is published ---
    def published(self, role: str) -> dict:
        folder = self.lab.server_dir / "repo" / "metadata"
        if role == "timestamp":
            return json.loads((folder / "timestamp.json").read_text())
        files = sorted(folder.glob(f"*.{role}.json"), key=lambda p: int(p.name.split(".")[0]))
        if role in ("root", "snapshot"):
            version = self.published("timestamp")["signed"]["meta"]["snapshot.json"]["version"] if role == "snapshot" else None
            files = [f for f in files if version is None or int(f.name.split(".")[0]) == version]
        else:
            version = self.published("snapshot")["signed"]["meta"][f"{role}.json"]["version"]
            files = [f for f in files if int(f.name.split(".")[0]) == version]
        return json.loads(files[-1].read_text())

    def version(self, role: str) -> int:
        return self.published(role)["signed"]["version"]

    # --- the API, without the command line's own checks ---
    def _ask(self, path: str, body: bytes | None, token: str) -> tuple[int, str]:
        server = self.lab.server_dir
        context = ssl.create_default_context(cafile=server / "tls" / "ca.pem")
        text = (server / "tokens" / f"{token}.token").read_text().strip()
        request = urllib.request.Request(self.lab.url + path, data=body, headers={
            "Authorization": f"Bearer {text}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, context=context, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def post(self, path: str, body, token: str = "admin") -> tuple[int, dict]:
        status, text = self._ask(path, json.dumps(body).encode(), token)
        return status, json.loads(text)

    def get(self, path: str, token: str = "admin") -> str:
        return self._ask(path, None, token)[1]

    def audited(self) -> list[str]:
        return [r["action"] for r in json.loads(self.get("/v1/audit?limit=1000"))["records"]]


class Thief:
    """Holds copies of a server's online keys and signs whatever he likes."""

    def __init__(self, ceremony: Ceremony, *roles: str):
        self.ceremony = ceremony
        self.keys = {}
        for role in roles:
            pem = (ceremony.lab.server_dir / "signer" / f"{role}.key").read_bytes()
            self.keys[role] = serialization.load_pem_private_key(pem, None)

    def sign(self, role: str, signed: dict) -> dict:
        keyid = self.ceremony.published(role)["signatures"][0]["keyid"]
        return {"signatures": [{"keyid": keyid, "sig": self.keys[role].sign(canonical(signed)).hex()}], "signed": signed}

    def push_up(self, version: int):
        """Timestamp and snapshot with the highest version that a client takes, on the server's own disk."""
        folder = self.ceremony.lab.server_dir / "repo" / "metadata"
        snapshot = self.ceremony.published("snapshot")["signed"] | {"version": version, "expires": when(6)}
        text = json.dumps(self.sign("snapshot", snapshot)).encode()
        (folder / f"{version}.snapshot.json").write_bytes(text)
        meta = {"version": version, "length": len(text), "hashes": {"sha256": hashlib.sha256(text).hexdigest()}}
        stamp = self.ceremony.published("timestamp")["signed"] | {"version": version, "expires": when(1),
                                                                  "meta": {"snapshot.json": meta}}
        (folder / "timestamp.json").write_text(json.dumps(self.sign("timestamp", stamp)))


def secret_parts(path: Path) -> list[bytes]:
    """What would betray a private key: a line of its PEM, its raw bytes, its hex and its base64."""
    pem = path.read_bytes()
    lines = [l for l in pem.splitlines() if l and not l.startswith(b"-----")]
    key = serialization.load_pem_private_key(pem, None)
    if hasattr(key, "private_numbers"):
        raw = key.private_numbers().private_value.to_bytes(32, "big")
    else:
        raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    return [max(lines, key=len), raw, raw.hex().encode(), base64.b64encode(raw)]
