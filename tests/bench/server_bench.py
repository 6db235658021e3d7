"""What the server costs, beside Debian's nginx, beside itself without a journal, and on PostgreSQL, measured in one run.
Called by scripts/bench server.

All variants take turns, round by round, so that what the machine does meanwhile hits them alike. Servers run on one
core, clients on another. Cost is the CPU that the server's process took, never the time on the clock; a ratio is the
median of the rounds' ratios.
"""
import http.client
import ssl
import statistics
import sys
import tempfile
from pathlib import Path

from server_rig import ROOT, TIMESTAMP, Rig
from postgres import Postgres

AIM_GET, AIM_HANDS, AIM_JOURNAL, AIM_DURABLE, AIM_P99_MS, AIM_IDLE = 1.15, 0.95, 500_000, 1.3, 20, 16 * 1024
IN_FLIGHT, CONNECTIONS, RATE = (2, 32, 256, 2048), 64, 5000


class Results:
    """name -> measured value -> one number per round."""

    def __init__(self):
        self.rows: dict[str, dict[str, list[float]]] = {}

    def add(self, name: str, values: dict):
        for key, value in values.items():
            self.rows.setdefault(name, {}).setdefault(key, []).append(float(value))

    def median(self, name: str, key: str) -> float:
        return statistics.median(self.rows[name][key])

    def ratio(self, name: str, peer: str, key: str) -> float:
        return statistics.median(a / b for a, b in zip(self.rows[name][key], self.rows[peer][key]))


def etag(server, tls: bool) -> str:
    context = ssl._create_unverified_context()
    c = http.client.HTTPSConnection("127.0.0.1", server.port, context=context) if tls else \
        http.client.HTTPConnection("127.0.0.1", server.plain_port)
    c.request("GET", TIMESTAMP)
    r = c.getresponse()
    r.read()
    c.close()
    return r.getheader("ETag")


def get_names():
    for tls in (False, True):
        for known in (True, False):
            yield tls, known, f"{'TLS' if tls else 'plain'} {304 if known else 200}"


class Bench:
    def __init__(self, rig: Rig, bin_dir: Path, tests_dir: Path, pg: Postgres):
        self.rig, self.pg, self.databases, self.seen = rig, pg, 0, Results()
        self.tls = rig.start_ringward("ringward", bin_dir / "ringward-server")
        self.plain = rig.start_ringward("plain", bin_dir / "ringward-server", tls=False)
        self.null = rig.start_ringward("null", tests_dir / "ringward-server-null")
        shared = rig.make_world("--store", self.database())
        self.shared = rig.start_ringward("shared", bin_dir / "ringward-server", world=shared)
        self.nginx = rig.start_nginx()

    def database(self) -> str:
        """A new, empty one."""
        self.databases += 1
        self.pg.rows(f"CREATE DATABASE bench{self.databases}")
        return f"postgresql:///bench{self.databases}?host={self.pg.dir}&user=ringward"

    def ours(self, tls: bool):
        return self.tls if tls else self.plain

    # --- one round of each part ---
    def gets(self):
        for tls, known, name in get_names():
            for who, server in (("ringward", self.ours(tls)), ("nginx", self.nginx)):
                self.seen.add(f"{name} {who}", self.rig.get(server, tls, etag(server, tls) if known else ""))

    def hands(self):
        for resumed in (False, True):
            for who, server in (("ringward", self.tls), ("nginx", self.nginx)):
                self.seen.add(f"{'resumed' if resumed else 'full'} {who}", self.rig.hands(server, resumed))

    def journal(self):
        for n in IN_FLIGHT:
            for kind in ("durable", "null", "shared"):
                with tempfile.TemporaryDirectory(dir=self.rig.dir) as folder:
                    where = self.database() if kind == "shared" else f"{folder}/store.db"
                    seen = self.rig.journal(kind, where, n)
                    self.seen.add(f"journal {n} {kind}", seen)
                    if kind == "durable":
                        raw = self.rig.journal("raw", f"{folder}/raw.db", seen["batch_bytes"])
                        self.seen.add(f"journal {n} raw", {"per_s": raw["transactions_s"] * seen["batch"], **raw})

    def posts(self):
        for kind in ("beacons", "permits"):
            for server in (self.tls, self.null, self.shared):
                self.seen.add(f"{kind} {server.name}", self.rig.post(server, kind, CONNECTIONS))
        for server in (self.tls, self.shared):
            self.seen.add(f"rate {server.name}", self.rig.post(server, "permits", CONNECTIONS * 2, RATE, 2))

    def downloads(self):
        for tls in (False, True):
            for who, server in (("ringward", self.ours(tls)), ("nginx", self.nginx)):
                self.seen.add(f"{'TLS' if tls else 'plain'} {who}", self.rig.download(server, tls))

    def idle(self):
        for server in (self.tls, self.nginx):
            self.seen.add(f"idle {server.name}", {"bytes": self.rig.idle_bytes(server, 1600)})

    def run(self, rounds: int):
        for i in range(rounds):
            self.gets()
            self.hands()
            self.posts()
            self.journal()
            if i < 3:
                self.downloads()
            if i == 0:  # later the memory of former connections would be used again
                self.idle()
            print(f"round {i + 1} of {rounds}", file=sys.stderr, flush=True)


def verdict(value: float, aim: float, at_most: bool = True) -> str:
    met = value <= aim if at_most else value >= aim
    return f"aim {'at most' if at_most else 'at least'} {aim:,g}: {'met' if met else 'MISSED'}"


def line(what: str, ours: str, peer: str, said: str = ""):
    print(f"{what:<44} {ours:>16} {peer:>22}   {said}".rstrip())


def report(b: Bench):
    s = b.seen
    line("CPU us per request, one core", "ringward", "nginx")
    for _, _, name in get_names():
        ours, peer = f"{name} ringward", f"{name} nginx"
        ratio = s.ratio(ours, peer, "cpu_us")
        line(f"  {name} timestamp.json", f"{s.median(ours, 'cpu_us'):.1f}", f"{s.median(peer, 'cpu_us'):.1f}",
             f"x{ratio:.2f}, {verdict(ratio, AIM_GET)}; {s.median(ours, 'per_s'):,.0f}/s, nginx {s.median(peer, 'per_s'):,.0f}/s")
    line("TLS 1.3 handshakes per CPU second", "ringward", "nginx")
    for name in ("full", "resumed"):
        ours, peer = f"{name} ringward", f"{name} nginx"
        ratio = 1 / s.ratio(ours, peer, "cpu_us")
        line(f"  {name}, one request each", f"{1e6 / s.median(ours, 'cpu_us'):,.0f}", f"{1e6 / s.median(peer, 'cpu_us'):,.0f}",
             f"x{ratio:.2f}, {verdict(ratio, AIM_HANDS, False)}")
    report_journal(s)
    report_posts(s)
    line("Bytes per idle TLS connection", "ringward", "nginx")
    ours = s.median("idle ringward", "bytes")
    line("  after one request", f"{ours:,.0f}", f"{s.median('idle nginx', 'bytes'):,.0f}", verdict(ours, AIM_IDLE))
    line("100 MiB file", "ringward", "nginx")
    for name in ("plain", "TLS"):
        ours, peer = f"{name} ringward", f"{name} nginx"
        line(f"  {name}: CPU us per MiB", f"{s.median(ours, 'cpu_us'):.0f}", f"{s.median(peer, 'cpu_us'):.0f}",
             f"x{s.ratio(ours, peer, 'cpu_us'):.2f}; {s.median(ours, 'mib_s'):,.0f} MiB/s, nginx {s.median(peer, 'mib_s'):,.0f} MiB/s")
        line("    GETs beside it: p99 ms, slowest of all", f"{s.median(ours, 'p99_ms'):.1f}, {max(s.rows[ours]['max_ms']):.0f}",
             f"{s.median(peer, 'p99_ms'):.1f}, {max(s.rows[peer]['max_ms']):.0f}")


def report_journal(s: Results):
    print("Store alone: beacons/s, CPU us each (committing thread), p99 ms")
    for n in IN_FLIGHT:
        for kind, name in (("durable", "journal"), ("null", "in memory only"), ("shared", "PostgreSQL")):
            row = f"journal {n} {kind}"
            aimed = n == 256 and kind == "durable"
            if kind == "durable":
                line(f"  {n} in flight, what SQLite itself appends", f"{s.median(f'journal {n} raw', 'per_s'):,.0f}/s", "",
                     f"{s.median(row, 'batch'):.0f} beacons a batch, {s.median(row, 'batch_bytes'):,.0f} bytes, "
                     f"{s.median(f'journal {n} raw', 'transactions_s'):,.0f} batches/s by one thread that does nothing else; "
                     f"journal: x{s.ratio(row, f'journal {n} raw', 'per_s'):.2f} of it")
            line(f"  {n} in flight, {name}", f"{s.median(row, 'per_s'):,.0f}/s", f"{s.median(row, 'core_us'):.2f}, "
                 f"{s.median(row, 'p99_us') / 1000:.1f}", verdict(s.median(row, "per_s"), AIM_JOURNAL, False) if aimed else "")


def report_posts(s: Results):
    print(f"End to end over TLS, {CONNECTIONS} connections: CPU us each, requests/s")
    for kind in ("beacons", "permits"):
        for who, name in (("ringward", "journal"), ("null", "in memory only"), ("shared", "PostgreSQL")):
            row = f"{kind} {who}"
            ratio = s.ratio(row, f"{kind} null", "cpu_us")
            said = "" if who == "null" else f"x{ratio:.2f} of in memory" + (f", {verdict(ratio, AIM_DURABLE)}" if who == "ringward" else "")
            line(f"  {kind}, {name}", f"{s.median(row, 'cpu_us'):.1f}", f"{s.median(row, 'per_s'):,.0f}/s", said)
    for who, name in (("ringward", "journal"), ("shared", "PostgreSQL")):
        p99 = s.median(f"rate {who}", "p99_ms")
        line(f"  permits due at {RATE:,}/s, {name}: p99 ms", f"{p99:.1f}", f"{s.median(f'rate {who}', 'per_s'):,.0f}/s",
             verdict(p99, AIM_P99_MS) if who == "ringward" else "")


def main() -> int:
    build = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    if not 1 <= rounds <= 99:
        raise SystemExit("server bench: ROUNDS is 1 to 99")
    with Postgres() as pg:
        pg.start()
        with Rig(build / "bin", build / "tests") as rig:
            bench = Bench(rig, build / "bin", build / "tests", pg)
            bench.run(rounds)
            report(bench)
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"{rounds} rounds (downloads: {min(rounds, 3)}, idle connections: 1), medians; load {load} at the end")
    return 0


if __name__ == "__main__":
    assert ROOT.exists()
    sys.exit(main())
