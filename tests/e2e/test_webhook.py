"""Goal: every event reaches its target at least once, signed, in order, whatever dies in between; a target that fails
delays nobody else; a certificate that nobody vouches for gets nothing."""
import http.server
import json
import ssl
import sys
import threading

import pytest

from conftest import BIN
from lab import EXAMPLES, ROOT, Lab, wait_for

sys.path.insert(0, str(ROOT / "examples" / "webhook"))
from verify import verify  # noqa: E402

SECRET = b"0123456789abcdef0123456789abcdef"


class Receiver:
    """Takes events and verifies them; answers `status`, after the first `fail` ones with 503."""

    def __init__(self, fail=0, tls=None, status=200):
        self.fail, self.status, self.tries, self.events, self.bad = fail, status, 0, [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.tries += 1
                fails = receiver.tries <= receiver.fail
                good = verify(SECRET, self.headers["Ringward-Signature"], body)
                event = json.loads(body)
                if not good or event["key"] != self.headers["Idempotency-Key"]:
                    receiver.bad.append((self.headers, body))
                if not fails:
                    receiver.events.append(event)
                self.send_response(503 if fails else receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            self.scheme = "https"
        self.url = f"{self.scheme}://127.0.0.1:{self.http.server_port}/hook?team=a"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def types(self):
        return [e["type"] for e in self.events]

    def unique(self):
        """Each event once, in the order in which it came first."""
        return list({e["key"]: e for e in self.events}.values())

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def target(lab, name, url, **settings):
    folder = lab.server_dir / "webhooks"
    folder.mkdir(exist_ok=True)
    secret = folder / "secret"
    secret.write_bytes(SECRET + b"\n")
    secret.chmod(0o600)
    lines = {"url": url, "secret_file": "secret", **settings}
    (folder / f"{name}.conf").write_text("".join(f"{k} = {v}\n" for k, v in lines.items()))


def hooks(lab):
    return {h["name"]: h for h in json.loads(lab.cli("webhook", "status", "-o", "json").stdout)["webhooks"]}


def audit(lab):
    text = lab.cli("audit", "show", "--limit", "1000", "-o", "ndjson", check=True).stdout
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def bare():
    with Lab(BIN) as lab:
        yield lab.init()


def test_events_survive_kill_9_and_a_dead_target_delays_nobody(bare):
    lab = bare
    pager, flaky = Receiver(tls=lab.server_dir / "tls"), Receiver(fail=2)
    dead = Receiver(status=500)
    distrusted = Receiver(tls=lab.server_dir / "tls")
    moved = Receiver(status=302)
    target(lab, "pager", pager.url, ca_file=lab.server_dir / "tls" / "ca.pem")
    target(lab, "flaky", flaky.url, events="rollout.*")
    target(lab, "dead", dead.url)
    target(lab, "distrusted", distrusted.url)  # the system's store does not know our CA
    target(lab, "moved", moved.url)
    assert "webhook: pager sends * to https://127.0.0.1:" in lab.run("ringward-server", "check-config", "--dir", lab.server_dir).stdout
    lab.start_server()

    assert "pager has taken an event" in lab.cli("webhook", "test", "pager", check=True).stdout
    release = lab.publish(EXAMPLES / "good-1.yar", "good")
    lab.cli("rollout", "start", release, check=True)
    lab.wait_rollout(release, {"ramping"})
    lab.cli("rollout", "halt", "--reason", "ticket 4711", release, check=True)
    wait_for("the pager knows of the halt", lambda: "rollout.halt" in pager.types(), 30)
    halt = next(e for e in pager.events if e["type"] == "rollout.halt")
    assert halt["record"]["reason"] == "ticket 4711" and halt["record"]["object"] == release
    assert halt["key"] == halt["record"]["hash"] == next(r for r in audit(lab) if r["action"] == "rollout.halt")["hash"]
    assert "alarm.raise" in pager.types()  # development trust is told
    wait_for("the flaky one, too, after its failures", lambda: "rollout.halt" in flaky.types(), 60)
    assert flaky.tries > flaky.fail and all(t.startswith("rollout.") for t in flaky.types())

    # Nothing else is disturbed, and what fails is told, with its cause.
    told = hooks(lab)
    assert told["pager"]["state"] == "ok" and told["dead"]["failures"] >= 1
    assert "status 500" in told["dead"]["error"] and "redirects are not followed" in told["moved"]["error"]
    assert told["distrusted"]["failures"] >= 1 and distrusted.tries == 0
    assert lab.cli("webhook", "status").returncode == 6
    assert any(a.startswith("webhook dead:") for a in lab.json("status")["alarms"])
    assert not any("team=a" in json.dumps(h) for h in told.values())  # a path may be a secret
    failing = lab.cli("webhook", "test", "dead")
    assert failing.returncode == 6 and "status 500" in failing.stderr, failing.stderr
    assert lab.cli("webhook", "test", "nobody").returncode == 7

    # Events that nobody could take, then kill -9: they are there after the restart, in order, with the same keys.
    pager.fail = 10**9
    lab.publish(EXAMPLES / "good-2.yar", "good, too")
    wait_for("a delivery failed", lambda: hooks(lab)["pager"]["failures"] > 0)
    want = audit(lab)
    lab.server.kill()
    pager.fail = 0
    lab.start_server()
    last = want[-1]["hash"]
    wait_for("the last event before the kill", lambda: any(e["key"] == last for e in pager.events), 60)
    seqs = [e["record"]["seq"] for e in pager.unique()]
    assert seqs == sorted(seqs) and seqs == list(range(seqs[0], seqs[-1] + 1))
    assert {r["hash"] for r in want if r["seq"] >= seqs[0]} <= {e["key"] for e in pager.events}
    for r in (pager, flaky, dead, distrusted, moved):
        assert not r.bad
        r.close()
    metrics = lab.run("ringward", "webhook", "status", "-o", "json")
    assert json.loads(metrics.stdout)["webhooks"]


def test_a_receiver_that_is_away_for_too_long_is_told_what_it_missed(bare):
    lab = bare
    away = Receiver(fail=10**9)
    target(lab, "away", away.url, keep=10)
    lab.start_server()
    for i in range(14):
        lab.cli("webhook", "test", "away", "--timeout", "1s")
    wait_for("records were dropped", lambda: hooks(lab)["away"]["dropped"] > 0)
    away.fail = 0
    wait_for("it is told", lambda: "webhook.drop" in away.types(), 60)
    drop = next(e for e in away.events if e["type"] == "webhook.drop")["record"]
    assert drop["object"] == "away" and drop["details"]["records"] >= 1
    away.close()


def test_a_target_that_cannot_be_right_is_refused_at_the_start(bare):
    lab = bare
    for settings, says in (({"url": "http://example.org/x"}, "use https"), ({"url": "https://u:p@example.org/"}, "no name or password"),
                           ({"url": "https://example.org/", "events": "*.halt"}, "events"),
                           ({"url": "https://example.org/", "secret": "in the file"}, "secret")):
        target(lab, "odd", **settings)
        r = lab.run("ringward-server", "check-config", "--dir", lab.server_dir)
        assert r.returncode == 2 and says in r.stderr, r.stderr
    target(lab, "odd", "https://example.org/")
    (lab.server_dir / "webhooks" / "secret").chmod(0o644)
    r = lab.run("ringward-server", "check-config", "--dir", lab.server_dir)
    assert r.returncode == 2 and "chmod 600" in r.stderr, r.stderr
