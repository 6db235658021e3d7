"""What an idle agent costs, beside chronyd (a small resident daemon of Debian) and curl (the same conditional request,
a process each time), measured in one run. Called by scripts/bench agent.

Resident memory, wake-ups and CPU are those of the agent alone; the sensor is a program of its own. CPU per poll has
what ringward-http took for it.
"""
import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e")]
from lab import EXAMPLES, Lab, wait_for  # noqa: E402

AIM_RSS_KIB, AIM_READY_MS = 8 * 1024, 50
STARTS, POLLS, OWN_S, WINDOW_S = 21, 50, 60, 30
FRESH_S = 125  # for two minutes after a load the sensor speaks each second
POLICY = {
    "format": 1,
    "rings": [{"name": "internal", "select": "local", "bake": "1s", "gate": {"limit": "99%", "min_healthy": 1}},
              {"name": "broad", "share": "rest"}],
    "classes": {"rules": {"min_bake": {"broad": "1s"}}},
    "poll": {"rollout": "1h"},  # else the server asks for a poll each minute while the rollout lasts
    "window": {"confirm": {"start": 2, "per_survivor_thousandths": 1000, "deadline": "60s", "probation": "1s"}, "cohort": {"start": 2}},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
}


def memory_kib(pid: int) -> dict[str, int]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {k: int(re.search(rf"^{k}:\s+(\d+) kB", text, re.M).group(1)) for k in ("Rss", "Pss", "Private_Dirty")}


def cpu_ns(pid: int) -> int:
    return sum(int((t / "schedstat").read_text().split()[0]) for t in Path(f"/proc/{pid}/task").iterdir())


def ended_ns(pid: int) -> int:
    """CPU of children that were waited for, in ticks of the clock: precise over many of them."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def wake_ups(pid: int) -> int:
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (t / "status").read_text(), re.M).group(1))
               for t in Path(f"/proc/{pid}/task").iterdir())


def window(pid: int, seconds: float) -> tuple[int, float]:
    """Wake-ups and CPU in ms within the window; the clock is ours, the process is left alone."""
    woken, used = wake_ups(pid), cpu_ns(pid)
    time.sleep(seconds)
    return wake_ups(pid) - woken, (cpu_ns(pid) - used) / 1e6


def quiet_window(agent, pid: int, seconds: float) -> tuple[int, float]:
    """A window in which no poll fell."""
    for _ in range(8):
        before = agent.status()["poll"]["at"]
        time.sleep(2)  # what the question itself cost is over
        seen = window(pid, seconds)
        if agent.status()["poll"]["at"] == before:
            return seen
    raise SystemExit(f"agent bench: a poll fell into each of 8 windows of {seconds} s")


def children(pid: int, program: str) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for p in (task / "children").read_text().split():
            with contextlib.suppress(FileNotFoundError):  # it ended while we looked
                if Path(f"/proc/{p}/comm").read_text().strip() == program[:15]:
                    found.append(int(p))
    return found


def own_wake_ups(agent, pid: int, seconds: float) -> int:
    """With a sensor that stands still, so that all of them are the agent's own."""
    sensors = children(pid, "ringward-sensor")
    if len(sensors) != 1:
        raise SystemExit(f"agent bench: {len(sensors)} sensors, want 1")
    os.kill(sensors[0], signal.SIGSTOP)
    try:
        return quiet_window(agent, pid, seconds)[0]
    finally:
        os.kill(sensors[0], signal.SIGCONT)


def disk_kib(folder: Path) -> int:
    blocks = 0
    for p in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a beacon that was sent meanwhile
            blocks += p.lstat().st_blocks
    return blocks // 2


def ready_ms(lab, agent) -> tuple[float, float]:
    """From the start of the program to READY=1 on the service manager's socket; and the CPU in ms that it took until then."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{folder}/notify")
        manager.settimeout(30)
        began = time.monotonic()
        child = subprocess.Popen([lab.bin / "ringward-agent", "run", "--config", agent.conf], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=lab.env | {"NOTIFY_SOCKET": f"{folder}/notify"})
        manager.recv(100)
        took = (time.monotonic() - began) * 1000, cpu_ns(child.pid) / 1e6
        child.terminate()
        child.wait(30)
        return took


def poll_cost(lab, agent, pid: int) -> tuple[float, float]:
    """CPU in ms per poll that finds nothing new and tells so: of the agent, the question of the control socket included, and of the
    helpers that have ended."""
    own, ended = cpu_ns(pid), ended_ns(pid)
    for _ in range(POLLS):
        lab.run("ringward-agent", "check", "--config", agent.conf, check=True)
    wait_for("the last helper has ended", lambda: not children(pid, "ringward-http"), 60)
    return (cpu_ns(pid) - own) / 1e6 / POLLS, (ended_ns(pid) - ended) / 1e6 / POLLS


def curl_cost(lab) -> tuple[float, int]:
    """CPU in ms and peak memory in KiB of one conditional GET by a process of its own."""
    etag = lab.dir / "etag"
    ask = ["curl", "-sf", "--cacert", lab.server_dir / "tls" / "ca.pem", "-o", os.devnull, f"{lab.url}/repo/metadata/timestamp.json"]
    subprocess.run([*ask, "--etag-save", etag], check=True)
    used, peak = 0.0, 0
    for _ in range(POLLS):
        child = subprocess.Popen([*map(str, ask), "--etag-compare", etag])
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise SystemExit(f"curl: exit status {child.returncode}")
        used += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss)
    return used * 1000 / POLLS, peak


def chronyd() -> Path | None:
    """Debian's chronyd, unpacked from its package where it is not installed."""
    at = shutil.which("chronyd", path="/usr/sbin:/usr/bin")
    if at:
        return Path(at)
    folder = ROOT / "build" / "bench" / "chrony"
    if not folder.exists():
        folder.mkdir(parents=True)
        if subprocess.run(["apt-get", "download", "chrony"], cwd=folder, capture_output=True).returncode == 0:
            subprocess.run(["dpkg-deb", "-x", next(folder.glob("*.deb")), folder], check=True)
    at = folder / "usr" / "sbin" / "chronyd"
    return at if at.exists() else None


def chronyd_numbers(seconds: float):
    """Memory, wake-ups and CPU of a chronyd that leaves the clock alone (-x) and asks nobody, so that it is idle as well."""
    program = chronyd()
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "chrony.conf"
        conf.write_text(f"cmdport 0\nport 0\nbindcmdaddress {folder}/socket\npidfile {folder}/pid\ndriftfile {folder}/drift\n")
        child = subprocess.Popen([program, "-d", "-x", "-u", "root", "-f", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(3)
        if child.poll() is not None:
            return None
        memory, (woken, used) = memory_kib(child.pid), window(child.pid, seconds)
        child.terminate()
        child.wait(30)
        return memory, woken, used


def row(what, agent, peer, aim=""):
    print(f"  {what:<42} {agent:>16} {peer:>22}   {aim}")


def met(good: bool, text: str) -> str:
    return f"aim {text}: {'met' if good else 'MISSED'}"


def main():
    with Lab(Path(sys.argv[1]), POLICY) as lab:
        lab.init().start_server()
        agent = lab.add_agent("internal", poll_interval="1h", stable_after="1s", sensor_alive="1h",
                              sensor_command=str(lab.bin / "ringward-sensor"))
        release = lab.publish(EXAMPLES / "good-1.yar", "for the bench")
        lab.cli("rollout", "start", release, check=True)

        def active():
            lab.run("ringward-agent", "check", "--config", agent.conf)
            return agent.active_release() == 1 and agent.status().get("phase") == "steady"
        wait_for("the release is active", active, 120, 1)
        agent.process.stop()
        starts = [ready_ms(lab, agent) for _ in range(STARTS)]
        fresh_until = time.monotonic() + FRESH_S
        agent.start()
        wait_for("a poll", lambda: agent.status().get("poll", {}).get("ok"), 60, 1)
        pid = agent.process.child.pid
        in_agent, in_helper = poll_cost(lab, agent, pid)
        curl_ms, curl_kib = curl_cost(lab)
        with concurrent.futures.ThreadPoolExecutor() as beside:  # both only stand and are looked at
            idle = beside.submit(chronyd_numbers, OWN_S)
            own = own_wake_ups(agent, pid, OWN_S)
            peer = idle.result()
        time.sleep(max(0.0, fresh_until - time.monotonic()))
        memory = memory_kib(pid)
        woken, used = quiet_window(agent, pid, WINDOW_S)
        said = WINDOW_S // 10 * 2  # its sign of life and its counts
        kib = disk_kib(agent.state)
        median, used_ms = (statistics.median(s[i] for s in starts) for i in (0, 1))
        row("", "ringward-agent", "peer of the same run")
        chrony = (lambda f: f(peer) + " chronyd") if peer else (lambda f: "chronyd: not there")
        row("resident (RSS)", f"{memory['Rss']} KiB", chrony(lambda p: f"{p[0]['Rss']} KiB"), met(memory["Rss"] < AIM_RSS_KIB, "< 8 MiB"))
        row("its share of pages (PSS)", f"{memory['Pss']} KiB", chrony(lambda p: f"{p[0]['Pss']} KiB"))
        row("written pages of its own", f"{memory['Private_Dirty']} KiB", chrony(lambda p: f"{p[0]['Private_Dirty']} KiB"))
        row(f"own wake-ups in {OWN_S} s between polls", f"{own}", chrony(lambda p: f"{p[1]}"), met(own <= 1, "none but the loop's minute"))
        row(f"  with the sensor's in {WINDOW_S} s, one word each 10 s", f"{woken}", "", met(woken <= said + 1, f"its {said} messages"))
        row(f"CPU in these {WINDOW_S} s (chronyd: {OWN_S} s)", f"{used:.2f} ms", chrony(lambda p: f"{p[2]:.2f} ms"))
        row(f"start to ready, median of {STARTS}", f"{median:.1f} ms", "", met(median < AIM_READY_MS, "< 50 ms"))
        row("  the fastest; CPU of the median", f"{min(s[0] for s in starts):.1f} ms; {used_ms:.1f} ms", "")
        row(f"CPU per poll and beacon, nothing new (of {POLLS})", f"{in_agent + in_helper:.2f} ms", f"{curl_ms:.2f} ms curl, one request")
        row("  of it in ringward-http", f"{in_helper:.2f} ms", "")
        row("peak memory of curl for one request", "", f"{curl_kib} KiB curl")
        row("disk: state, one release stored", f"{kib} KiB", "")
        print(f"  load at the end {os.getloadavg()[0]:.1f}: what takes time by the clock is an upper bound above {os.cpu_count()}")


if __name__ == "__main__":
    main()
