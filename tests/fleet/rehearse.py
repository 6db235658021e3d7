#!/usr/bin/python3
"""Rehearses releases on a simulated fleet: a real ringward-server, ringward-fleet as its endpoints, the command line as
the operator. Prints what the endpoints' own ledger says, and what it cost. scripts/rehearse builds and calls it."""
import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from lab import EXAMPLES, Lab, LabError, Process, wait_for  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
ENDED = {"complete", "halted", "rolling_back", "rolled_back", "held"}


def policy(endpoints: int, probation_s: int, poll_s: int) -> dict:
    """The laws and rings of rings.json, with short times; gates as small as the rings are."""
    def healthy(share: float, most: int) -> int:
        return max(4, min(most, int(endpoints * share * 0.5)))
    return {
        "format": 1,
        "rings": [
            {"name": "internal", "select": "local", "bake": f"{probation_s}s", "gate": {"limit": "25%", "min_healthy": 10}},
            {"name": "canary", "share": "1%", "bake": f"{2 * probation_s}s",
             "gate": {"limit": "2%" if endpoints >= 50000 else "40%", "min_healthy": healthy(0.01, 150)}},
            {"name": "early", "share": "10%", "bake": f"{2 * probation_s}s",
             "gate": {"limit": "1%" if endpoints >= 10000 else "20%", "min_healthy": healthy(0.1, 350)}},
            {"name": "broad", "share": "rest",
             "gate": {"limit": "1%" if endpoints >= 10000 else "20%", "min_healthy": healthy(0.4, 350)}}],
        "classes": {"rules": {"min_bake": {"broad": f"{5 * probation_s}s"}}},
        "window": {"confirm": {"start": 16, "per_survivor_thousandths": 1000, "probation": f"{probation_s}s",
                               "deadline": f"{30 * probation_s + 30}s"},
                   # The second law waits for proofs that come hours later, with ordinary polls: off, as compressed time has
                   # no room for both.
                   "alive": {"after": f"{4 * probation_s}s", "start": max(10000, endpoints), "per_survivor_thousandths": 99000},
                   "cohort": {"start": 4}},
        "health": {"false_halts_per_year": 1, "releases_per_year": 7300, "tenant_votes": 8},
        "poll": {"rollout": f"{poll_s}s"}}


class Meter:
    """What a process has used, from /proc."""

    def __init__(self, pid: int):
        self.pid = pid

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def status_kib(self, name: str) -> int:
        line = next(l for l in Path(f"/proc/{self.pid}/status").read_text().splitlines() if l.startswith(name + ":"))
        return int(line.split()[1])

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def disk_bytes(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


class Rehearsal:
    def __init__(self, args):
        self.args = args
        self.lab = Lab(Path(args.bin), policy(args.endpoints, args.probation, args.poll))
        self.fleet_bin = Path(args.bin).parent / "tests" / "ringward-fleet"
        self.began = time.monotonic()
        self.fleet = None
        self.steps = []

    def say(self, text: str):
        print(f"rehearse: {time.monotonic() - self.began:6.0f} s  {text}", file=sys.stderr, flush=True)

    def start_server(self):
        lab = self.lab.init()
        conf = lab.server_dir / "server.conf"
        conf.write_text(conf.read_text() + f"connections_per_address = {self.args.connections + 64}\n"
                        + ("tls = no\n" if self.args.plain else ""))
        if self.args.plain:
            lab.url = lab.url.replace("https:", "http:")
            profile = lab.server_dir / "operator.conf"
            profile.write_text(profile.read_text().replace("https:", "http:"))
        lab.start_server()
        self.server = Meter(lab.server.child.pid)

    def start_fleet(self):
        lab, args = self.lab, self.args
        self.ready = lab.dir / "ready"
        self.ledger_file = lab.dir / "ledger.json"
        more = ["--fault", args.fault] if args.fault else []
        argv = [self.fleet_bin, "run", "--server", lab.url, "--dir", lab.server_dir, "--endpoints", args.endpoints,
                "--connections", args.connections, "--internal", max(20, args.endpoints // 5000), "--poll", f"{args.poll}s", "--ready", self.ready,
                "--output", "json", *more]
        if args.own_connections:
            at = argv.index("--connections")
            argv[at:at + 2] = ["--own-connections"]
        self.fleet_log = lab.dir / "fleet.log"
        # The ledger is its standard output, progress its standard error.
        self.fleet = Process(["/bin/sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", self.ledger_file, *argv],
                             self.fleet_log, lab.env)

        def up():
            if not self.fleet.running():
                raise LabError(f"ringward-fleet ended:\n{self.fleet.tail()}")
            return self.ready.exists()
        before = self.server.cpu_s()
        wait_for("the fleet lives", up, 3600, 0.2)
        self.fleet_meter = Meter(self.fleet.child.pid)
        self.step("enrolled", before)

    def step(self, what: str, cpu_before: float):
        """One row of the table: what it took until now."""
        store = self.lab.server_dir / "store"
        self.steps.append({"step": what, "at_s": round(time.monotonic() - self.began, 1),
                           "server_cpu_s": round(self.server.cpu_s() - cpu_before, 1),
                           "server_rss_mib": self.server.status_kib("VmRSS") // 1024,
                           "server_peak_mib": self.server.status_kib("VmHWM") // 1024,
                           "server_fds": self.server.descriptors(),
                           "store_mib": round(disk_bytes(store) / 2**20, 1)})
        self.say(f"{what}: {self.steps[-1]}")

    def roll(self, kind: str, number: int):
        """One release from its file to the end of its rollout."""
        lab = self.lab
        content = lab.dir / f"{number}.yar"
        content.write_bytes((EXAMPLES / "good-1.yar").read_bytes() + b"\n" * number)
        release = lab.publish(content, f"{kind} release")
        before, began = self.server.cpu_s(), time.monotonic()
        lab.cli("rollout", "start", release, check=True)
        last = {}

        def over():
            if not self.fleet.running():
                raise LabError(f"ringward-fleet ended:\n{self.fleet.tail()}")
            last.update(lab.rollout(release))
            exposed = sum(r["exposed"] for r in last["rings"])
            self.say(f"{release} ({kind}) {last['state']}: exposed {exposed}; "
                     + ", ".join(f"{r['ring']} {r['state']} {r['exposed']}/{r['members']}" for r in last["rings"]))
            done = last["state"] == "complete" and exposed >= 0.97 * self.args.endpoints
            return done or last["state"] in ENDED - {"complete"}
        wait_for(f"the rollout of {release} ends", over, self.args.patience, self.args.look)
        if kind == "bad":
            wait_for("everybody is back", lambda: lab.rollout(release)["state"] in ("rolled_back", "rolling_back", "held"),
                     600, 1)
        why = "" if last["state"] == "complete" else f" ({last['reason']})"
        self.step(f"{release} {kind}: {last['state']}{why} in {time.monotonic() - began:.0f} s", before)
        last["as_wanted"] = (last["state"] == "complete") == (kind == "good")
        return last

    def run(self) -> dict:
        with self.lab:
            self.start_server()
            try:
                return self.rehearse()
            finally:
                if self.fleet is not None:
                    self.fleet.stop(60)

    def rehearse(self) -> dict:
        self.start_fleet()
        rollouts = [self.roll(kind, i + 1) for i, kind in enumerate(self.args.sequence)]
        time.sleep(self.args.rest)
        self.step("at rest", self.server.cpu_s())
        fleet_mib = self.fleet_meter.status_kib("VmRSS") // 1024
        status = self.fleet.stop(60)
        if status != 0:
            raise LabError(f"ringward-fleet ended with status {status}:\n{self.fleet.tail(5)}")
        ledger = json.loads(self.ledger_file.read_text())
        return {"ledger": ledger, "steps": self.steps, "fleet_rss_mib": fleet_mib,
                "rollouts": [{"release": r["release"], "state": r["state"], "as_wanted": r["as_wanted"],
                              "halt": r.get("halt"), "reason": r["reason"]} for r in rollouts]}


def show(args, result: dict):
    ledger = result["ledger"]
    print(f"{args.endpoints} endpoints, {'one connection each' if args.own_connections else f'{args.connections} connections'}, "
          f"{'plain HTTP' if args.plain else 'HTTPS'}, poll {args.poll} s, probation {args.probation} s "
          f"(rings.json: 10 m, so about {600 // args.probation} times compressed by the policy's own times; clocks are real)")
    print(f"{'step':44} {'at s':>7} {'CPU s':>7} {'RSS MiB':>8} {'peak':>6} {'fds':>6} {'store MiB':>10}")
    for s in result["steps"]:
        print(f"{s['step'][:44]:44} {s['at_s']:7} {s['server_cpu_s']:7} {s['server_rss_mib']:8} {s['server_peak_mib']:6} "
              f"{s['server_fds']:6} {s['store_mib']:10}")
    print(f"{'request':8} {'sent':>10} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'no answer':>9} {'others':>8}")
    for kind in ("enrol", "poll", "permit", "beacon"):
        s = ledger[kind]
        print(f"{kind:8} {s['sent']:10} {s['p50_us'] / 1000:8.1f} {s['p99_us'] / 1000:8.1f} {s['max_us'] / 1000:8.1f} "
              f"{s['no_answer']:9} {sum(s['other_statuses'].values()):8}")
    for r in ledger["releases"]:
        halt = f", first harm to halt {r['harm_to_halt_ms'] / 1000:.1f} s" if "harm_to_halt_ms" in r else ""
        back = f", halt to the last one back {r['halt_to_back_ms'] / 1000:.1f} s" if "halt_to_back_ms" in r else ""
        print(f"release {r['release']}: exposed {r['exposed']}, harmed {r['harmed']}, healthy {r['healthy']}, "
              f"back {r['reverted']}{halt}{back}; permits beyond the window's laws: {r['law_broken']}")
    print(f"fleet: CPU {ledger['cpu_ms'] / 1000:.0f} s, {result['fleet_rss_mib']} MiB; silent for good {ledger['bricked']}")


def main() -> int:
    p = argparse.ArgumentParser(prog="scripts/rehearse", description="Rehearses releases on a simulated fleet.")
    p.add_argument("--bin", default="build/bench/bin", help=argparse.SUPPRESS)
    p.add_argument("--endpoints", type=int, default=10000, help="how many (default: 10000)")
    p.add_argument("--connections", type=int, default=256, help="kept connections that they share (default: 256)")
    p.add_argument("--own-connections", action="store_true", help="one connection for each endpoint")
    p.add_argument("--plain", action="store_true", help="HTTP without TLS, as behind a proxy")
    p.add_argument("--poll", type=int, default=10, help="seconds between two polls of an endpoint (default: 10)")
    p.add_argument("--probation", type=int, default=5, help="seconds (default: 5; rings.json: 10 minutes)")
    p.add_argument("--sequence", default="good,bad,good", help="releases, one after the other (default: good,bad,good)")
    p.add_argument("--fault", help="what they do: 'release=2 effect=crash'; default: the bad ones crash everywhere")
    p.add_argument("--patience", type=int, default=7200, help="seconds that one rollout may take (default: 7200)")
    p.add_argument("--look", type=float, default=2.0, help=argparse.SUPPRESS)
    p.add_argument("--rest", type=float, default=5.0, help="seconds of rest before the end (default: 5)")
    p.add_argument("--output", choices=["table", "json"], default="table")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every 'finally': no process stays behind
    args.sequence = args.sequence.split(",")
    if args.own_connections:
        args.connections = args.endpoints
    if not set(args.sequence) <= {"good", "bad"}:
        p.error("--sequence: want good and bad, with commas between")
    if args.fault is None:
        args.fault = "; ".join(f"release={i + 1} effect=crash" for i, k in enumerate(args.sequence) if k == "bad")
    try:
        result = Rehearsal(args).run()
    except LabError as e:
        print(f"rehearse: {e}", file=sys.stderr)
        return 1
    if args.output == "json":
        print(json.dumps(result, indent=1))
    else:
        show(args, result)
    odd = [f"release {r['release']} is {r['state']}: {r['reason']}" for r in result["rollouts"] if not r["as_wanted"]]
    print("".join(f"rehearse: not as it should be: {o}\n" for o in odd), end="", file=sys.stderr)
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
