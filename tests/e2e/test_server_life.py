"""Goal: a running server takes a new certificate without dropping a connection, keeps the old one when the new is bad,
and ends gracefully: what runs is answered, nobody new is let in."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from conftest import BIN
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lab import EXAMPLES, Lab, wait_for
from load import Law, Load, check_exactly, metrics
from test_hostile_clients import CONTEXT
from test_kill_load import one_ring, rolled_out


def certificate(lab):
    """What a new connection is shown."""
    with contextlib.closing(CONTEXT.wrap_socket(socket.create_connection(("127.0.0.1", lab.port), timeout=30))) as s:
        return s.getpeercert(binary_form=True)


def der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


@pytest.fixture(scope="module")
def other():
    """Another server's certificate and key."""
    with Lab(BIN) as lab:
        lab.init()
        yield lab.server_dir / "tls"


def test_a_new_certificate_is_taken_and_a_bad_one_refused(lab, other):
    tls = lab.server_dir / "tls"
    first = der(tls / "cert.pem")
    kept = http.client.HTTPSConnection("127.0.0.1", lab.port, context=CONTEXT, timeout=30)
    kept.request("GET", "/healthz")
    assert kept.getresponse().read() and certificate(lab) == first

    def reload(event):
        before = lab.server.log.read_text().count(event)
        lab.server.child.send_signal(signal.SIGHUP)
        wait_for(event, lambda: lab.server.log.read_text().count(event) > before)
    old_key = (tls / "key.pem").read_bytes()
    shutil.copy(other / "cert.pem", tls / "cert.pem")  # a certificate without its key
    reload("certificate_refused")
    assert certificate(lab) == first
    (tls / "key.pem").write_text("no key")
    reload("certificate_refused")
    (tls / "key.pem").unlink()
    reload("certificate_refused")
    assert certificate(lab) == first
    shutil.copy(other / "key.pem", tls / "key.pem")
    reload("certificate_loaded")
    assert certificate(lab) == der(other / "cert.pem") != first
    kept.request("GET", "/healthz")  # the open connection went on over all of it
    assert kept.getresponse().status == 200
    assert old_key not in lab.server.log.read_bytes()
    kept.close()


def alarms(lab):
    """About the certificate; asked without a look at the one that is shown."""
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", lab.port, context=CONTEXT, timeout=30)) as c:
        token = (lab.server_dir / "tokens" / "admin.token").read_text().strip()
        c.request("GET", "/v1/status", headers={"Authorization": f"Bearer {token}"})
        return [a for a in json.loads(c.getresponse().read())["alarms"] if "ertificate" in a]


def made(tls, left_days):
    """A certificate and key of an age, renamed into place one after the other."""
    now = datetime.now(timezone.utc)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
            .not_valid_before(now - timedelta(days=90)).not_valid_after(now + timedelta(days=left_days))
            .sign(key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    (tls / "cert.new").write_bytes(cert.public_bytes(pem))
    (tls / "key.new").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    for part in ("cert", "key"):
        (tls / f"{part}.new").rename(tls / f"{part}.pem")


def test_many_who_ask_for_metrics_cost_no_more_than_one(lab):
    begun, first = time.monotonic(), metrics(lab.port)["ringward_metrics_made_total"]
    for _ in range(40):
        last = metrics(lab.port)["ringward_metrics_made_total"]
    assert last - first <= time.monotonic() - begun + 1


def test_a_new_certificate_is_noticed_without_a_signal_and_a_refused_one_is_an_alarm(lab, other):
    """Both files must have changed before they count; what is refused, and what ends, is told until it is mended."""
    tls = lab.server_dir / "tls"
    own = {name: (tls / name).read_bytes() for name in ("cert.pem", "key.pem")}
    first = certificate(lab)
    assert alarms(lab) == []
    left_s = metrics(lab.port)["ringward_certificate_left_seconds"]
    assert left_s > 15 * 86400
    refused = metrics(lab.port)["ringward_certificate_refused_total"]

    shutil.copy(other / "cert.pem", tls / "cert.pem")  # and the key does not come
    wait_for("the alarm", lambda: alarms(lab), 30)
    assert "refused, the former one" in alarms(lab)[0] and "key values mismatch" in alarms(lab)[0]
    m = metrics(lab.port)
    assert m["ringward_certificate_refused"] == 1 and m["ringward_certificate_refused_total"] == refused + 1
    doctor = lab.cli("doctor")
    assert doctor.returncode == 6 and "tls-certificate (new)" in doctor.stdout, doctor.stdout
    assert certificate(lab) == first
    shutil.copy(other / "key.pem", tls / "key.pem")
    wait_for("the new one is shown", lambda: certificate(lab) == der(other / "cert.pem"), 30)
    assert certificate(lab) != first and alarms(lab) == []
    assert metrics(lab.port)["ringward_certificate_refused"] == 0
    assert metrics(lab.port)["ringward_certificate_refused_total"] == refused + 1, "the same files are refused once"

    made(tls, 13)
    wait_for("its end is told", lambda: alarms(lab), 30)
    assert "TLS certificate expires soon" in alarms(lab)[0] and len(alarms(lab)) == 1
    assert 12 * 86400 < metrics(lab.port)["ringward_certificate_left_seconds"] <= 13 * 86400
    for name, data in own.items():
        (tls / name).write_bytes(data)
    wait_for("its own again", lambda: certificate(lab) == first, 30)
    assert alarms(lab) == []


def publish_while_the_signer_stands_still(lab, load):
    """Nobody waits while the signer hashes: it stands still with the payload before it, permits and beacons go on."""
    release, _ = lab.create(EXAMPLES / "good-2.yar", "waits for the signer")
    lab.sign(release, "alice")
    lab.sign(release, "bob")
    children = [int(c) for t in Path(f"/proc/{lab.server.child.pid}/task").iterdir()
                for c in (t / "children").read_text().split()]
    signer, = [c for c in children if Path(f"/proc/{c}/comm").read_text().strip() == "ringward-signer"]
    placed = lab.server_dir / "repo" / "targets" / "content" / "yara"
    os.kill(signer, signal.SIGSTOP)
    try:
        publication = subprocess.Popen([lab.bin / "ringward", "release", "publish", release], env=lab.env,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_for("the payload is placed", lambda: len(list(placed.glob("*.2.rwc"))) == 1)
        before = load.alive
        wait_for("the load goes on", lambda: load.alive > before + 100, 30)
        assert publication.poll() is None, publication.stdout.read()
    finally:
        os.kill(signer, signal.SIGCONT)
    assert publication.wait(60) == 0, publication.stdout.read()


def test_reloads_and_a_publication_under_load_drop_nothing_and_a_stop_answers_what_runs(other):
    with Lab(BIN, policy=one_ring()) as lab:
        lab.init()
        with open(lab.server_dir / "server.conf", "a") as conf:
            conf.write("renew = 1h\n")  # a renewal would have to wait for a signer that stands still
        lab.start_server()
        tls = lab.server_dir / "tls"
        pairs = [(tls.parent / "own", tls), (tls.parent / "new", other)]
        for folder, source in pairs:
            shutil.copytree(source, folder)
        _, sha256 = rolled_out(lab)
        load = Load(lab, [("127.0.0.1", lab.port)], 1, sha256, endpoints=200, law=Law(4, 1)).start()
        wait_for("the load runs", lambda: load.alive > 20, 60)
        for i in range(9):  # ends with its own
            for name in ("cert.pem", "key.pem"):
                shutil.copy(pairs[i % 2][0] / name, tls / name)
            done = lab.server.log.read_text().count("certificate_loaded")
            lab.server.child.send_signal(signal.SIGHUP)
            wait_for("it is loaded", lambda: lab.server.log.read_text().count("certificate_loaded") > done)
        before = load.alive
        wait_for("the load goes on", lambda: load.alive > before + 20, 60)
        publish_while_the_signer_stands_still(lab, load)
        assert load.unanswered == 0, "a reload or a publication dropped a request"

        # A request whose body is still on its way when the stop begins is answered; nobody new is let in.
        slow = CONTEXT.wrap_socket(socket.create_connection(("127.0.0.1", lab.port), timeout=30))
        body = json.dumps({"endpoint": "c" * 32}).encode()
        head = f"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {load.enrol_token}\r\n"
        slow.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1])
        time.sleep(0.3)  # the head is there before the signal
        stopped = threading.Thread(target=lambda: lab.server.child.wait(60))
        lab.server.child.send_signal(signal.SIGTERM)
        stopped.start()

        def refused():
            try:
                socket.create_connection(("127.0.0.1", lab.port), timeout=5).close()
            except OSError:
                return True
            return False
        wait_for("nobody new is let in", refused, 30)
        slow.sendall(body[-1:])
        answer = slow.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in answer, answer
        stopped.join(60)
        assert lab.server.child.returncode == 0
        lab.start_server()
        load.stop()
        check_exactly(load, lab, lab.port)


def test_a_restart_behind_a_socket_that_is_handed_over_refuses_nobody():
    """As systemd does it: the socket outlives the server, and who comes in between waits in its queue."""
    with Lab(BIN) as lab, socket.create_server(("127.0.0.1", lab.port), backlog=4096) as held:
        lab.init()
        program = f"{lab.bin}/ringward-server serve --dir {lab.server_dir} --port-file {lab.dir}/port"

        def start():
            (lab.dir / "port").unlink(missing_ok=True)
            child = subprocess.Popen(["bash", "-c", f"exec 3<&{held.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec {program}"],
                                     stdin=subprocess.DEVNULL, stderr=log, env=lab.env, pass_fds=[held.fileno()])
            wait_for("it accepts", lambda: (lab.dir / "port").exists() or child.poll() is not None, 60)
            assert child.poll() is None, (lab.dir / "server.log").read_text()[-2000:]
            return child
        answers, stopping = [], threading.Event()

        def ask():
            while not stopping.is_set():
                try:
                    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", lab.port, context=CONTEXT,
                                                                        timeout=30)) as c:
                        c.request("GET", "/healthz")
                        answers.append(c.getresponse().status)
                except (OSError, http.client.HTTPException) as e:
                    answers.append(repr(e))
        with open(lab.dir / "server.log", "ab") as log:
            server = start()
            try:
                assert int((lab.dir / "port").read_text()) == lab.port
                # Before it accepts it says what it has loaded, and how long that took.
                assert "event=fleet_loaded endpoints=0 took_ms=" in (lab.dir / "server.log").read_text()
                clients = [threading.Thread(target=ask) for _ in range(4)]
                for c in clients:
                    c.start()
                for _ in range(3):
                    done = len(answers)
                    wait_for("clients are answered", lambda: len(answers) > done + 20, 60)  # noqa: B023
                    server.send_signal(signal.SIGTERM)
                    assert server.wait(60) == 0
                    time.sleep(0.3)  # nobody serves; the queue does
                    server = start()
                done = len(answers)
                wait_for("clients are answered", lambda: len(answers) > done + 20, 60)
            finally:
                stopping.set()
                server.terminate()
                server.wait(60)
        for c in clients:
            c.join(60)
        print(f"{len(answers)} requests over three restarts, answered otherwise: {[a for a in answers if a != 200]}")
        others = [a for a in answers if a != 200]
        assert not any("Refused" in str(a) for a in others), others
        # A connection on which nothing came for a second of the stop is cut; a client on a busy host may be that slow.
        assert len(others) <= 3, others
