#!/usr/bin/python3
"""The demo behind scripts/demo: real server, signer, agents and sensors; every claim is looked at from outside."""
import argparse
import datetime
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from lab import EXAMPLES, FLEET, Lab, LabError, wait_for  # noqa: E402

HARMED_MAX = 4  # "a handful": the policy's window starts with 2 in the ring and in the cohort


def say(text: str = ""):
    print(text, flush=True)


def head(text: str):
    say(f"\n=== {text}")


class Checks:
    """What came true; the demo's exit status."""

    def __init__(self):
        self.rows = []

    def add(self, what: str, ok: bool, seen: str):
        self.rows.append((ok, what, seen))
        say(f"  {'ok  ' if ok else 'FAIL'}  {what}: {seen}")

    def all(self) -> bool:
        return all(ok for ok, _, _ in self.rows)


def show(lab: Lab, *args):
    """Runs the operator's command with its output on this terminal."""
    say(f"  $ ringward {' '.join(map(str, args))}")
    subprocess.run([lab.bin / "ringward", *map(str, args)], env=lab.env, stdin=subprocess.DEVNULL, check=False)


def all_on(lab: Lab, number: int, timeout_s: float) -> int:
    """Waits until every endpoint has the release, on its own disk and by the sensor's proof at the server."""
    total = len(lab.agents)

    def everywhere():
        return len(lab.on_release(number)) == total and lab.server_says_on(number) == total
    try:
        wait_for(f"all {total} endpoints on release {number}", everywhere, timeout_s, 0.5)
    except LabError:
        pass
    return min(len(lab.on_release(number)), lab.server_says_on(number))


def sensors_up(lab: Lab) -> int:
    return sum(1 for a in lab.agents if a.status().get("sensor", {}).get("running"))


def ring_sums(rollout: dict) -> dict[str, int]:
    keys = ("exposed", "healthy", "failed", "dark", "refused", "reverted")
    return {k: sum(r.get(k, 0) for r in rollout["rings"]) for k in keys}


def part_good(lab: Lab, checks: Checks, content: Path, timeout_s: float) -> dict:
    head(f"(a) A good release: {content.name}, {content.stat().st_size:,} bytes")
    started = time.monotonic()
    say("  checked in the box here and on the server, signed by alice and by bob, published")
    release = lab.publish(content, "first good release of the demo", *samples(content))
    show(lab, "rollout", "start", release)
    show(lab, "rollout", "watch", release, "--timeout", f"{timeout_s:.0f}s")
    rollout = lab.rollout(release)
    checks.add("the rollout is complete", rollout["state"] == "complete", rollout["state"])
    on = all_on(lab, int(release.split("/")[1]), 60)
    checks.add("every sensor has proven that it loaded the release", on == len(lab.agents), f"{on} of {len(lab.agents)}")
    return {"name": "good", "release": release, "exposed": ring_sums(rollout)["exposed"], "harmed": 0, "recovered": 0,
            "halt": "-", "took": time.monotonic() - started, "end": rollout["state"]}


def samples(content: Path) -> list[str]:
    beside = content.with_suffix(".rws")
    return ["--samples", str(beside)] if beside.exists() else []


def part_unparsable(lab: Lab, checks: Checks, good: int) -> dict:
    head("(b) A release that does not parse")
    bad = EXAMPLES / "bad-syntax.yar"
    _, refused = lab.create(bad, "does not parse", check=False)
    checks.add("'release create' refuses it (exit status 9)", refused.returncode == 9,
               f"exit status {refused.returncode}: {first_line(refused.stderr)}")
    say("  forced past that check by the test-only switch --unchecked, signed and published:")
    started = time.monotonic()
    release = lab.publish(bad, "forced past the box", "--unchecked", "demo: the endpoint's own box must refuse it")
    lab.cli("rollout", "start", release, check=True)
    rollout = lab.wait_rollout(release, {"halted", "rolling_back", "rolled_back", "held"}, 90)
    took = time.monotonic() - started
    sums = ring_sums(rollout)
    checks.add("the box of the first endpoints refused it", sums["refused"] >= 1, f"{sums['refused']} refused")
    checks.add("no endpoint activated it", sums["healthy"] + sums["failed"] == 0 and not lab.on_release(number(release)),
               f"{sums['healthy']} healthy, {sums['failed']} failed")
    show(lab, "explain", release)
    on = all_on(lab, good, 60)
    checks.add("every endpoint is on the good release", on == len(lab.agents), f"{on} of {len(lab.agents)}")
    return {"name": "does not parse", "release": release, "exposed": sums["exposed"], "harmed": 0, "recovered": 0,
            "halt": f"{took:.0f} s", "took": took, "end": rollout["state"]}


def part_crasher(lab: Lab, checks: Checks, good: int) -> dict:
    head("(c) A release that parses and kills the sensor on load")
    release = lab.publish(EXAMPLES / "crash-on-load.yar", "accepted by every check, kills the sensor")
    started = time.monotonic()
    show(lab, "rollout", "start", release)
    show(lab, "rollout", "watch", release, "--timeout", "200s")
    rollout = lab.wait_rollout(release, {"rolled_back"}, 10)
    halted_s = (when(rollout["halt"]["at"]) - when(rollout["started"])).total_seconds() if rollout.get("halt") else -1
    sums = ring_sums(rollout)
    harmed = sums["failed"] + sums["dark"]
    checks.add("it was halted by itself", rollout.get("halt") is not None, str(rollout.get("reason")))
    checks.add(f"1 to {HARMED_MAX} of {len(lab.agents)} endpoints were harmed", 1 <= harmed <= HARMED_MAX, f"{harmed}")
    checks.add("no other ring ever saw it", all(r["exposed"] == 0 for r in rollout["rings"][1:]),
               ", ".join(f"{r['ring']} {r['exposed']}" for r in rollout["rings"]))
    on = all_on(lab, good, 90)
    up = sensors_up(lab)
    victims = lab.marked(number(release), "failed", "dark", "late_crash")
    recovered = sum(c["release"] == good for e in victims for c in e["content"])
    checks.add("every endpoint is back on the good release, without a hand", on == len(lab.agents), f"{on} of {len(lab.agents)}")
    checks.add("the server knows each victim, and that it is back", len(victims) == harmed == recovered,
               f"{len(victims)} victims, {recovered} back")
    checks.add("every sensor runs", up == len(lab.agents), f"{up} of {len(lab.agents)}")
    head("(d) Why it was halted")
    show(lab, "explain", release)
    return {"name": "kills the sensor", "release": release, "exposed": sums["exposed"], "harmed": harmed, "recovered": recovered,
            "halt": f"{halted_s:.0f} s", "took": time.monotonic() - started, "end": rollout["state"]}


def number(release: str) -> int:
    return int(release.split("/")[1])


def when(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line]
    return lines[-1] if lines else ""


def summary(rows: list[dict], checks: Checks, total: int):
    head("Summary")
    say(f"  {'release':<10} {'what it was':<18} {'exposed':>8} {'harmed':>7} {'recovered':>10} {'time to halt':>13}  end")
    for r in rows:
        say(f"  {r['release']:<10} {r['name']:<18} {r['exposed']:>5}/{total} {r['harmed']:>7} {r['recovered']:>10} "
            f"{r['halt']:>13}  {r['end']}")
    bad = [what for ok, what, _ in checks.rows if not ok]
    say(f"\n  {len(checks.rows) - len(bad)} of {len(checks.rows)} claims came true")
    for what in bad:
        say(f"  NOT TRUE: {what}")


def keep_running(lab: Lab):
    server, agents = lab.server.child.pid, [a.process.child.pid for a in lab.agents]
    stop = lab.dir / "stop"
    stop.write_text("#!/bin/sh\n# Stops what scripts/demo --keep left running, and removes its directory.\n"
                    f"kill {' '.join(map(str, agents))} {server}\nsleep 3\nrm -rf '{lab.dir}'\n")
    stop.chmod(0o700)
    say(f"""
The system keeps running. Look around:
  export RINGWARD_PROFILE={lab.env['RINGWARD_PROFILE']}
  {lab.bin}/ringward status
  {lab.bin}/ringward rollout history
  {lab.bin}/ringward fleet list
  {lab.bin}/ringward audit show
  {lab.bin}/ringward-agent why --config {lab.agents[0].conf}
  status page: {lab.url}/   (viewer token: {lab.server_dir}/tokens/admin.token)
  logs: {lab.dir}/server.log, {lab.dir}/agents/*/agent.log
Stop it and remove everything:
  {stop}""")


def run(lab: Lab, checks: Checks, content: Path) -> list[dict]:
    head(f"Starting ringward-server, ringward-signer and {sum(FLEET.values())} agents with their sensors on loopback")
    say(f"  directory {lab.dir}; development trust: every key on this machine, never for production")
    say("  rings, windows and bakes are those of the demo's own policy: seconds where production takes hours")
    lab.init().start_server()
    lab.add_fleet()
    wait_for("every endpoint is enrolled", lambda: len(lab.fleet()) == len(lab.agents), 240, 0.5)
    show(lab, "status")
    big = content.stat().st_size > 500_000
    rows = [part_good(lab, checks, content, 900 if big else 240)]
    good = number(rows[0]["release"])
    rows.append(part_unparsable(lab, checks, good))
    rows.append(part_crasher(lab, checks, good))
    audit = lab.cli("audit", "verify")
    checks.add("the audit log's hash chain is whole", audit.returncode == 0, last_line(audit.stdout))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help=argparse.SUPPRESS)
    parser.add_argument("--content", help="your own YARA file as the good release")
    parser.add_argument("--keep", action="store_true", help="leave the system running")
    args = parser.parse_args()
    content = EXAMPLES / "good-1.yar"
    if args.content:
        content = Path(os.environ.get("RINGWARD_DEMO_CWD", "."), args.content).resolve()
        if not content.is_file():
            print(f"scripts/demo: no such file: {args.content}", file=sys.stderr)
            return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    checks = Checks()
    with Lab(Path(args.bin).resolve(), keep=args.keep) as lab:
        try:
            rows = run(lab, checks, content)
        except LabError as e:
            say(f"\nFAIL: {e}")
            say(f"--- server log\n{lab.server.tail() if lab.server else ''}")
            checks.add("the demo ran to its end", False, "see above")
            rows = []
        summary(rows, checks, len(lab.agents))
        if args.keep and rows:
            keep_running(lab)
        else:
            lab.keep = False
    return 0 if checks.all() else 1


if __name__ == "__main__":
    sys.exit(main())
