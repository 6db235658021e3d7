"""A TUF repository in memory, made without any code of ours: plain dictionaries, own canonical form, keys from
python3-cryptography. Served over HTTP/1.0 without TLS, so that tests can publish any state, good or bad."""
import datetime
import hashlib
import http.server
import json
import os
import subprocess
import threading
import urllib.parse
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

TOP = ("root", "timestamp", "snapshot", "targets")


def canonical(value) -> bytes:
    """The OLPC dialect: sorted members, no blanks, only quote and backslash escaped."""
    if isinstance(value, dict):
        return b"{" + b",".join(canonical(k) + b":" + canonical(v) for k, v in sorted(value.items())) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, str):
        return b'"' + value.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
    if value is None or isinstance(value, bool):
        return {True: b"true", False: b"false", None: b"null"}[value]
    return str(value).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Key:
    def __init__(self, kind="ed25519", private=None):
        """A new key, or the given private one (`kind` must fit)."""
        self.kind = kind
        spki = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        if kind == "ed25519":
            self.private = private or ed25519.Ed25519PrivateKey.generate()
            raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            public, names = self.private.public_key().public_bytes(*raw).hex(), ("ed25519", "ed25519")
        elif kind == "ecdsa":
            self.private = private or ec.generate_private_key(ec.SECP256R1())
            public, names = self.private.public_key().public_bytes(*spki).decode(), ("ecdsa", "ecdsa-sha2-nistp256")
        else:
            self.private = private or rsa.generate_private_key(65537, 2048)
            public, names = self.private.public_key().public_bytes(*spki).decode(), ("rsa", "rsassa-pss-sha256")
        self.object = {"keytype": names[0], "scheme": names[1], "keyval": {"public": public}}
        self.id = sha256(canonical(self.object))

    @staticmethod
    def load(path: Path) -> "Key":
        """A private key file of a server directory."""
        private = serialization.load_pem_private_key(path.read_bytes(), None)
        return Key("ed25519" if isinstance(private, ed25519.Ed25519PrivateKey) else "ecdsa", private)

    def sign(self, data: bytes) -> str:
        if self.kind == "ed25519":
            return self.private.sign(data).hex()
        if self.kind == "ecdsa":
            return self.private.sign(data, ec.ECDSA(hashes.SHA256())).hex()
        return self.private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()).hex()


def days(n: float) -> str:
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=n)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Repo:
    """The publishing side; tests change `docs` and `signers` at will."""

    def __init__(self, kind="ed25519", consistent=True):
        def common(kind_of):
            return {"_type": kind_of, "spec_version": "1.0.31", "version": 1, "expires": days(30)}
        self.docs = {
            "root": {**common("root"), "consistent_snapshot": consistent, "keys": {}, "roles": {}},
            "timestamp": {**common("timestamp"), "meta": {"snapshot.json": {"version": 1}}},
            "snapshot": {**common("snapshot"), "meta": {"targets.json": {"version": 1}}},
            "targets": {**common("targets"), "targets": {}},
        }
        self.signers = {}
        self.roots = []
        self.files = {}
        self.with_hashes = False
        self.override = {}
        for role in TOP:
            self.docs["root"]["roles"][role] = {"keyids": [], "threshold": 1}
            self.add_key(role, kind=kind)
        self.publish_root(bump=False)

    def add_key(self, role, delegator="root", kind="ed25519", key=None):
        key = key or Key(kind)
        if delegator == "root":
            keys, entry = self.docs["root"]["keys"], self.docs["root"]["roles"][role]
        else:
            delegations = self.docs[delegator]["delegations"]
            keys, entry = delegations["keys"], next(r for r in delegations["roles"] if r["name"] == role)
        keys[key.id] = key.object
        entry["keyids"].append(key.id)
        self.signers.setdefault(role, []).append(key)
        return key

    def rotate(self, role):
        self.docs["root"]["roles"][role]["keyids"] = []
        self.signers[role] = []
        for _ in range(self.docs["root"]["roles"][role]["threshold"]):
            self.add_key(role)

    def envelope(self, role) -> bytes:
        signed = self.docs[role]
        data = canonical(signed)
        sigs = [{"keyid": k.id, "sig": k.sign(data)} for k in self.signers[role]]
        return json.dumps({"signatures": sigs, "signed": signed}).encode()

    def publish_root(self, bump=True, also_by=()):
        if bump:
            self.docs["root"]["version"] += 1
        own = self.signers["root"]
        self.signers["root"] = own + [k for k in also_by if k not in own]
        self.roots.append(self.envelope("root"))
        self.signers["root"] = own

    def meta(self, role) -> dict:
        entry = {"version": self.docs[role]["version"]}
        if self.with_hashes:
            data = self.envelope(role)
            entry |= {"length": len(data), "hashes": {"sha256": sha256(data)}}
        return entry

    def publish(self, *changed):
        """New versions of the roles named, of snapshot and of timestamp."""
        for role in changed:
            self.docs[role]["version"] += 1
        for role in self.docs:
            if role not in ("root", "timestamp", "snapshot"):
                self.docs["snapshot"]["meta"][f"{role}.json"] = self.meta(role)
        self.docs["snapshot"]["version"] += 1
        self.publish_timestamp()

    def publish_timestamp(self):
        self.docs["timestamp"]["meta"]["snapshot.json"] = self.meta("snapshot")
        self.docs["timestamp"]["version"] += 1

    def delegate(self, delegator, name, paths=("*",), terminating=False, key=None, **more):
        delegations = self.docs[delegator].setdefault("delegations", {"keys": {}, "roles": []})
        entry = {"name": name, "keyids": [], "threshold": 1, "terminating": terminating, **more}
        if "path_hash_prefixes" not in more:
            entry["paths"] = list(paths)
        delegations["roles"].append(entry)
        if name in self.docs and key is None:
            for known in self.signers[name]:
                delegations["keys"][known.id] = known.object
                entry["keyids"].append(known.id)
        else:
            self.docs.setdefault(name, {"_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": days(30),
                                        "targets": {}})
            self.add_key(name, delegator, key=key)

    def add_file(self, role, path, data: bytes):
        self.docs[role]["targets"][path] = {"length": len(data), "hashes": {"sha256": sha256(data)}}
        self.files[path] = data


class Server:
    """Serves a Repo; `requests` holds what was asked for."""

    def __init__(self, repo: Repo):
        outer = self
        self.repo, self.requests = repo, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                data = outer.answer(urllib.parse.unquote(self.path.partition("/")[2].partition("/")[2]),
                                    self.path.startswith("/metadata/"))
                if data is None or isinstance(data, int):
                    self.send_error(data or 404)
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(data)
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"

    def answer(self, name, metadata):
        repo = self.repo
        if not metadata:
            self.requests.append(("file", name))
            if repo.docs["root"]["consistent_snapshot"]:
                folder, _, base = name.rpartition("/")
                name = (folder + "/" if folder else "") + base.partition(".")[2]
            return repo.files.get(name)
        name, version = name.removesuffix(".json"), None
        if name.endswith(".root") or (name != "timestamp" and repo.docs["root"]["consistent_snapshot"]):
            number, _, name = name.partition(".")
            version = int(number)
        self.requests.append((name, version))
        if name in repo.override:
            return repo.override[name]
        if name == "root":
            return repo.roots[version - 1] if 0 < version <= len(repo.roots) else None
        return repo.envelope(name) if name in repo.docs else None

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


class Client:
    """tests/tuf_client on one state directory."""

    def __init__(self, program: Path, server: Server, folder: Path):
        self.program, self.server = program, server
        self.state, self.out, self.folder = folder / "metadata", folder / "out", folder
        self.err = ""

    def run(self, *argv, days_ahead=0) -> int:
        command = [self.program, *map(str, argv)]
        if days_ahead:
            command = ["faketime", "-f", f"{days_ahead:+d}d", *command]
        env = {**os.environ, "ASAN_OPTIONS": "verify_asan_link_order=0"}
        r = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
        self.err = r.stderr
        assert r.returncode in (0, 1), f"exit status {r.returncode}: {r.stderr}"
        return r.returncode

    def init(self, root: bytes | None = None) -> int:
        path = self.folder / "trusted.json"
        path.write_bytes(root or self.server.repo.roots[0])
        return self.run("--metadata-dir", self.state, "init", path)

    def refresh(self, days_ahead=0) -> int:
        self.server.requests.clear()
        return self.run("--metadata-url", self.server.url + "/metadata", "--metadata-dir", self.state, "refresh",
                        days_ahead=days_ahead)

    def download(self, *names) -> int:
        self.server.requests.clear()
        wanted = [part for n in names for part in ("--target-name", n)]
        return self.run("--metadata-url", self.server.url + "/metadata", "--metadata-dir", self.state, *wanted, "--target-dir",
                        self.out, "--target-base-url", self.server.url + "/targets", "download")

    def version(self, role):
        path = self.state / (urllib.parse.quote(role, "") + ".json")
        return json.loads(path.read_text())["signed"]["version"] if path.exists() else None

    def stored(self) -> list[str]:
        return sorted(p.name for p in self.state.iterdir() if p.name.endswith(".json"))

    def asked_roles(self) -> list[str]:
        return [name for name, _ in self.server.requests if name not in TOP]
