"""Endpoints over real HTTPS that remember every answer. Each request is sent again, to whichever node answers, until it
is answered 2xx, as agents do: so in the end what the servers keep must be exactly what was sent, nothing lost and
nothing twice. Standard library only."""
import contextlib
import hashlib
import http.client
import json
import random
import ssl
import threading
import time

COHORT = {"os": "debian-12", "arch": "x86_64", "engine": "yara-4.2"}


class Law:
    """INV-1 as the endpoints see it: permits granted so far against beacons that anybody began to send."""

    def __init__(self, start, per_survivor):
        self.start, self.per_survivor = start, per_survivor
        self.lock = threading.Lock()
        self.exposed, self.survivors, self.broken = set(), set(), []

    def confirms(self, endpoint):
        with self.lock:
            self.survivors.add(endpoint)

    def granted(self, endpoint):
        with self.lock:
            self.exposed.add(endpoint)
            allowed = self.start + (1 + self.per_survivor) * len(self.survivors)
            if len(self.exposed) > allowed:
                self.broken.append((len(self.exposed), allowed))


class Load:
    """`urls` may change while it runs: [(host, port), ...]."""

    def __init__(self, lab, urls, release, sha256, endpoints, threads=4, law=None, seed=1):
        self.lab, self.urls, self.release, self.sha256, self.law = lab, urls, release, sha256, law
        self.enrol_token = (lab.server_dir / "tokens" / "enrol.token").read_text().strip()
        self.stopping = threading.Event()
        self.permits, self.healthy, self.alive, self.unanswered = {}, set(), 0, 0
        self.duplicates = 0
        self.lock = threading.Lock()
        self.failures = []
        ids = [hashlib.sha256(f"{seed}/{i}".encode()).hexdigest()[:32] for i in range(endpoints)]
        self.threads = [threading.Thread(target=self.run, args=(ids[i::threads], random.Random(seed + i)), daemon=True)
                        for i in range(threads)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self, timeout_s=60):
        """Every request that was begun is answered before this returns."""
        self.stopping.set()
        end = time.monotonic() + timeout_s
        for t in self.threads:
            t.join(max(0.1, end - time.monotonic()))
        assert not any(t.is_alive() for t in self.threads), "a request was not answered"
        assert not self.failures, self.failures[:3]

    def run(self, ids, rng):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client = Client(self, context, rng)
        try:
            tokens = {}
            while not self.stopping.is_set():
                self.live(client, ids[rng.randrange(len(ids))], tokens)
        except Exception as e:  # noqa: BLE001: shown by stop()
            self.failures.append(repr(e))
        finally:
            client.close()

    def live(self, client, endpoint, tokens):
        if endpoint not in tokens:
            tokens[endpoint] = client.post("/v1/enrol", self.enrol_token, {"endpoint": endpoint})["token"]
        token = tokens[endpoint]
        if endpoint not in self.permits:
            answer = client.post("/v1/permits", token, {"family": "yara", "release": self.release, "sha256": self.sha256,
                                                        "ring": "canary", "from": 0, "cohort": COHORT})
            if answer["decision"] == "granted":
                if self.law:
                    self.law.granted(endpoint)
                with self.lock:
                    self.permits[endpoint] = answer["permit"]
        # Some never confirm: their permit stays open, and can be compared by its number.
        confirms = endpoint in self.permits and endpoint not in self.healthy and endpoint[0] not in "01"
        kind = "healthy" if confirms else "alive"
        if kind == "healthy" and self.law:
            self.law.confirms(endpoint)
        self.beacon(client, token, endpoint, kind)

    def beacon(self, client, token, endpoint, kind):
        b = {"id": f"{client.rng.getrandbits(128):032x}", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
             "kind": kind, "ring": "canary", "cohort": COHORT, "grade": "full", "trust": "development"}
        if kind == "healthy":
            b.update(family="yara", release=self.release, sha256=self.sha256, generation=2)
        answer = client.post("/v1/beacons", token, {"beacons": [b]})
        assert answer["accepted"] + answer["duplicates"] == 1, answer
        with self.lock:
            self.duplicates += answer["duplicates"]
            if kind == "healthy":
                self.healthy.add(endpoint)
            else:
                self.alive += 1


class Client:
    def __init__(self, load, context, rng):
        self.load, self.context, self.rng = load, context, rng
        self.conn, self.at = None, None

    def close(self):
        if self.conn is not None:
            self.conn.close()
        self.conn = None

    def once(self, path, token, body):
        """The answer, or None: nobody knows then what became of it."""
        at = self.at or self.rng.choice(self.load.urls)
        try:
            if self.conn is None:
                self.conn = http.client.HTTPSConnection(*at, context=self.context, timeout=10)
                self.at = at
            self.conn.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {token}"})
            r = self.conn.getresponse()
            text = r.read()
        except (OSError, http.client.HTTPException):
            self.close()
            self.at = None
            return None
        if r.status == 200:
            if self.rng.random() < 0.02:  # now and then another node
                self.close()
                self.at = None
            return json.loads(text)
        self.close()
        self.at = None
        if r.status not in (503,):
            raise AssertionError(f"{path}: {r.status} {text!r}")
        return None

    def post(self, path, token, body):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            answer = self.once(path, token, body)
            if answer is not None:
                return answer
            with self.load.lock:
                self.load.unanswered += 1
            time.sleep(0.02 + self.rng.random() * 0.05)
        raise AssertionError(f"{path}: no answer for 60 s")


def metrics(port, host="127.0.0.1") -> dict:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.closing(http.client.HTTPSConnection(host, port, context=context, timeout=30)) as c:
        c.request("GET", "/metrics")
        lines = c.getresponse().read().decode().splitlines()
    return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}


def get(port, path, host="127.0.0.1", timeout_s=15):
    """Status and body; 0 when nobody answers in time."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with contextlib.closing(http.client.HTTPSConnection(host, port, context=context, timeout=timeout_s)) as c:
            c.request("GET", path)
            r = c.getresponse()
            return r.status, r.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""


def check_exactly(load, lab, port, host="127.0.0.1"):
    """What a node keeps, against every 2xx: nothing lost, nothing twice (INV-2, INV-8)."""
    seen = metrics(port, host)
    assert seen['ringward_beacons_total{kind="healthy"}'] == len(load.healthy), seen
    assert seen['ringward_beacons_total{kind="alive"}'] == load.alive, seen
    fleet = {e["endpoint"]: e for e in all_endpoints(lab)}
    for endpoint, number in load.permits.items():
        content = fleet[endpoint]["content"]
        assert content, (endpoint, number, fleet[endpoint])
        if endpoint not in load.healthy:
            assert content[0]["permit"]["number"] == number, (endpoint, number, fleet[endpoint])
        marks = {m for o in content[0]["outcomes"] for m in o["marks"]}
        assert "exposed" in marks and ("healthy" in marks) == (endpoint in load.healthy), (endpoint, marks)
    exposed = sum("exposed" in o["marks"] for e in fleet.values() for c in e["content"] for o in c["outcomes"])
    assert exposed == len(load.permits)
    if load.law:
        assert not load.law.broken, load.law.broken[:3]


def all_endpoints(lab):
    found, after = [], []
    while True:
        page = lab.json("fleet", "list", "--limit", 1000, *after)
        found += page["endpoints"]
        if "next" not in page:
            return found
        after = ["--after", page["next"]]
