"""A web server between agents and the real server: forwards, counts, and lies as a test tells it to.

One thread per connection, one request per connection, loopback only. Standard library only.
"""
import contextlib
import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

QUIET = (BrokenPipeError, ConnectionResetError)


class Seen:
    """One request as it arrived."""

    def __init__(self, method, path, headers):
        self.method, self.path, self.headers = method, path, headers

    def __repr__(self):
        return f"{self.method} {self.path}"


class Front:
    """`lie(request, handler)` may answer a request itself and return True; otherwise it is forwarded."""

    def __init__(self, lab):
        self.lab = lab
        self.seen: list[Seen] = []
        self.lie = None
        self.down = False  # connections are closed without a word
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                front.handle(self)

            do_GET = do_POST = handle_one

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients that leave are what these tests are about

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def handle(self, h):
        h.close_connection = True
        if self.down:
            return
        request = Seen(h.command, urlsplit(h.path).path, dict(h.headers))
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        self.seen.append(request)
        with contextlib.suppress(*QUIET):
            if self.lie is None or not self.lie(request, h):
                self.forward(request, body, h)

    def forward(self, request, body, h):
        context = ssl.create_default_context(cafile=self.lab.server_dir / "tls" / "ca.pem")
        upstream = http.client.HTTPSConnection("127.0.0.1", self.lab.port, context=context, timeout=30)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "connection", "proxy-connection")}
            upstream.request(request.method, request.path, body or None, headers)
            answer = upstream.getresponse()
            data = answer.read()
        except OSError:
            send(h, 502, b"")
            return
        finally:
            upstream.close()
        keep = {k: v for k, v in answer.getheaders() if k.lower() in ("etag", "retry-after", "content-range", "content-type")}
        send(h, answer.status, data, **keep)

    # --- what was seen ---
    def paths(self, part: str, since: int = 0) -> list[Seen]:
        return [r for r in self.seen[since:] if part in r.path]

    def payload(self, path: str) -> bytes:
        """The true bytes of a file of the repository."""
        return (self.lab.server_dir / Path(path.lstrip("/"))).read_bytes()


def send(h, status: int, data: bytes, length: int | None = None, **headers):
    """One answer; `length` lies about it."""
    h.send_response(status)
    for name, value in headers.items():
        h.send_header(name.replace("_", "-"), value)
    if status != 304:
        h.send_header("Content-Length", str(len(data) if length is None else length))
    h.send_header("Connection", "close")
    h.end_headers()
    if h.command != "HEAD" and status != 304:
        h.wfile.write(data)
        h.wfile.flush()


def is_content(request) -> bool:
    return "/targets/content/" in request.path
