"""Goal: `release create` waits for the server's verdict whatever the server puts off meanwhile, asks again when it is told
to, and not before; and its time-out holds. The server is a scripted one: a real one is never busy on command."""
import contextlib
import http.server
import json
import subprocess
import threading
import time

import pytest
from conftest import BIN
from lab import EXAMPLES


class Server(http.server.BaseHTTPRequestHandler):
    """Takes a release, then gives the answers of `script` to those who ask for its verdict; the last one for ever."""
    script, asked = [], []

    def log_message(self, *_):
        pass

    def answer(self, status, body, retry_after=None):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201, {"family": "yara", "release": 1, "state": "checking"})

    def do_GET(self):
        self.asked.append(time.monotonic())
        self.answer(*(self.script.pop(0) if len(self.script) > 1 else self.script[0]))


CHECKED = (200, {"family": "yara", "release": 1, "state": "checked", "class": "rules", "notes": "n"})
CHECKING = (200, {"family": "yara", "release": 1, "state": "checking"})


def refused(status, code, after):
    return status, {"error": {"code": code, "text": "more than 50 requests a second", "hint": "later"}}, after


@pytest.fixture
def create(tmp_path):
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    (tmp_path / "token").write_text("rwo1.admin." + "0" * 64 + "\n")
    profile = tmp_path / "operator.conf"
    profile.write_text(f"server = http://127.0.0.1:{server.server_port}\ntoken_file = token\n")

    def run(script, timeout="60s"):
        Server.script, Server.asked = list(script), []
        done = subprocess.run([BIN / "ringward", "release", "create", "--profile", profile, "--family", "yara", "--class", "rules",
                               "--content", EXAMPLES / "good-1.yar", "--notes", "n", "--unchecked", "only the waiting is tried",
                               "--timeout", timeout], capture_output=True, text=True, timeout=120, check=False)
        return done, Server.asked

    with contextlib.closing(server.socket):
        yield run
        server.shutdown()


def test_a_server_that_puts_off_is_asked_again_when_it_says(create):
    done, asked = create([CHECKING, refused(429, "LIMITED", 2), refused(503, "BUSY", 1), CHECKED])
    assert done.returncode == 0, done.stderr
    assert len(asked) == 4
    assert asked[2] - asked[1] >= 2 and asked[3] - asked[2] >= 1


def test_the_time_out_holds_while_the_server_puts_off(create):
    began = time.monotonic()
    done, asked = create([refused(429, "LIMITED", 3600)], "1s")
    assert done.returncode == 3 and "time-out" in done.stderr, done.stderr
    assert len(asked) == 2 and time.monotonic() - began < 60


def test_any_other_refusal_ends_the_waiting(create):
    done, asked = create([refused(403, "FORBIDDEN", 1)])
    assert done.returncode not in (0, 3) and len(asked) == 1, done.stderr
