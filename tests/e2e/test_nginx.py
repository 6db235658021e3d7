"""Goal: the example configuration for nginx works as it is: an agent takes a release through it, what is immutable is
cached, floods and odd requests end there, and no header about the client gets anybody further."""
import contextlib
import http.client
import os
import re
import shutil

import pytest
from conftest import BIN
from lab import EXAMPLES, ROOT, Lab, Process, wait_for
from test_hostile_clients import CONTEXT, connect, read_all, statuses

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def configuration(lab, folder):
    """The example with its paths below `folder`, inside of the least that nginx needs around it."""
    text = (ROOT / "examples" / "nginx" / "ringward.conf").read_text()
    for old, new in (("/run/ringward/http.sock", f"{lab.dir}/http.sock"),
                     ("/etc/ringward/tls", f"{lab.server_dir}/tls"),
                     ("/var/cache/nginx/ringward", f"{folder}/cache"),
                     ("listen 8443 ssl", f"listen 127.0.0.1:{lab.port} ssl")):
        assert old in text
        text = text.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;\n" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{ worker_connections 512; }}\n"
                    f"http {{ access_log off;\n{temporary}{text}}}\n")
    return conf


@pytest.fixture(scope="module")
def fronted():
    with Lab(BIN) as lab:
        lab.init()
        conf = lab.server_dir / "server.conf"
        text, n = re.subn(r"(?m)^listen = .*$", f"listen = unix:{lab.dir}/http.sock", conf.read_text())
        assert n == 1
        conf.write_text(text)
        lab.start_server()
        folder = lab.dir / "nginx"
        folder.mkdir()
        nginx = Process([NGINX, "-c", configuration(lab, folder), "-p", folder], lab.dir / "nginx.log")
        try:
            wait_for("nginx answers", lambda: not nginx.running() or ask(lab, "GET", "/healthz")[0] == 200, 60)
            assert nginx.running(), nginx.tail()
            yield lab
        finally:
            nginx.stop()


def ask(lab, method, path, body=None, **headers):
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", lab.port, context=CONTEXT, timeout=30)) as c:
        try:
            c.request(method, path, body, headers)
            r = c.getresponse()
            return r.status, r.read(), r.headers
        except OSError:
            return 0, b"", {}


def test_an_agent_takes_a_release_through_it(fronted):
    release = fronted.publish(EXAMPLES / "good-1.yar", "good")  # uploaded through it too
    fronted.cli("rollout", "start", release, check=True)
    agent = fronted.add_agent("internal")
    wait_for("the agent is on it", lambda: agent.active_release() == 1, 60)
    wait_for("and has told", lambda: fronted.server_says_on(1) == 1, 60)


def test_what_is_immutable_is_cached_and_the_timestamp_is_fresh(fronted):
    first, second = (ask(fronted, "GET", "/repo/metadata/1.root.json") for _ in range(2))
    assert first[0] == second[0] == 200 and first[1] == second[1] and second[2]["X-Cache"] == "HIT"
    on_disk = (fronted.server_dir / "repo" / "metadata" / "timestamp.json").read_bytes
    wait_for("the timestamp is the present one",
             lambda: ask(fronted, "GET", "/repo/metadata/timestamp.json")[1] == on_disk())


def test_odd_requests_end_there_and_headers_open_nothing(fronted):
    smuggled = (b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    with contextlib.closing(connect(fronted)) as s:
        s.sendall(smuggled)
        assert statuses(read_all(s)) == [400]
    assert ask(fronted, "POST", "/v1/beacons", b"x" * 200000)[0] == 413
    claims = {"X-Forwarded-For": "127.0.0.1", "X-Client-Cert": "admin", "X-SSL-Client-Verify": "SUCCESS"}
    assert ask(fronted, "GET", "/v1/status", **claims)[0] == 401
    assert ask(fronted, "GET", "/repo/..%2f..%2fsecret")[0] in (400, 404)


def test_a_flood_is_held_there(fronted):
    with contextlib.closing(connect(fronted)) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 900)
        codes = statuses(read_all(s, 2))
    assert 429 in codes and 200 in codes, set(codes)
    wait_for("the address is served again", lambda: ask(fronted, "GET", "/healthz")[0] == 200)
