"""Goal: whatever clients do on the wire, the server stays up, answers a well-behaved client in time, keeps its memory
bounded, and nothing crosses from one tenant to another (INV-11). Everything runs against the real server over TLS."""
import contextlib
import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import ssl
import threading
import time

import pytest
from conftest import BIN
from lab import Lab, wait_for
from load import COHORT, metrics

HOST = "127.0.0.1"
GOOD_SOURCE = "127.0.0.2"  # caps are per address
PER_ADDRESS = 150
HELLO = bytes.fromhex("16030100c8010000c40303") + os.urandom(60)  # the first part of one
CROWD, CONNECTIONS = 1300, 8000  # of a quarter of which no more than that is crowded
ANSWER_S = 20  # generous: the machine may be loaded
SEED = random.SystemRandom().randrange(10**6)


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # no store of authorities to load
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


def plain(lab, source=HOST, timeout=ANSWER_S):
    return socket.create_connection((HOST, lab.port), timeout=timeout, source_address=(source, 0))


def connect(lab, source=HOST, timeout=ANSWER_S):
    return CONTEXT.wrap_socket(plain(lab, source, timeout))


def read_all(s, quiet_s=0.4):
    """What comes until the server closes or is silent."""
    got = b""
    with contextlib.suppress(OSError):
        s.settimeout(ANSWER_S)
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
            s.settimeout(quiet_s)
    return got


def statuses(data):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", data)]


def post(lab, path, token, body, source=HOST):
    data = body if isinstance(body, (bytes, str)) else json.dumps(body)
    with contextlib.closing(http.client.HTTPSConnection(HOST, lab.port, context=CONTEXT, timeout=ANSWER_S,
                                                        source_address=(source, 0))) as c:
        c.request("POST", path, data, {"Authorization": f"Bearer {token}"})
        r = c.getresponse()
        return r.status, r.read()


def get(lab, path, token):
    with contextlib.closing(http.client.HTTPSConnection(HOST, lab.port, context=CONTEXT, timeout=ANSWER_S)) as c:
        c.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        r = c.getresponse()
        return r.status, r.read()


class Good:
    """A client that does nothing odd, all the time: a new connection and a durable beacon each round."""

    def __init__(self, lab, token):
        self.lab, self.token = lab, token
        self.stopping, self.rounds, self.worst_s, self.failures = threading.Event(), 0, 0.0, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                status, text = post(self.lab, "/v1/beacons", self.token, {"beacons": [beacon()]}, GOOD_SOURCE)
                if status != 200:
                    self.failures.append((status, text))
            except (OSError, http.client.HTTPException) as e:
                self.failures.append(repr(e))
            self.worst_s = max(self.worst_s, time.monotonic() - began)
            self.rounds += 1
            self.stopping.wait(0.05)


def beacon(**more):
    return {"id": os.urandom(16).hex(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kind": "alive",
            "ring": "canary", "cohort": COHORT, "grade": "full", "trust": "development", **more}


def rss_kib(lab):
    with open(f"/proc/{lab.server.child.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def check_memory(world):
    """The sanitizer keeps what was freed (256 MiB at most), so there only a leak without bounds is seen."""
    grown = rss_kib(world.lab) - world.rss_before
    assert grown < (512 if "asan" in str(BIN) else 64) * 1024, grown
    return grown


class World:
    def __init__(self, lab):
        self.lab = lab
        self.tokens = {}
        for tenant in ("red", "blue"):
            self.tokens[tenant] = self.make(f"join-{tenant}", "enrol", tenant)
            self.tokens[f"{tenant} viewer"] = self.make(f"view-{tenant}", "viewer", tenant)
        lab.server.child.send_signal(signal.SIGHUP)
        wait_for("tokens are known",
                 lambda: post(lab, "/v1/enrol", self.tokens["blue"], {"endpoint": "b" * 32})[0] == 200)
        self.endpoint = {t: self.enrol(t, t[0].encode().hex() * 16) for t in ("red", "blue")}

    def make(self, name, role, tenant):
        return self.lab.run("ringward-server", "token", "--dir", self.lab.server_dir, "--name", name, "--role", role,
                            "--tenant", tenant, check=True).stdout.strip()

    def enrol(self, tenant, endpoint):
        status, text = post(self.lab, "/v1/enrol", self.tokens[tenant], {"endpoint": endpoint})
        assert status == 200, text
        return json.loads(text)["token"]

    def seen_by(self, tenant):
        status, text = get(self.lab, "/v1/fleet?limit=1000", self.tokens[f"{tenant} viewer"])
        assert status == 200, text
        return {e["endpoint"]: e for e in json.loads(text)["endpoints"]}


@pytest.fixture(scope="module")
def world():
    print(f"seed {SEED}")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, CONNECTIONS + 512), most))
    with Lab(BIN) as lab:
        lab.init()
        with open(lab.server_dir / "server.conf", "a") as f:
            f.write(f"connections = {CONNECTIONS}\nconnections_per_address = {PER_ADDRESS}\nworkers = 2\n")
        lab.start_server()
        w = World(lab)
        w.good = Good(lab, w.endpoint["blue"])
        wait_for("the good client is answered", lambda: w.good.rounds > 5, 60)
        w.rss_before = rss_kib(lab)
        yield w
        w.good.stopping.set()
        w.good.thread.join(60)


@pytest.fixture(autouse=True)
def unharmed(world):
    """After each test: the same process, and the good client was answered all the time."""
    before = world.good.rounds
    yield
    assert world.lab.server.running(), world.lab.server.tail(40)
    wait_for("the good client goes on", lambda: world.good.rounds > before + 2, 60)
    assert not world.good.failures, world.good.failures[:3]
    assert world.good.worst_s < ANSWER_S


OK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /v1/beacons HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
ODD = {
    "CL and TE": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE and CL": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE in disguise": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE with a tab": POST + b"Transfer-Encoding:\x0bchunked\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 36\r\n\r\n" + SMUGGLED,
    "two equal lengths": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "length with a sign": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "length list": POST + b"Content-Length: 0, 36\r\n\r\n" + SMUGGLED,
    "length in hex": POST + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "length below zero": POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "huge length": POST + b"Content-Length: 99999999999999999999\r\n\r\n",
    "body above its cap": POST + b"Content-Length: 9999999999\r\n\r\n",
    "folded header": OK + b"X: a\r\n b\r\n\r\n" + SMUGGLED,
    "bare LF": b"GET /healthz HTTP/1.1\nHost: x\n\n" + SMUGGLED,
    "LF in a header": OK + b"X: a\nContent-Length: 36\r\n\r\n" + SMUGGLED,
    "CR in a value": OK + b"X: a\rb\r\n\r\n",
    "NUL in a value": OK + b"X: a\0b\r\n\r\n",
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": OK + b"Host: y\r\n\r\n",
    "absolute target": b"GET http://y/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "way out of the tree": b"GET /repo/../secret HTTP/1.1\r\nHost: x\r\n\r\n",
    "way out, encoded": b"GET /repo/%2e%2e/secret HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown method": b"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT y:443 HTTP/1.1\r\nHost: y\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "upgrade": b"GET /healthz HTTP/1.9\r\nHost: x\r\nUpgrade: h2c\r\n\r\n",
    "long target": b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": OK + b"X: " + b"a" * 100000 + b"\r\n\r\n",
    "many headers": OK + b"X: a\r\n" * 5000 + b"\r\n",
    "noise": random.Random(SEED).randbytes(4096),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_requests_are_refused_and_nothing_behind_them_is_answered(world, name):
    with contextlib.closing(connect(world.lab)) as s:
        with contextlib.suppress(OSError):
            s.sendall(ODD[name])
        got = read_all(s) if name != "bare LF" else b""  # gets no answer: falls to the deadline
    assert all(400 <= code < 600 for code in statuses(got)), got[:300]
    assert len(statuses(got)) <= 1 and b"ringward_" not in got, got[:300]


def drip(lab, head, made, cut, stop):
    """One byte now and then, for as long as the server lets us."""
    try:
        s = connect(lab)
        s.sendall(head)
        made.append(1)
        while not stop.wait(0.5):
            s.sendall(b"a")
            s.settimeout(0.01)
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                if s.recv(4096) == b"":
                    raise ConnectionResetError
            s.settimeout(ANSWER_S)
    except OSError:
        cut.append(time.monotonic())
    finally:
        with contextlib.suppress(OSError, UnboundLocalError):
            s.close()


def test_drips_garbage_and_half_handshakes_are_cut(world):
    """Slow headers, slow bodies, no handshake, half of one, and noise instead, all at a time."""
    lab, stop, made, cut = world.lab, threading.Event(), [], []
    token = world.endpoint["red"].encode()
    body = POST + b"Authorization: Bearer " + token + b"\r\nContent-Length: 2000\r\n\r\n{"
    threads = [threading.Thread(target=drip, args=(lab, head, made, cut, stop), daemon=True)
               for head in [OK + b"X: "] * 30 + [body] * 30]
    for t in threads:
        t.start()
    odd = [plain(lab) for _ in range(40)]
    for i, s in enumerate(odd):
        with contextlib.suppress(OSError):
            s.sendall([b"", HELLO, os.urandom(500), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"][i % 4])
    try:
        for s in odd:  # closed by the server, whatever alert came before
            s.settimeout(60)
            with contextlib.suppress(ConnectionResetError):
                while s.recv(4096):
                    pass
        wait_for("every drip is cut", lambda: len(cut) == len(threads), 60)
        assert len(made) > 0
    finally:
        stop.set()
        for s in odd:
            s.close()
        for t in threads:
            t.join(60)


def test_what_a_crowd_of_half_handshakes_took_goes_back_to_the_system(world):
    """From many addresses, so that no cap per address holds it."""
    def accepted():
        return metrics(world.lab.port)["ringward_http_connections_total"]
    before, number, crowd = rss_kib(world.lab), accepted(), []
    try:
        for i in range(CROWD):
            crowd.append(plain(world.lab, f"127.9.0.{1 + i // 100}"))
            crowd[-1].sendall(HELLO)
        wait_for("all are in", lambda: accepted() >= number + CROWD)
        taken = rss_kib(world.lab) - before
        assert status_or_zero(world) == 200
    finally:
        for s in crowd:
            s.close()
    assert taken > 15 * 1024, taken  # else nothing of it would be seen to go
    if "asan" not in str(BIN):  # the sanitizer keeps what was freed
        wait_for("memory is given back", lambda: rss_kib(world.lab) - before < taken / 3, 20, 0.2)


def test_a_flood_of_connections_from_one_address_meets_its_cap(world):
    turned_away = metrics(world.lab.port)["ringward_http_turned_away_total"]
    held = []
    try:
        for _ in range(3 * PER_ADDRESS):
            with contextlib.suppress(OSError):
                held.append(plain(world.lab))
        seen = wait_for("the rest is turned away", lambda: turned_away_since(world, turned_away), 60)
        assert seen >= PER_ADDRESS
    finally:
        for s in held:
            s.close()
    wait_for("the address is served again", lambda: status_or_zero(world) == 200, 60)


def turned_away_since(world, before):
    """Asked from another address: this one's share is used up."""
    with contextlib.closing(http.client.HTTPSConnection(HOST, world.lab.port, context=CONTEXT, timeout=ANSWER_S,
                                                        source_address=(GOOD_SOURCE, 0))) as c:
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
    n = next(float(x.split()[1]) for x in text.splitlines() if x.startswith("ringward_http_turned_away_total"))
    return n - before if n - before >= PER_ADDRESS else 0


def status_or_zero(world):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return get(world.lab, "/healthz", "x")[0]
    return 0


def test_pipelining_is_answered_in_order_or_cut_and_never_piles_up(world):
    with contextlib.closing(connect(world.lab)) as s:
        s.sendall((OK + b"\r\n") * 200)
        assert statuses(read_all(s, 2)) == [200] * 200
    # Asks for the biggest document again and again and takes nothing of it.
    greedy = [connect(world.lab) for _ in range(20)]
    try:
        for s in greedy:
            s.settimeout(1)
            with contextlib.suppress(OSError):
                s.sendall((b"GET /status.js HTTP/1.1\r\nHost: x\r\n\r\n") * 20000)
        check_memory(world)
    finally:
        for s in greedy:
            s.close()


def test_inv_11_forged_and_borrowed_tokens_open_nothing(world):
    red, blue = world.endpoint["red"], world.endpoint["blue"]
    kind, endpoint, tenant, issued, mac = red.split(".")
    forged = {
        "another tenant": ".".join([kind, endpoint, "blue", issued, mac]),
        "another endpoint": ".".join([kind, blue.split(".")[1], tenant, issued, mac]),
        "another time": ".".join([kind, endpoint, tenant, str(int(issued) + 1), mac]),
        "another MAC": ".".join([kind, endpoint, tenant, issued, "0" * 64]),
        "cut": red[:-1], "longer": red + "0", "older form": red.replace("rwe2", "rwe1"), "empty": "",
        "of enrolment": world.tokens["red"], "of an operator": world.tokens["red viewer"], "huge": "rwe2." + "a" * 3000,
    }
    for name, token in forged.items():
        for path in ("/v1/beacons", "/v1/permits", "/v1/token"):
            status, text = post(world.lab, path, token, {"beacons": [beacon()]} if path == "/v1/beacons" else {})
            assert status in (401, 403), (name, path, status, text)
    for path in ("/v1/fleet", "/v1/audit", "/v1/status"):
        assert get(world.lab, path, red)[0] in (401, 403)
    assert post(world.lab, "/v1/rollouts", world.tokens["red viewer"], {})[0] in (401, 403)


def test_inv_11_a_tenant_sees_and_touches_its_own_endpoints_only(world):
    red, blue = (world.endpoint[t].split(".")[1] for t in ("red", "blue"))
    assert red in world.seen_by("red") and blue not in world.seen_by("red")
    assert blue in world.seen_by("blue") and red not in world.seen_by("blue")
    assert get(world.lab, f"/v1/fleet/{blue}", world.tokens["red viewer"])[0] == 404
    # The endpoint that a beacon is about is the token's: a body that names another one is refused, not believed.
    before = world.seen_by("blue")[blue]
    for more in ({"endpoint": blue}, {"tenant": "blue"}):
        assert post(world.lab, "/v1/beacons", world.endpoint["red"], {"beacons": [beacon(**more)]})[0] == 400
    # A replay by another endpoint is a beacon of its own, one by itself a repeat.
    b = beacon()
    for who, accepted in (("red", 1), ("red", 0)):
        status, text = post(world.lab, "/v1/beacons", world.endpoint[who], {"beacons": [b]})
        assert status == 200 and json.loads(text)["accepted"] == accepted, text
    after = world.seen_by("blue")[blue]
    assert before["content"] == after["content"]


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2099-12-31T23:59:59Z", "9999-12-31T23:59:59Z",
                                "0000-00-00T00:00:00Z", "-1", "2026-02-30T00:00:00Z"])
def test_lies_about_the_time_move_no_clock_of_ours(world, at):
    status, text = post(world.lab, "/v1/beacons", world.endpoint["red"], {"beacons": [beacon(at=at)]})
    assert status in (200, 400), text
    red = world.endpoint["red"].split(".")[1]
    seen = world.seen_by("red")[red]["seen"]
    assert seen[:4] == time.strftime("%Y", time.gmtime()), seen


def test_inv_11_a_flood_of_one_tenant_stays_its_own(world):
    """Hundreds of endpoints of red shout failures of a release that is not theirs to judge."""
    blue_before = world.seen_by("blue")
    answers, lock = [], threading.Lock()

    def shout(part):
        ids = [f"{part:02x}{i:030x}" for i in range(25)]
        for t in [world.enrol("red", i) for i in ids]:
            many = [beacon(kind="crash", family="yara", release=1, sha256="ab" * 32, stage="active", signal=11,
                           generation=2)
                    for _ in range(32)]
            answer = post(world.lab, "/v1/beacons", t, {"beacons": many})
            with lock:
                answers.append(answer)
    threads = [threading.Thread(target=shout, args=(p,)) for p in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert len(answers) == 4 * 25 and {code for code, _ in answers} <= {200, 429, 503}, answers[:2]
    assert set(world.seen_by("blue")) == set(blue_before)
    assert len(world.seen_by("red")) >= 100


def test_memory_stayed_bounded(world):
    """The last one: what all the others left behind."""
    grown = check_memory(world)
    print(json.dumps({"rss_before_kib": world.rss_before, "grown_kib": grown, "good_rounds": world.good.rounds,
                      "worst_answer_s": round(world.good.worst_s, 3)}))
    assert metrics(world.lab.port)["ringward_http_connections_open"] < PER_ADDRESS
