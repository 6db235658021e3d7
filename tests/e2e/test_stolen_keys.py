"""Goal (INV-7): whoever has stolen the server and every online key can delay, stop and go back, and nothing else.

The thief of these tests has the real ring, snapshot and timestamp keys of a server directory, the repository, the names
and the certificates; the thief answers every permit with yes. What engineers and officers sign is made here too, with
their real keys, so that each refusal stands beside the same change that is accepted with the right signatures. The
endpoint is the real agent with its real box and sensor.
"""
import contextlib
import copy
import datetime
import http.server
import json
import threading

import pytest

from conftest import BIN
from lab import POLICY, Agent, Lab, wait_for
from tuf_sim import Key, canonical, sha256

RINGS = [r["name"] for r in POLICY["rings"]]
HARD_MIN_S = 3


def at(seconds: float) -> str:
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def payload(text: str) -> bytes:
    return f'rule r_{sha256(text.encode())[:8]} {{ strings: $a = "{text} 81d2c4" condition: $a }}\n'.encode()


class Stolen:
    """The repository in the thief's hands, served with everything that an agent asks for."""

    def __init__(self, lab: Lab):
        folder = lab.server_dir
        self.metadata = folder / "repo" / "metadata"
        self.online = {role: Key.load(folder / "signer" / f"{role}.key")
                       for role in ["snapshot", "timestamp", *[f"ring-{r}" for r in RINGS]]}
        self.engineers = [Key.load(folder / "engineers" / f"{n}.key") for n in ("alice", "bob")]
        self.officers = [Key.load(folder / "officers" / f"{n}.key") for n in ("carol", "dave")]
        self.files = {p.name: p.read_bytes() for p in self.metadata.iterdir()}
        self.targets = {f"policy/{p.name}": p.read_bytes() for p in (folder / "repo" / "targets" / "policy").iterdir()}
        self.docs = {}
        for role in ["targets", "content-yara", *[f"ring-{r}" for r in RINGS], "snapshot"]:
            newest = max((n for n in self.files if n.endswith(f".{role}.json")), key=lambda n: int(n.split(".")[0]))
            self.docs[role] = json.loads(self.files[newest])["signed"]
        self.docs["timestamp"] = json.loads(self.files["timestamp.json"])["signed"]
        self.docs["expedite"] = {"_type": "targets", "spec_version": "1.0.31", "version": 0, "expires": at(3600), "targets": {}}
        self.granted = []
        self.beacons = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self, data):
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def do_GET(self):
                self.reply(outer.get(self.path))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.reply(json.dumps(outer.post(self.path, body)).encode())
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"

    def get(self, path):
        if path.startswith("/repo/metadata/"):
            return self.files.get(path.removeprefix("/repo/metadata/"))
        name = path.removeprefix("/repo/targets/")
        return self.targets.get(name)

    def post(self, path, body):
        if path == "/v1/enrol":
            return {"token": f"rwe1.{body['endpoint']}.default.{'0' * 64}"}
        if path == "/v1/permits":
            self.granted.append(body["release"])
            return {"decision": "granted", "permit": str(len(self.granted)), "valid_s": 60, "deadline_s": 900, "probation_s": 1}
        self.beacons += body["beacons"]
        return {"accepted": len(body["beacons"]), "duplicates": 0, "poll_s": 1}

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()

    # --- signing ---
    def put(self, role, keys) -> None:
        """The next version of a role, listed by snapshot and timestamp; all with whatever keys are given."""
        self.docs[role]["version"] += 1
        self.write(role, keys)
        self.seal()

    def write(self, role, keys):
        signed = self.docs[role]
        sigs = [{"keyid": k.id, "sig": k.sign(canonical(signed))} for k in keys]
        data = json.dumps({"signatures": sigs, "signed": signed}).encode()
        self.files["timestamp.json" if role == "timestamp" else f"{signed['version']}.{role}.json"] = data
        return {"version": signed["version"], "length": len(data), "hashes": {"sha256": sha256(data)}}

    def seal(self):
        for role in self.docs:
            name = f"{self.docs[role]['version']}.{role}.json"
            if role not in ("snapshot", "timestamp") and name in self.files:
                data = self.files[name]
                self.docs["snapshot"]["meta"][f"{role}.json"] = {
                    "version": self.docs[role]["version"], "length": len(data), "hashes": {"sha256": sha256(data)}}
        self.docs["snapshot"]["version"] += 1
        self.docs["snapshot"]["expires"] = at(86400)
        meta = self.write("snapshot", [self.online["snapshot"]])
        self.docs["timestamp"]["meta"]["snapshot.json"] = meta
        self.docs["timestamp"]["version"] += 1
        self.docs["timestamp"]["expires"] = at(3600)
        self.write("timestamp", [self.online["timestamp"]])

    # --- what engineers sign ---
    def entry(self, number: int, data: bytes, not_before_s=-60.0, signed_s=-3600.0, **more) -> dict:
        custom = {"format": 1, "family": "yara", "release": number, "class": "rules", "signed_at": at(signed_s),
                  "not_before": {r: at(not_before_s) for r in RINGS}, "engine": {"min": 0, "max": 999999},
                  "platforms": ["linux-x86_64"], **more}
        return {"custom": {"ringward": custom}, "hashes": {"sha256": sha256(data)}, "length": len(data)}

    def serve(self, number: int, data: bytes):
        self.targets[f"content/yara/{sha256(data)}.{number}.rwc"] = data

    def release(self, number: int, data: bytes, keys=None, **more):
        """A content role with one release more."""
        self.docs["content-yara"]["targets"][f"content/yara/{number}.rwc"] = self.entry(number, data, **more)
        self.serve(number, data)
        self.put("content-yara", self.engineers if keys is None else keys)

    # --- what the thief signs ---
    def point(self, number: int, data: bytes, rings=tuple(RINGS), **more):
        for ring in rings:
            custom = {"format": 1, "ring": ring, "family": "yara", "content": f"content/yara/{number}.rwc", "release": number,
                      "state": "go", **more}
            self.docs[f"ring-{ring}"]["targets"][f"rings/{ring}/yara"] = {
                "custom": {"ringward": custom}, "hashes": {"sha256": sha256(data)}, "length": len(data)}
            self.docs[f"ring-{ring}"]["version"] += 1
            self.write(f"ring-{ring}", [self.online[f"ring-{ring}"]])
        self.seal()

    def expedite(self, number: int, data: bytes, keys, rings=("broad",), from_s=-1.0, until_s=600.0):
        custom = {"format": 1, "rings": list(rings), "not_before": at(from_s), "until": at(until_s), "reason": "test"}
        self.docs["expedite"]["targets"][f"expedite/yara/{number}"] = {
            "custom": {"ringward": custom}, "hashes": {"sha256": sha256(data)}, "length": len(data)}
        self.put("expedite", keys)


class Endpoint(Agent):
    def __init__(self, lab, thief, ring="broad", **settings):
        super().__init__(lab, f"{ring}-{len(lab.agents)}", ring, server=thief.url, ca_file=None, poll_interval="1h", **settings)
        lab.agents.append(self)
        self.start()
        wait_for("the agent answers", self.status, 30, 0.1)

    def check(self) -> dict:
        """One whole poll; what the agent says of its family then."""
        r = self.lab.run("ringward-agent", "check", "--config", self.conf)
        assert r.returncode in (0, 1), r.stderr
        status = self.status()
        return {**status, "family": (status["families"] or [{}])[0]}

    def settle(self, number: int):
        """Polls until the release is active and proven."""
        def there():
            self.check()
            return self.active_release() == number and self.status().get("phase") == "steady"
        wait_for(f"release {number} is active", there, 40, 0.3)

    def stays(self, number: int, decision: str, says: str, polls: int = 2):
        """However often it polls, it keeps what it has, and says why."""
        for _ in range(polls):
            seen = self.check()
            assert self.active_release() == number, seen
            assert seen["family"]["decision"] == decision, seen["family"]
            assert says in seen["family"]["reason"], seen["family"]


ONE, TWO, THREE = payload("one"), payload("two"), payload("three")


@pytest.fixture
def world():
    """A thief, and an endpoint in the last ring that runs release 1, rightly signed and baked."""
    policy = copy.deepcopy(POLICY)
    policy["expedite"] = {"hard_min": f"{HARD_MIN_S}s", "longest": "1h"}
    with Lab(BIN, policy=policy) as lab, contextlib.ExitStack() as stack:
        lab.init()
        thief = Stolen(lab)
        stack.callback(thief.close)
        thief.release(1, ONE)
        thief.point(1, ONE)
        endpoint = Endpoint(lab, thief)
        endpoint.settle(1)
        yield lab, thief, endpoint


# --- 1: content that engineers did not sign ---
def test_a_pointer_alone_installs_nothing(world):
    _, thief, endpoint = world
    evil = payload("evil")
    thief.serve(2, evil)
    thief.point(2, evil)
    endpoint.stays(1, "refuse", "does not list the release")
    assert 2 not in thief.granted


def test_a_listed_release_with_other_bytes_is_refused(world):
    _, thief, endpoint = world
    thief.release(2, TWO)
    evil = payload("evil")
    thief.serve(2, evil)
    thief.point(2, evil)
    endpoint.stays(1, "refuse", "differ")
    thief.targets[f"content/yara/{sha256(TWO)}.2.rwc"] = evil
    thief.point(2, TWO)
    seen = endpoint.check()
    assert endpoint.active_release() == 1 and "fetch" in seen["family"]["note"], seen["family"]
    thief.serve(2, TWO)
    endpoint.settle(2)


def test_a_content_role_needs_two_engineers(world):
    _, thief, endpoint = world
    signers = {"nobody": [], "online keys": list(thief.online.values()), "one engineer": thief.engineers[:1],
               "one engineer twice": thief.engineers[:1] * 2, "the officers": thief.officers,
               "one engineer and all online keys": thief.engineers[:1] + list(thief.online.values())}
    for number, (who, keys) in enumerate(signers.items(), 2):
        data = payload(who)
        thief.release(number, data, keys=keys, signed_s=number - 3600.0)
        thief.point(number, data)
        seen = endpoint.check()
        assert endpoint.active_release() == number - 1 and seen["family"]["decision"] == "refuse", (who, seen["family"])
        assert number not in thief.granted, who
        thief.write("content-yara", thief.engineers)  # the same document, rightly signed
        thief.seal()
        endpoint.settle(number)


# --- 2: before the bake ---
def test_nothing_installs_before_its_bake_and_only_the_clock_satisfies_it(world):
    _, thief, endpoint = world
    thief.release(2, TWO, not_before_s=3600, signed_s=0)
    thief.point(2, TWO)
    endpoint.stays(1, "wait", "bakes until")
    thief.point(2, TWO, again=True)
    endpoint.stays(1, "wait", "bakes until")
    assert 2 not in thief.granted


def test_the_policy_demands_its_bake_although_engineers_gave_none(world):
    _, thief, endpoint = world
    thief.release(2, TWO, not_before_s=-3600, signed_s=3)  # broad needs 6 s after signing
    thief.point(2, TWO)
    endpoint.stays(1, "wait", "bakes until")
    endpoint.settle(2)


def test_a_missing_time_refuses(world):
    _, thief, endpoint = world
    thief.release(2, TWO, not_before={r: at(-60) for r in RINGS if r != "broad"})
    thief.point(2, TWO)
    endpoint.stays(1, "refuse", "no valid bake time")


def test_a_lower_number_is_no_way_around_the_bake(world):
    _, thief, endpoint = world
    thief.release(2, TWO, not_before_s=3600, signed_s=-120)
    thief.release(3, THREE, signed_s=-60)
    thief.point(3, THREE)
    endpoint.settle(3)
    thief.point(2, TWO)
    endpoint.stays(3, "wait", "bakes until")


def test_an_expedite_needs_two_officers(world):
    _, thief, endpoint = world
    signers = {"online keys": list(thief.online.values()), "the engineers": thief.engineers, "one officer": thief.officers[:1],
               "one officer and all online keys": thief.officers[:1] + list(thief.online.values())}
    for number, (who, keys) in enumerate(signers.items(), 2):
        data = payload(who)
        thief.release(number, data, not_before_s=3600, signed_s=-60)
        thief.point(number, data)
        thief.expedite(number, data, keys)
        endpoint.stays(number - 1, "wait", "bakes until")
        thief.write("expedite", thief.officers)  # the same document, rightly signed
        thief.seal()
        endpoint.settle(number)


def test_an_expedite_opens_its_rings_only_and_never_below_the_hard_minimum(world):
    _, thief, endpoint = world
    thief.release(2, TWO, not_before_s=3600, signed_s=-60)
    thief.point(2, TWO)
    thief.expedite(2, TWO, thief.officers, rings=("canary", "early"))
    endpoint.stays(1, "wait", "bakes until")
    thief.expedite(2, TWO, thief.officers, until_s=-0.5, from_s=-10)
    endpoint.stays(1, "wait", "bakes until")
    thief.expedite(2, TWO, thief.officers, until_s=2 * 3600)
    endpoint.stays(1, "wait", "bakes until")  # longer than the policy allows
    thief.release(3, THREE, not_before_s=3600, signed_s=30)
    thief.point(3, THREE)
    thief.expedite(3, THREE, thief.officers)
    endpoint.stays(1, "wait", "expedited, bakes until")  # the hard minimum counts from signing
    thief.expedite(2, TWO, thief.officers)
    thief.point(2, TWO)
    endpoint.settle(2)


def test_an_expedite_does_not_skip_the_hold(world):
    _, thief, endpoint = world
    thief.release(2, TWO, not_before_s=3600, signed_s=-60)
    thief.expedite(2, TWO, thief.officers)
    thief.point(2, TWO, state="hold")
    endpoint.stays(1, "hold", "on hold")


# --- 3: another ring ---
def test_another_rings_pointer_says_nothing_here(world):
    _, thief, endpoint = world
    thief.release(2, TWO, not_before={r: at(-60 if r == "internal" else 3600) for r in RINGS})
    thief.point(2, TWO, rings=["internal"])
    endpoint.stays(1, "nothing", "active")
    thief.point(2, TWO, rings=["broad"], ring="internal")
    endpoint.stays(1, "refuse", "speaks for")
    broad = thief.docs["ring-broad"]
    broad["targets"] = copy.deepcopy(thief.docs["ring-internal"]["targets"])  # the entry of the other path
    thief.put("ring-broad", [thief.online["ring-broad"]])
    seen = endpoint.check()
    assert endpoint.active_release() in (0, 1), seen
    thief.point(2, TWO, rings=["broad"])
    broad["version"] += 1
    thief.write("ring-broad", [thief.online["ring-internal"]])  # the right entry, another ring's key
    thief.seal()
    seen = endpoint.check()
    assert endpoint.active_release() in (0, 1) and endpoint.active_release() != 2, seen
    assert 2 not in thief.granted


def test_the_policy_cannot_move_endpoints_without_offline_keys(world):
    """Buckets, and so rings, come from the policy that `targets` lists: with online keys it cannot be another one."""
    lab, thief, _ = world
    computed = Endpoint(lab, thief, ring="computed")
    computed.settle(1)
    before = computed.check()["ring"]
    policy = copy.deepcopy(lab.policy)
    other = next(r for r in ("canary", "early", "broad") if r != before)
    shares = {"canary": "0.01%", "early": "0.01%"} | ({other: "99.98%"} if other != "broad" else {})
    for ring in policy["rings"]:
        if ring["name"] in shares:
            ring["share"] = shares[ring["name"]]
    data = json.dumps(policy).encode()
    thief.targets[f"policy/{sha256(data)}.rings.json"] = data
    thief.docs["targets"]["targets"]["policy/rings.json"] |= {"hashes": {"sha256": sha256(data)}, "length": len(data)}
    thief.put("targets", list(thief.online.values()))
    seen = computed.check()
    assert seen["ring"] == before and not seen["poll"]["ok"], seen
    assert computed.active_release() == 1
    offline = Key.load(lab.server_dir / "offline" / "targets-1.key")
    thief.write("targets", [offline])  # the same document, rightly signed
    thief.seal()
    seen = computed.check()
    if seen["poll"]["ok"] and seen["ring"] not in (before, other):
        pytest.skip("the one endpoint in 5,000 whose random bucket lies in neither of the two big rings")
    wait_for(f"the ring is {other}", lambda: computed.check()["ring"] == other, 30, 0.3)


def test_answers_of_the_server_name_no_ring(world):
    """Whatever enrolment, permits and beacons are answered: the endpoint's ring is its own."""
    lab, thief, _ = world
    answer = thief.post
    thief.post = lambda path, body: {**answer(path, body), "ring": "internal"}
    told = Endpoint(lab, thief, ring="computed")
    told.check()
    thief.post = answer
    own = told.check()["ring"]
    fresh = Endpoint(lab, thief, ring="internal")
    assert fresh.check()["ring"] == "internal"  # chosen by the endpoint's administrator: that is allowed
    assert own in ("canary", "early", "broad")


# --- 4: what a thief can do: delay, stop, go back ---
def test_a_thief_can_delay_and_stop(world):
    _, thief, endpoint = world
    thief.release(2, TWO)
    thief.point(2, TWO, state="hold")
    endpoint.stays(1, "hold", "on hold")
    thief.docs["timestamp"]["expires"] = at(-10)
    thief.docs["timestamp"]["version"] += 1
    thief.write("timestamp", [thief.online["timestamp"]])
    seen = endpoint.check()
    assert endpoint.active_release() == 1 and seen["trust"] == "expired", seen  # loud, and protection goes on
    thief.point(2, TWO)
    endpoint.settle(2)


def test_a_thief_can_go_back_to_what_ran_here_but_not_below_floor_and_not_to_withdrawn(world):
    _, thief, endpoint = world
    thief.release(2, TWO)
    thief.point(2, TWO)
    endpoint.settle(2)
    thief.point(1, ONE)
    endpoint.settle(1)
    thief.release(3, THREE)
    thief.point(3, THREE)
    endpoint.settle(3)
    old = copy.deepcopy(thief.docs["content-yara"])
    role = thief.docs["content-yara"]
    role["ringward"] = {"format": 1, "floor": 2, "withdrawn": []}
    thief.put("content-yara", thief.engineers)
    thief.point(1, ONE)
    endpoint.stays(3, "refuse", "below the floor")
    del role["targets"]["content/yara/1.rwc"]
    role["ringward"] = {"format": 1, "floor": 0, "withdrawn": [{"release": 1, "sha256": sha256(ONE)}]}
    thief.put("content-yara", thief.engineers)
    endpoint.stays(3, "refuse", "does not list")
    # The engineers' older document, still rightly signed: a rollback that the snapshot's versions show.
    thief.docs["content-yara"] = old
    thief.seal()
    seen = endpoint.check()
    assert endpoint.active_release() == 3 and not seen["poll"]["ok"], seen


def test_an_endpoint_that_runs_withdrawn_content_says_so_and_never_takes_it_again(world):
    _, thief, endpoint = world
    thief.release(2, TWO)
    role = thief.docs["content-yara"]
    del role["targets"]["content/yara/1.rwc"]
    role["ringward"] = {"format": 1, "floor": 0, "withdrawn": [{"release": 1, "sha256": sha256(ONE)}]}
    thief.put("content-yara", thief.engineers)
    seen = endpoint.check()
    assert endpoint.active_release() == 1, "kept until the ring moves"
    assert seen["family"]["dropped"] and seen["family"]["withdrawn"], seen["family"]
    assert sha256(ONE) in seen["abandoned"]
    wait_for("it is reported", lambda: any("dropped" in b.get("detail", "") for b in thief.beacons), 30, 0.2)
    thief.point(2, TWO)
    endpoint.settle(2)
    # The same bytes under a new number, rightly signed by engineers who forgot: the bad-list is the endpoint's own.
    role["ringward"] = {"format": 1, "floor": 0, "withdrawn": []}
    thief.release(3, ONE)
    thief.point(3, ONE)
    endpoint.stays(2, "refuse", "failed on this endpoint")
