#!/usr/bin/python3
"""Thirty days without a server: an agent whose time runs many times as fast as ours (fast_clock.c). Protection goes on: each
virtual day its sensor is killed and a file comes that a rule matches, and once a file of the active set is lost. Memory and
disk are looked at once a day. Then the server is there again, at the same virtual time, and is told all of it in order.
scripts/bench month calls it."""
import argparse
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
from agent_bench import POLICY, children, disk_kib  # noqa: E402
from front import Front  # noqa: E402
from lab import Agent, Lab, LabError, Process, wait_for  # noqa: E402

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
DAY_S = 24 * 3600
NEEDLE = "needle of the month"
GROWS_KIB = 1024  # of memory from the third day to the last
DISK_KIB = 4096 * 4 + 1024  # a full spool of beacons, a block each, and the rest


def start(agent: Agent, **env):
    agent.process = Process([agent.lab.bin / "ringward-agent", "run", "--config", agent.conf], agent.dir / "agent.log",
                            {**agent.lab.env, **env})


def fast(agent: Agent, factor: int) -> dict[str, str]:
    """Environment of a program whose time runs so fast from now on."""
    return {"LD_PRELOAD": str(agent.lab.bin.parent / "tests" / "fast_clock.so"),
            "RINGWARD_FAST_CLOCK": f"{time.monotonic_ns()} {time.time_ns()} {factor}"}


def rss_kib(pid: int) -> int:
    return int(re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def sensor_of(pid: int) -> int:
    return wait_for("a sensor runs", lambda: children(pid, "ringward-sensor"), 20)[0]


def set_server(agent: Agent, url: str):
    lines = [x for x in agent.conf.read_text().splitlines() if x.split(" = ")[0] not in ("server", "ca_file")]
    agent.conf.write_text("\n".join([*lines, f"server = {url}"]) + "\n")


def prepare(lab: Lab) -> Agent:
    """One release is active, the server has heard all of it, and goes away."""
    lab.init().start_server()
    watched = lab.dir / "watched"
    watched.mkdir()
    content = lab.dir / "month.yar"
    content.write_text(f'rule month {{ strings: $a = "{NEEDLE}" condition: $a }}\n')
    command = f"{lab.bin / 'ringward-sensor'} --alive-every 20m --watch {watched} --detections {lab.dir / 'detections'}"
    # Deadlines shrink with the factor: the sensor has an hour where it usually has a minute.
    agent = lab.add_agent("internal", sensor_command=command, poll_interval="10m", load_timeout="1h", sensor_alive="1h", stable_after="1s")
    release = lab.publish(content, "for a month")
    lab.cli("rollout", "start", release, check=True)

    def active():
        lab.run("ringward-agent", "check", "--config", agent.conf)
        s = agent.status()
        return agent.active_release() == 1 and s.get("phase") == "steady" and s["spool"]["waiting"] == 0
    wait_for("the release is active, and told", active, 120, 1)
    agent.process.stop()
    lab.server.stop()
    return agent


def month(agent: Agent, days: int, factor: int) -> list[tuple[int, int]]:
    """Memory and disk, in KiB, at the end of each virtual day."""
    seen = []
    start(agent, **fast(agent, factor))
    pid = agent.process.child.pid
    begun = time.monotonic()
    for day in range(1, days + 1):
        end = begun + day * DAY_S / factor
        time.sleep(max(0.0, end - time.monotonic() - DAY_S / factor / 2))
        (agent.lab.dir / "watched" / f"day-{day}").write_text(NEEDLE)
        os.kill(sensor_of(pid), signal.SIGKILL)
        if day == min(10, days):
            (agent.state / "current" / "yara.rwc").unlink()
        time.sleep(max(0.0, end - time.monotonic()))
        if not agent.process.running():
            raise LabError(f"the agent ended on day {day}:\n{agent.process.tail()}")
        seen.append((rss_kib(pid), disk_kib(agent.state)))
        print(f"day {day:2}: memory {seen[-1][0]} KiB, disk {seen[-1][1]} KiB", flush=True)
    agent.process.stop()
    return seen


def told(agent: Agent, ahead_s: int) -> list[dict]:
    """What reaches the server once it is there again, in the order in which it comes."""
    lab, beacons = agent.lab, []
    later = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"+{ahead_s}s", "NO_FAKE_STAT": "1"}
    lab.env.update(later)
    lab.start_server()
    with Front(lab) as front:
        forward = front.forward

        def keep(request, body, h):
            if request.path == "/v1/beacons":
                beacons.extend(json.loads(body)["beacons"])
            forward(request, body, h)
        front.forward = keep
        set_server(agent, front.url)
        start(agent, **later)
        wait_for("nothing waits any more", lambda: beacons and agent.status().get("spool", {}).get("waiting") == 0, 180, 1)
        agent.process.stop()
    return beacons


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bin")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--factor", type=int, default=2880, help="a virtual day is 86,400 s divided by this (30 s)")
    args = parser.parse_args()
    if FAKETIME is None:
        raise SystemExit("agent month: faketime is not installed")
    with Lab(Path(args.bin), POLICY) as lab:
        agent = prepare(lab)
        log_from = agent.process.log.stat().st_size
        seen = month(agent, args.days, args.factor)
        log = agent.process.log.read_text(errors="replace")[log_from:]
        beacons = told(agent, args.days * DAY_S)
        crashes = [b for b in beacons if b["kind"] == "crash"]
        times = [b["at"] for b in beacons]
        found = len((lab.dir / "detections").read_text().splitlines())
        mended = [b for b in beacons if "repaired" in b.get("detail", "")]
        grown = seen[-1][0] - seen[min(2, len(seen) - 1)][0]
        checks = {
            f"{log.count('event=poll_failed')} polls failed": "event=poll_failed" in log,
            f"memory {seen[min(2, len(seen) - 1)][0]} KiB on day 3, {seen[-1][0]} KiB at the end": grown < GROWS_KIB,
            f"disk {seen[0][1]} KiB on the first day, {seen[-1][1]} KiB at the end": seen[-1][1] < DISK_KIB,
            f"{found} detections, {args.days} files": found >= args.days,
            f"{len(crashes)} ends of the sensor told, {args.days} killed": len({b['id'] for b in crashes}) == args.days,
            f"{len(mended)} repairs told": len(mended) >= 1,
            f"{len(beacons)} beacons, in the order of their times": times == sorted(times),
        }
    for text, good in checks.items():
        print(f"{'ok    ' if good else 'WRONG '} {text}")
    sys.exit(0 if all(checks.values()) else 1)


if __name__ == "__main__":
    main()
