"""Goal: a running server takes a new certificate without dropping a connection, keeps the old one when the new is bad,
and ends gracefully: what runs is answered, nobody new is let in."""
import contextlib
import http.client
import json
import shutil
import signal
import socket
import ssl
import threading
import time

import pytest
from conftest import BIN
from lab import Lab, wait_for
from load import Law, Load, check_exactly
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


def test_reloads_under_load_drop_nothing_and_a_stop_answers_what_runs(other):
    with Lab(BIN, policy=one_ring()) as lab:
        lab.init().start_server()
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
        assert load.unanswered == 0, "a reload dropped a request"

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
