#!/usr/bin/python3
"""Days of virtual time in minutes: a real server and a simulated fleet under libfaketime, release after release, some of
them bad; the server's memory, descriptors and disk once per virtual hour, and a verdict. scripts/soak calls it."""
import argparse
import json
import os
import signal
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from lab import EXAMPLES, Lab, LabError, Process, wait_for  # noqa: E402
from rehearse import Meter, disk_bytes  # noqa: E402

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
MIB = 2**20
# One release after the other; what is not named is good.
FAULTS = ["", "effect=crash", "", "effect=crash share=20% after=5m", "", "effect=brick share=2% engine=yara-4.1", "",
          "effect=slow share=10%", "", "effect=refuse share=5%", "", "effect=crash share=3% after=2h"]

ENDS = ("complete", "rolled_back", "halted")
# The laws and nearly the times of rings.json; gates for a fleet of thousands.
POLICY = {
    "format": 1,
    "rings": [{"name": "internal", "select": "local", "bake": "30m", "gate": {"limit": "25%", "min_healthy": 10}},
              {"name": "canary", "share": "1%", "bake": "30m", "gate": {"limit": "40%", "min_healthy": 20}},
              {"name": "early", "share": "10%", "bake": "30m", "gate": {"limit": "5%", "min_healthy": 100}},
              {"name": "broad", "share": "rest", "gate": {"limit": "2%", "min_healthy": 300}}],
    "classes": {"rules": {"min_bake": {"broad": "90m"}}},
    "window": {"confirm": {"start": 16, "per_survivor_thousandths": 1000, "deadline": "30m", "probation": "10m"},
               "cohort": {"start": 4}},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300, "tenant_votes": 8},
    "poll": {"rollout": "10m"},
}


class VirtualLab(Lab):
    """Server and fleet see one clock that runs `factor` times as fast as the real one. The operator's programs see the
    same time when they start, and go on at the real pace: signing looks at the time, and takes some."""

    def __init__(self, bin_dir, factor: int):
        super().__init__(bin_dir, POLICY)
        self.factor, self.began = factor, time.time()

    def hours(self) -> float:
        return (time.time() - self.began) * self.factor / 3600

    def shifted(self, pace: str) -> dict:
        ahead = (time.time() - self.began) * (self.factor - 1)
        return {**self.env, "LD_PRELOAD": str(FAKETIME), "FAKETIME": f"+{ahead:.3f}s{pace}"}

    def fast(self) -> dict:
        return self.shifted(f" x{self.factor}")

    def cli(self, *args, **more):
        return super().cli(*args, env=self.shifted(""), **more)

    def start_server(self):
        real, self.env = self.env, self.fast()
        try:
            return super().start_server()
        finally:
            self.env = real


class Soak:
    def __init__(self, args):
        self.args = args
        self.lab = VirtualLab(Path(args.bin), args.factor)
        self.fleet = None
        self.samples, self.releases, self.failures = [], [], []

    def start(self):
        lab, args = self.lab.init(), self.args
        conf = lab.server_dir / "server.conf"
        # Without TLS: its handshakes would have to be done within a part of a real second.
        conf.write_text(conf.read_text() + "tls = no\ncheck_time = 10m\nclean_files = 20\n")
        profile = lab.server_dir / "operator.conf"
        profile.write_text(profile.read_text().replace("https:", "http:"))
        lab.url = lab.url.replace("https:", "http:")
        lab.began = time.time()
        lab.start_server()
        self.server = Meter(lab.server.child.pid)
        ready, self.resumes = lab.dir / "ready", lab.dir / "resumes"
        self.ledger = lab.dir / "ledger.json"
        faults = lab.dir / "faults"
        bad = [(i + 1, FAULTS[i % len(FAULTS)]) for i in range(2 * len(FAULTS))]
        faults.write_text("".join(f"release={n} {fault}\n" for n, fault in bad if fault))
        argv = [Path(args.bin).parent / "tests" / "ringward-fleet", "run", "--server", lab.url, "--dir", lab.server_dir,
                "--endpoints", args.endpoints, "--connections", 128, "--internal", 20, "--poll", f"{args.poll}m",
                "--load-time", "10s", "--timeout", "20m", "--faults", faults, "--ready", ready, "--resumes", self.resumes,
                "--output", "json"]
        self.fleet = Process(["/bin/sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", self.ledger, *argv],
                             lab.dir / "fleet.log", lab.fast())
        wait_for("the fleet lives", lambda: ready.exists() or not self.fleet.running(), 600)

    def tell(self, text: str):
        print(f"soak: {self.lab.hours():5.1f} h: {text}", file=sys.stderr, flush=True)

    def ended(self) -> bool:
        """Whether the last release came to its end. One that waits for a person gets one; one that takes longer than the
        patience is halted."""
        if not self.releases:
            return True
        release, began = self.releases[-1]
        seen = self.lab.rollout(release)
        if seen["state"] == "held":
            self.tell(f"{release} is held: {seen['reason']}")
            with self.resumes.open("a") as notes:  # before it is asked for: the ledger counts by it
                notes.write(release.rpartition("/")[2] + "\n")
            self.lab.cli("rollout", "resume", release, "--reason", "control was abnormal too: the machine is busy")
        if seen["state"] not in ENDS and self.lab.hours() - began > self.args.patience:
            self.lab.cli("rollout", "halt", release, "--reason", "the next one comes")  # exit status 4: halted, as it was meant to be
            seen = self.lab.rollout(release)
        rings = ", ".join(f"{r['ring']} {r['state']} {r['healthy']}/{r['exposed']}" for r in seen["rings"] if r["exposed"])
        self.tell(f"{release} is {seen['state']} after {self.lab.hours() - began:.1f} h ({seen['reason']}): {rings or 'nobody has it'}")
        return seen["state"] in ENDS

    def operate(self):
        """The operator's work: a new release behind the last one. What fails is told and tried later."""
        lab = self.lab
        try:
            if not self.ended():
                return
            n = len(self.releases) + 1
            content = lab.dir / f"{n}.yar"
            content.write_bytes((EXAMPLES / "good-1.yar").read_bytes() + b"\n" * n)
            release = lab.publish(content, f"release {n}")
            lab.cli("rollout", "start", release, check=True)
            self.releases.append((release, lab.hours()))
            self.tell(f"{release} begins; its fault: {FAULTS[(n - 1) % len(FAULTS)] or 'none'}")
        except LabError as e:
            self.failures.append(f"...{str(e)[-300:]}")
            self.tell(self.failures[-1])

    def sample(self):
        lab = self.lab
        self.samples.append({"h": round(lab.hours(), 1), "rss_kib": self.server.status_kib("VmRSS"),
                             "fds": self.server.descriptors(), "store": disk_bytes(lab.server_dir / "store"),
                             "repo": disk_bytes(lab.server_dir / "repo"), "cpu_s": self.server.cpu_s()})
        s = self.samples[-1]
        self.tell(f"RSS {s['rss_kib'] / 1024:.1f} MiB, {s['fds']} descriptors, store {s['store'] / MIB:.1f} MiB")

    def run(self) -> dict:
        with self.lab:
            try:
                return self.soak()
            finally:
                if self.fleet is not None:
                    self.fleet.stop(60)

    def soak(self) -> dict:
        lab = self.lab
        self.start()
        next_release, next_sample = 0.5, 1.0
        while lab.hours() < self.args.hours:
            if not (lab.server.running() and self.fleet.running()):
                raise LabError(f"ended early:\n{lab.server.tail()}\n{self.fleet.tail()}")
            if lab.hours() >= next_release:
                self.operate()
                next_release = lab.hours() + 0.5
            if lab.hours() >= next_sample:
                self.sample()
                next_sample += 1
            time.sleep(0.2)
        status = self.fleet.stop(60)
        if status != 0:
            raise LabError(f"ringward-fleet ended with status {status}:\n{self.fleet.tail(5)}")
        return json.loads(self.ledger.read_text())


def part(samples, name, begin, end):
    n = len(samples)
    return [s[name] for s in samples[int(n * begin):max(int(n * end), int(n * begin) + 1)]]


def verdict(samples) -> list[tuple[str, bool, str]]:
    """Second quarter against last: what grows with time, and not with the fleet, shows there."""
    rows = []
    for name, unit, of, slack, share in (("rss_kib", "KiB", statistics.median, 4096, 0.10),
                                         ("fds", "", max, 16, 0.0), ("store", "bytes", max, 8 * MIB, 0.25)):
        before, after = of(part(samples, name, 0.25, 0.5)), of(part(samples, name, 0.75, 1.0))
        bound = before * (1 + share) + slack
        rows.append((name, after <= bound, f"{before:.0f} -> {after:.0f} {unit} (at most {bound:.0f})"))
    return rows


def main() -> int:
    p = argparse.ArgumentParser(prog="scripts/soak", description="Days of virtual time against a real server.")
    p.add_argument("--bin", default="build/bench/bin", help=argparse.SUPPRESS)
    p.add_argument("--hours", type=float, default=72, help="virtual hours (default: 72)")
    p.add_argument("--factor", type=int, default=120, help="virtual seconds per real second (default: 120: 72 h in 36 min)")
    p.add_argument("--endpoints", type=int, default=10000, help="default: 10000")
    p.add_argument("--poll", type=int, default=30, help="virtual minutes between two polls (default: 30)")
    p.add_argument("--patience", type=float, default=24,
                   help="virtual hours that a rollout may take before the next release is made all the same (default: 24)")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every 'finally': no process stays behind
    if FAKETIME is None:
        p.error("libfaketime is not installed (Debian: faketime)")
    soak = Soak(args)
    try:
        ledger = soak.run()
    except LabError as e:
        print(f"soak: {e}", file=sys.stderr)
        return 1
    every = max(1, len(soak.samples) // 12)
    print(f"{'virtual h':>9} {'RSS MiB':>8} {'fds':>5} {'store MiB':>10} {'repo MiB':>9} {'CPU s':>7}")
    for s in soak.samples[every - 1::every]:
        print(f"{s['h']:9.1f} {s['rss_kib'] / 1024:8.1f} {s['fds']:5} {s['store'] / MIB:10.1f} {s['repo'] / MIB:9.2f} {s['cpu_s']:7.1f}")
    print(f"{len(soak.releases)} releases, {sum(r['exposed'] for r in ledger['releases'])} exposures, "
          f"{sum(r['harmed'] for r in ledger['releases'])} harmed, permits beyond the window's laws: "
          f"{sum(r['law_broken'] for r in ledger['releases'])}; polls {ledger['poll']['answered']}, beacons "
          f"{ledger['beacon']['answered']}, without an answer {sum(ledger[k]['no_answer'] for k in ('poll', 'permit', 'beacon'))}; "
          f"operator's steps that failed: {len(soak.failures)}")
    rows = verdict(soak.samples)
    for name, good, text in rows:
        print(f"{'ok  ' if good else 'GROWS'} {name}: {text}")
    return 0 if all(good for _, good, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
