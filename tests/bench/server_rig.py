"""The servers that scripts/bench server compares, and the clients: all on this host, servers on one core, clients on
another. Every process is a child and is stopped by its handle; everything lies in one temporary folder."""
import contextlib
import copy
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e")]
from lab import EXAMPLES, POLICY, Lab, Process, free_port, wait_for  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
TIMESTAMP, BIG = "/repo/metadata/timestamp.json", "/repo/targets/content/bench/100mib.bin"
BIG_MIB = 100
COHORT = {"os": "debian-12", "arch": "x86_64", "engine": "yara-4.2"}


def on_core(core: int, argv) -> list[str]:
    return ["taskset", "-c", str(core), *map(str, argv)]


def cpu_ns(pid: int) -> int:
    """CPU of all threads that live; the servers start none while they are measured."""
    return sum(int((t / "schedstat").read_text().split()[0]) for t in Path(f"/proc/{pid}/task").iterdir())


def process_ns(pid: int, ended_children: bool = False) -> int:
    """CPU of all threads that ever were, in steps of a tick."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = sum(map(int, fields[11:15 if ended_children else 13]))
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(re.search(rf"^{k}:\s+(\d+) kB", text, re.M).group(1)) for k in ("Private_Dirty", "Private_Clean"))


class Server:
    """A server under measurement: the process whose CPU counts, and its ports."""

    def __init__(self, name: str, process: Process, pid: int, world=None):
        self.name, self.process, self.pid, self.world = name, process, pid, world
        self.port, self.plain_port = 0, 0

    def url(self, tls: bool, path: str) -> str:
        return f"https://127.0.0.1:{self.port}{path}" if tls else f"http://127.0.0.1:{self.plain_port}{path}"


class World:
    """A server directory with a release whose first ring is open; servers run on it, or on copies of it. Without that
    release, which takes most of the time, nobody gets a permit."""

    def __init__(self, bin_dir: Path, *init, released: bool = True):
        self.lab, self.sha256 = Lab(bin_dir, policy=policy()), ""
        try:
            self.lab.init(*init).start_server()
            if released:
                self.open_ring()
            self.lab.server.stop()
        except BaseException:
            self.lab.close()
            raise
        self.dir = self.lab.server_dir
        self.secret = (self.dir / "secret").read_bytes()

    def open_ring(self):
        release = self.lab.publish(EXAMPLES / "good-1.yar", "good")
        self.lab.cli("rollout", "start", release, check=True)
        self.lab.wait_rollout(release, {"ramping", "baking"}, 60)
        self.sha256 = self.lab.json("release", "show", release)["payload"]["sha256"]


class Rig:
    def __init__(self, bin_dir: Path, tests_dir: Path, big_mib: int = BIG_MIB, released: bool = True):
        self.big_mib, self.released = big_mib, released
        self.load_bench, self.store_bench = tests_dir / "load_bench", tests_dir / "store_bench"
        self.bin, self.worlds, self.servers = bin_dir, [], []

    def __enter__(self):
        try:
            self.world = self.make_world()
            self.dir = self.world.lab.dir
            big = self.world.dir / BIG.removeprefix("/")
            big.parent.mkdir(parents=True, exist_ok=True)
            with open(big, "wb") as f:
                for _ in range(self.big_mib):
                    f.write(os.urandom(1 << 20))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for s in self.servers:
            s.process.stop()
        for w in self.worlds:
            w.lab.close()

    def make_world(self, *init) -> World:
        self.worlds.append(World(self.bin, *init, released=self.released))
        return self.worlds[-1]

    # --- servers ---
    def start_ringward(self, name: str, program: Path, tls=True, world: World | None = None) -> Server:
        """On a copy of the first directory, or on another one itself."""
        if world is None:
            world, folder = self.world, self.dir / name
            shutil.copytree(world.dir, folder, symlinks=True, ignore=shutil.ignore_patterns("100mib.bin"))
            os.link(world.dir / BIG.removeprefix("/"), folder / BIG.removeprefix("/"))
        else:
            folder = world.dir
        conf = folder / "server.conf"
        conf.write_text(conf.read_text() + f"workers = 1\nconnections_per_address = 100000\ntls = {'yes' if tls else 'no'}\n"
                        f"signer = {self.bin}/ringward-signer\nbox_dir = {self.bin}\n")
        port = self.dir / f"{name}.port"
        process = Process(on_core(SERVER_CORE, [program, "serve", "--dir", folder, "--listen", "127.0.0.1:0", "--port-file", port]),
                          self.dir / f"{name}.log", world.lab.env)
        server = Server(name, process, process.child.pid, world)
        self.servers.append(server)
        number = int(wait_for(f"{name} accepts", lambda: (port.exists() and port.read_text().strip()) or self.died(process), 60))
        server.port, server.plain_port = (number, 0) if tls else (0, number)
        return server

    @staticmethod
    def died(process):
        if not process.running():
            raise SystemExit(f"server bench: a server ended:\n{process.tail()}")

    def start_nginx(self) -> Server:
        """As Debian's nginx.conf has it (sendfile, tcp_nopush), one worker, no access log."""
        folder, port, plain = self.dir / "nginx", free_port(), free_port()
        folder.mkdir()
        tls = self.world.dir / "tls"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(f"""{user} daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
worker_rlimit_nofile 16384; events {{ worker_connections 8192; }}
http {{ access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream; types {{ application/json json; }}
{"".join(f"{k}_temp_path {folder}/{k}; " for k in kinds)}
server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3; ssl_prefer_server_ciphers on;
ssl_certificate {tls}/cert.pem; ssl_certificate_key {tls}/key.pem; keepalive_timeout 75s; root {self.world.dir}; }} }}
""")
        process = Process(on_core(SERVER_CORE, [nginx_program(), "-c", folder / "nginx.conf", "-p", folder]), self.dir / "nginx.log",
                          self.world.lab.env)
        server = Server("nginx", process, 0)
        server.port, server.plain_port = port, plain
        self.servers.append(server)
        children = Path(f"/proc/{process.child.pid}/task/{process.child.pid}/children")
        wait_for("nginx has its worker", lambda: children.read_text().split() or self.died(process), 30)
        server.pid = int(children.read_text().split()[0])
        return server

    # --- clients ---
    def run(self, argv, timeout_s: float = 120) -> str:
        r = subprocess.run(on_core(CLIENT_CORE, argv), capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
        if r.returncode != 0:
            raise SystemExit(f"server bench: {argv[0]}: exit status {r.returncode}\n{r.stdout}{r.stderr}")
        return r.stdout

    def measured(self, server: Server, work):
        """What `work` gives, and the CPU in ns and the time in s that it took of the server."""
        used, began = cpu_ns(server.pid), time.monotonic()
        result = work()
        return result, cpu_ns(server.pid) - used, time.monotonic() - began

    def get(self, server: Server, tls: bool, etag: str = "", seconds: float = 1, connections: int = 32, path: str = TIMESTAMP):
        more = ["-H", f"If-None-Match: {etag}"] if etag else []
        text, used, took = self.measured(server, lambda: self.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "--latency", *more, server.url(tls, path)]))
        if "Non-2xx" in text or "Socket errors" in text:
            raise SystemExit(f"server bench: {server.name}: {text}")
        done = int(re.search(r"(\d+) requests in", text).group(1))
        return {"done": done, "cpu_us": used / 1000 / done, "per_s": done / took, "p99_ms": wrk_ms(text, r"^ +99%\s+(\S+)"),
                "max_ms": wrk_ms(text, r"Latency\s+\S+\s+\S+\s+(\S+)")}

    def hands(self, server: Server, resumed: bool, seconds: int = 1):
        text, used, took = self.measured(server, lambda: self.run(
            [self.load_bench, "hands", server.port, seconds, "resumed" if resumed else "full"]))
        seen = json.loads(text)
        if seen["failed"] or (resumed and seen["resumed"] < seen["done"] - 1) or (not resumed and seen["resumed"]):
            raise SystemExit(f"server bench: {server.name}: handshakes {text}")
        return {"cpu_us": used / 1000 / seen["done"], "per_s": seen["done"] / took}

    def post(self, server: Server, kind: str, connections: int, rate: int = 0, seconds: int = 1):
        """Beacons of endpoints that are known, permits of endpoints that never asked."""
        path, body = self.body(server.world, kind)
        tokens = self.tokens(server.world, 2000 if kind == "beacons" else max(40000, rate * seconds + connections))
        with self.client("post", server.port, seconds, connections, rate, path, body, tokens, core=CLIENT_CORE) as go:
            (seen, _), used, _ = self.measured(server, go)
        if seen["failed"] or not seen["done"]:
            raise SystemExit(f"server bench: {server.name}: {path}: {seen}\n{server.process.tail()}")
        return {"cpu_us": used / 1000 / seen["done"], "per_s": seen["done"] / seconds, "p99_ms": seen["p99_us"] / 1000}

    @contextlib.contextmanager
    def client(self, *args, core=None):
        """load_bench with its connections made; gives what lets it go, which gives what it saw and its CPU in ns."""
        argv = [str(a) for a in (self.load_bench, *args)]
        client = subprocess.Popen(argv if core is None else on_core(core, argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def go():
            used = process_ns(client.pid)
            client.stdin.write("go\n")
            client.stdin.flush()
            text = client.stdout.readline()
            return json.loads(text or '{"failed": 1, "done": 0}'), process_ns(client.pid) - used
        with client:
            if client.stdout.readline() != "ready\n":
                raise SystemExit(f"bench: no connections: {args}")
            yield go

    def idle_bytes(self, server: Server, count: int) -> float:
        """Memory for each TLS connection that has had one request and is kept."""
        context = ssl._create_unverified_context()
        request = f"GET {TIMESTAMP} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

        def dial():
            c = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)))
            c.sendall(request)
            if not c.recv(65536).startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"server bench: {server.name}: no answer")
            return c
        open_ones = []
        try:
            open_ones += [dial() for _ in range(count // 8)]  # what the first ones cost once is not counted
            before = memory_bytes(server.pid)
            open_ones += [dial() for _ in range(count)]
            return (memory_bytes(server.pid) - before) / count
        finally:
            for c in open_ones:
                c.close()

    def download(self, server: Server, tls: bool):
        """The large file; alone, then again and again beside small requests, of which the slowest is told."""
        fetch = ["curl", "-sSfk", "-o", os.devnull, server.url(tls, BIG)]
        _, used, took = self.measured(server, lambda: self.run(fetch))
        beside = subprocess.Popen(on_core(CLIENT_CORE, ["wrk", "-t1", "-c4", "-d1s", "--latency", server.url(tls, TIMESTAMP)]),
                                  stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        while beside.poll() is None:
            self.run(fetch)
        text = beside.stdout.read()
        return {"mib_s": self.big_mib / took, "cpu_us": used / 1000 / self.big_mib, "p99_ms": wrk_ms(text, r"^ +99%\s+(\S+)"),
                "max_ms": wrk_ms(text, r"Latency\s+\S+\s+\S+\s+(\S+)")}

    def journal(self, kind: str, where: str, in_flight: int, seconds: int = 1):
        """The store alone, on all cores."""
        r = subprocess.run([self.store_bench, kind, where, str(in_flight), str(seconds)], capture_output=True, text=True, timeout=120)
        if r.returncode != 0:
            raise SystemExit(f"server bench: store_bench: {r.stderr}")
        return json.loads(r.stdout)

    # --- what endpoints send ---
    def tokens(self, world: World, count: int) -> Path:
        """Tokens of endpoints that nobody used before: they are made from the server's secret, as the server does."""
        issued, lines = int(time.time()), []
        for _ in range(count):
            endpoint = os.urandom(16).hex()
            mac = hmac.new(world.secret, f"ringward-endpoint-v2:{endpoint}:acme:{issued}".encode(), hashlib.sha256).hexdigest()
            lines.append(f"rwe2.{endpoint}.acme.{issued}.{mac}\n")
        path = self.dir / "tokens"
        path.write_text("".join(lines))
        return path

    def body(self, world: World, kind: str) -> tuple[str, Path]:
        path = self.dir / f"{kind}.json"
        beacon = {"id": "@ID@", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kind": "alive", "ring": "canary",
                  "cohort": COHORT, "grade": "full", "trust": "development"}
        permit = {"family": "yara", "release": 1, "sha256": world.sha256, "ring": "canary", "from": 0, "cohort": COHORT}
        path.write_text(json.dumps({"beacons": [beacon]} if kind == "beacons" else permit))
        return f"/v1/{kind}", path


def policy() -> dict:
    """One ring that grants whatever is asked for, and never passes."""
    p = copy.deepcopy(POLICY)
    gate = {"limit": "10%", "min_healthy": 100000}
    p["rings"] = [{"name": "canary", "share": "10%", "bake": "2s", "gate": gate}, {"name": "broad", "share": "rest", "gate": gate}]
    p["window"]["confirm"].update(start=1000000, deadline="1h")
    p["window"]["cohort"]["start"] = 1000000
    p["window"]["alive"] = {"after": "2h", "start": 1000000}
    return p


def nginx_program() -> str:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or "nginx"


def wrk_ms(text: str, pattern: str) -> float:
    value, unit = re.match(r"([\d.]+)(us|ms|s|m)", re.search(pattern, text, re.M).group(1)).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]
