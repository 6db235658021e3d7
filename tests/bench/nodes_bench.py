"""What permits cost over three nodes on one PostgreSQL. Called by scripts/bench nodes.

One private PostgreSQL on a unix socket, with fsync; three real ringward-server processes on one directory; one client
that gives each node a third of the requests, over TLS on kept connections, each permit to an endpoint that never asked
before. A request is due by the clock however late answers are, and its latency counts from then on. Servers,
PostgreSQL and client share all cores of this host: whether the time is theirs or the host's, the CPU says, which is
counted for each. A transaction is a row of the journal: what one node had waiting when its turn came.
"""
import contextlib
import statistics
import sys
from pathlib import Path

from server_rig import Rig, Server, cpu_ns, process_ns
from lab import Process, wait_for
from postgres import Postgres

NODES, CONNECTIONS, SECONDS = "abc", 900, 3
RATES = (1000, 2000, 5000, 0)  # 0: as fast as they go
AIM_RATE, AIM_P99_MS = 5000, 20


class Cluster:
    def __init__(self, rig: Rig, pg: Postgres, nodes: str = NODES):
        self.rig, self.pg = rig, pg
        self.world = rig.make_world("--store", pg.url())
        conf = self.world.dir / "server.conf"
        conf.write_text(conf.read_text() + "workers = 1\nconnections_per_address = 100000\n"
                        f"signer = {rig.bin}/ringward-signer\nbox_dir = {rig.bin}\n")
        self.nodes = [self.start(name) for name in nodes]

    def start(self, name: str) -> Server:
        port = self.rig.dir / f"node-{name}.port"
        process = Process([self.rig.bin / "ringward-server", "serve", "--dir", self.world.dir, "--node", name, "--listen",
                           "127.0.0.1:0", "--port-file", port], self.rig.dir / f"node-{name}.log", self.world.lab.env)
        node = Server(f"node {name}", process, process.child.pid, self.world)
        self.rig.servers.append(node)
        node.port = int(wait_for(f"node {name} accepts",
                                 lambda: (port.exists() and port.read_text().strip()) or self.rig.died(process), 60))
        return node

    def tip(self) -> int:
        return int(self.pg.rows("SELECT tip FROM cluster")[0])

    def postgres_ns(self) -> int:
        """Of all its processes, those that have ended among them."""
        parent, total = self.pg.child.pid, 0
        for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += process_ns(int(pid))
        return total + process_ns(parent, ended_children=True)

    def run(self, kind: str, rate: int, seconds: int = SECONDS, connections: int = CONNECTIONS) -> dict:
        """Permits (or beacons) at that rate over all nodes, and what they took of whom."""
        path, body = self.rig.body(self.world, kind)
        tokens = self.rig.tokens(self.world, max(10000 * seconds, rate * seconds + connections))
        ports = ",".join(str(n.port) for n in self.nodes)
        with self.rig.client("post", ports, seconds, connections, rate, path, body, tokens) as go:
            tip, nodes, postgres = self.tip(), sum(cpu_ns(n.pid) for n in self.nodes), self.postgres_ns()
            seen, client_ns = go()
            nodes, postgres = sum(cpu_ns(n.pid) for n in self.nodes) - nodes, self.postgres_ns() - postgres
        done = seen["done"]
        if seen["failed"] or not done:
            raise SystemExit(f"nodes bench: {seen}\n{self.nodes[0].process.tail()}")
        turns = max(self.tip() - tip, 1)
        return {"per_s": done / seconds, "p50_ms": seen["p50_us"] / 1000, "p99_ms": seen["p99_us"] / 1000,
                "turns_s": turns / seconds, "each": done / turns, "node_us": nodes / 1000 / done,
                "postgres_us": postgres / 1000 / done, "client_us": client_ns / 1000 / done,
                "cores": (nodes + postgres + client_ns) / 1e9 / seconds}


def report(rounds: dict):
    print(f"{'permits due':>12} {'answered':>10} {'p50 ms':>8} {'p99 ms':>8} {'transactions':>13} {'permits each':>13}"
          f"   CPU us per permit: {'nodes':>6} {'PostgreSQL':>11} {'client':>7}   busy cores")
    for rate, seen in rounds.items():
        m = {k: statistics.median(s[k] for s in seen) for k in seen[0]}
        aim = "" if rate != AIM_RATE else f"   p99 aim under {AIM_P99_MS} ms: {'met' if m['p99_ms'] < AIM_P99_MS else 'MISSED'}"
        print(f"{f'{rate:,}/s' if rate else 'at most':>12} {m['per_s']:>8,.0f}/s {m['p50_ms']:>8.1f} {m['p99_ms']:>8.1f} "
              f"{m['turns_s']:>11,.0f}/s {m['each']:>13.1f}   {'':18} {m['node_us']:>6.0f} {m['postgres_us']:>11.0f} "
              f"{m['client_us']:>7.0f}   {m['cores']:>10.2f}{aim}")


def main() -> int:
    build = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    if not 1 <= count <= 99:
        raise SystemExit("nodes bench: ROUNDS is 1 to 99")
    rounds: dict[int, list[dict]] = {rate: [] for rate in RATES}
    with Postgres() as pg:
        pg.start()
        with Rig(build / "bin", build / "tests", big_mib=1, released=False) as rig:
            rig.released = True
            cluster = Cluster(rig, pg)
            for i in range(count):
                for rate in RATES:
                    rounds[rate].append(cluster.run("permits", rate))
                print(f"round {i + 1} of {count}", file=sys.stderr, flush=True)
            report(rounds)
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"{len(NODES)} nodes, {count} rounds of {SECONDS} s, medians; load {load} at the end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
