"""A laboratory: a real ringward-server with its signer, real agents with real sensors, on loopback in one directory.

Used by the end-to-end tests and by scripts/demo. Every process is a child of this one and is stopped by its own
handle; nothing is ever found or killed by name. Standard library only.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "yara"

# Short times, so that a whole rollout fits into a minute. The laws are the ones of production.
POLICY = {
    "format": 1,
    "rings": [
        {"name": "internal", "select": "local", "bake": "2s", "gate": {"limit": "60%", "min_healthy": 4}},
        {"name": "canary", "share": "10%", "bake": "2s", "gate": {"limit": "45%", "min_healthy": 6}},
        {"name": "early", "share": "30%", "bake": "2s", "gate": {"limit": "30%", "min_healthy": 10}},
        {"name": "broad", "share": "rest", "gate": {"limit": "20%", "min_healthy": 20}},
    ],
    "classes": {"rules": {"min_bake": {"broad": "4s"}}},
    "window": {
        "confirm": {"start": 2, "per_survivor_thousandths": 1000, "deadline": "60s", "probation": "2s"},
        "cohort": {"start": 2},
    },
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
    "poll": {"rollout": "1s"},
}
FLEET = {"internal": 4, "canary": 6, "early": 10, "broad": 20}


class LabError(Exception):
    """Something that had to come true did not; the text says what was seen."""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what: str, condition, timeout_s: float = 60.0, every_s: float = 0.1):
    """Waits on a condition with a deadline; gives its first true value."""
    end = time.monotonic() + timeout_s
    seen = None
    while time.monotonic() < end:
        seen = condition()
        if seen:
            return seen
        time.sleep(every_s)
    raise LabError(f"not within {timeout_s:.0f} s: {what} (last seen: {seen!r})")


class Process:
    """One program with its log; stop() is by handle."""

    def __init__(self, argv, log: Path, env=None):
        self.argv = [str(a) for a in argv]
        self.log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env,
                                          start_new_session=True)

    def running(self) -> bool:
        return self.child.poll() is None

    def stop(self, timeout_s: float = 15.0) -> int:
        if self.running():
            self.child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.child.wait(timeout_s)
        self.kill()
        return self.child.returncode

    def kill(self):
        if self.running():
            self.child.kill()
        self.child.wait()

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Agent:
    def __init__(self, lab: "Lab", name: str, ring: str, **settings):
        self.lab, self.name, self.ring = lab, name, ring
        self.dir = lab.dir / "agents" / name
        self.dir.mkdir(parents=True)
        self.conf = self.dir / "agent.conf"
        self.state = self.dir / "state"
        values = {
            "server": lab.url,
            "ca_file": lab.server_dir / "tls" / "ca.pem",
            "root_file": lab.server_dir / "root.json",
            "state_dir": self.state,
            "enrol_token_file": lab.server_dir / "tokens" / "enrol.token",
            "families": "yara",
            "ring": ring,
            "engine": "yara-4.2",
            "engine_version": 40200,
            "poll_interval": "2s",
            "sensor_command": f"{lab.bin / 'ringward-sensor'} --rehearse",
            "sensor_loader": lab.bin / "ringward-load-sensor",
            "clean_files": lab.clean_files,
            "stable_after": "1s",
        }
        if ring == "computed":
            del values["ring"]
        values.update(settings)
        self.conf.write_text("".join(f"{k} = {v}\n" for k, v in values.items() if v is not None))
        self.process = None

    def start(self):
        self.process = Process([self.lab.bin / "ringward-agent", "run", "--config", self.conf], self.dir / "agent.log",
                               self.lab.env)
        return self

    def status(self) -> dict:
        """What the agent itself says, through its control socket; {} while it does not answer."""
        r = subprocess.run([self.lab.bin / "ringward-agent", "status", "--config", self.conf, "-o", "json"],
                           capture_output=True, text=True, env=self.lab.env, timeout=20)
        return json.loads(r.stdout) if r.returncode == 0 else {}

    def active_release(self, family: str = "yara") -> int:
        """The active set on disk: what the sensor loads."""
        try:
            manifest = json.loads((self.state / "current" / "manifest.json").read_text())
        except FileNotFoundError:
            return 0
        return next((c["release"] for c in manifest["content"] if c["family"] == family), 0)


class Lab:
    def __init__(self, bin_dir: Path, policy: dict | None = None, clean_files: int = 40, keep: bool = False):
        self.bin = Path(bin_dir)
        self.dir = Path(tempfile.mkdtemp(prefix="ringward-"))
        self.server_dir = self.dir / "server"
        self.policy = policy or POLICY
        self.clean_files = clean_files
        self.keep = keep
        self.agents: list[Agent] = []
        self.server = None
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("RINGWARD_")}
        self.env["RINGWARD_PROFILE"] = str(self.server_dir / "operator.conf")
        # faketime is preloaded before the sanitizers' runtime.
        self.env.setdefault("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=1:verify_asan_link_order=0")

    # --- server ---
    def init(self, *more):
        policy = self.dir / "rings.json"
        policy.write_text(json.dumps(self.policy, indent=2))
        self.run("ringward-server", "init", "--dir", self.server_dir, "--dev", "--policy", policy, "--family", "yara",
                 "--listen", f"127.0.0.1:{self.port}", *more, check=True)
        return self

    def start_server(self):
        ready = self.dir / "port"
        ready.unlink(missing_ok=True)
        self.server = Process([self.bin / "ringward-server", "serve", "--dir", self.server_dir, "--port-file", ready],
                              self.dir / "server.log", self.env)

        def up():
            if not self.server.running():
                raise LabError(f"ringward-server ended:\n{self.server.tail()}")
            return ready.exists() and ready.read_text().strip()
        wait_for("ringward-server accepts", up, 60)
        return self

    # --- the operator's command line ---
    def run(self, program, *args, check=False, timeout_s=180, env=None) -> subprocess.CompletedProcess:
        r = subprocess.run([str(self.bin / program), *[str(a) for a in args]], capture_output=True, text=True,
                           env=env or self.env, timeout=timeout_s, stdin=subprocess.DEVNULL)
        if check and r.returncode != 0:
            raise LabError(f"{program} {' '.join(map(str, args))}: exit status {r.returncode}\n{r.stdout}{r.stderr}")
        return r

    def cli(self, *args, **more) -> subprocess.CompletedProcess:
        return self.run("ringward", *args, **more)

    def json(self, *args):
        return json.loads(self.cli(*args, "-o", "json", check=True).stdout)

    def create(self, content: Path, notes: str, *more, check=True):
        r = self.cli("release", "create", "--family", "yara", "--class", "rules", "--content", content, "--notes", notes,
                     "-o", "json", *more, check=check)
        if r.returncode != 0:
            return None, r
        release = json.loads(r.stdout.strip().splitlines()[-1])
        return f"{release['family']}/{release['release']}", r

    def sign(self, release: str, engineer: str, check=True):
        return self.cli("release", "sign", "--key", self.server_dir / "engineers" / f"{engineer}.key", release, check=check)

    def publish(self, content: Path, notes: str, *more) -> str:
        """A release from file to published: created, signed by two engineers, published."""
        release, _ = self.create(content, notes, *more)
        self.sign(release, "alice")
        self.sign(release, "bob")
        self.cli("release", "publish", release, check=True)
        return release

    def rollout(self, release: str) -> dict:
        """The rollout object; the exit status tells halted, rolled back and held ones apart (docs/cli.md)."""
        r = self.cli("rollout", "status", release, "-o", "json")
        if r.returncode not in (0, 4, 5, 6):
            raise LabError(f"rollout status {release}: exit status {r.returncode}\n{r.stderr}")
        return json.loads(r.stdout)

    def wait_rollout(self, release: str, states: set[str], timeout_s: float = 180) -> dict:
        last = {}

        def there():
            last.update(self.rollout(release))
            return last["state"] in states
        try:
            wait_for(f"rollout of {release} is {' or '.join(sorted(states))}", there, timeout_s, 0.3)
        except LabError as e:
            raise LabError(f"{e}\nstate {last.get('state')}: {last.get('reason')}\n{json.dumps(last)}") from None
        return last

    def fleet(self) -> list[dict]:
        return self.json("fleet", "list", "--limit", 1000)["endpoints"]

    def marked(self, number: int, *marks: str) -> list[dict]:
        """Endpoints for which the server keeps one of these outcomes of the release."""
        return [e for e in self.fleet() for c in e["content"] for o in c["outcomes"]
                if o["release"] == number and set(marks) & set(o["marks"])]

    # --- endpoints ---
    def add_agent(self, ring: str, **settings) -> Agent:
        """`ring` "computed": the endpoint is not told and uses its own bucket."""
        agent = Agent(self, f"{ring}-{sum(a.ring == ring for a in self.agents) + 1:02d}", ring, **settings)
        self.agents.append(agent)
        return agent.start()

    def add_fleet(self, sizes: dict[str, int] | None = None, **settings):
        for ring, count in (sizes or FLEET).items():
            for _ in range(count):
                self.add_agent(ring, **settings)
        return self

    def on_release(self, number: int) -> list[Agent]:
        return [a for a in self.agents if a.active_release() == number]

    def server_says_on(self, number: int) -> int:
        """Endpoints whose sensor has proven this release, as the server counts them."""
        return sum(c["family"] == "yara" and c["release"] == number for e in self.fleet() for c in e["content"])

    # --- the end ---
    def close(self):
        for agent in self.agents:
            if agent.process is not None and agent.process.running():
                agent.process.child.send_signal(signal.SIGTERM)
        for agent in self.agents:
            if agent.process is not None:
                agent.process.stop()
        if self.server is not None:
            self.server.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if not (self.keep and kind is None):
            self.close()
