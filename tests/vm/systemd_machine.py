"""The machine with Debian's systemd as its init, and the units of examples/systemd in it: what machine.py's own init only
plays. The files come from the packages on this host. Standard library only."""
import os
import shutil
import subprocess
from pathlib import Path

from lab import ROOT
from machine import HERE, PROGRAMS, Machine, libraries, tool

UNITS = ROOT / "examples" / "systemd"
SERVER_PROGRAMS = ("ringward-server", "ringward-signer")
# What has no place in a machine without D-Bus, udev and terminals.
MASKED = ("systemd-logind.service", "getty.target", "systemd-ask-password-wall.path", "systemd-update-utmp.service", "remote-fs.target",
          "systemd-hwdb-update.service", "systemd-journal-catalog-update.service", "systemd-pcrphase.service")
LINE_UNIT = """[Unit]
Description=The test's eyes and hands
[Service]
ExecStart=/bin/sh /usr/lib/ringward-line.sh
StandardOutput=journal+console
StandardError=journal+console
"""
SENSOR_UNIT = """[Unit]
Description=A sensor in a unit of its own
[Service]
Environment=RINGWARD_ACTIVE=/var/lib/ringward-observed/current RINGWARD_SOCKET=/var/lib/ringward-observed/sensor.sock
ExecStart=/usr/bin/ringward-sensor --alive-every 1s
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1s
"""
STUBBORN_UNIT = """[Unit]
Description=Does not end well when it is told to stop
[Service]
ExecStart=/bin/sleep 3600
KillSignal=SIGUSR1
"""


def package_files(package: str) -> list[Path]:
    kept = []
    for line in tool("dpkg", "-L", package).splitlines():
        path = Path(line)
        if not line.startswith(("/usr/share", "/etc")) and (path.is_symlink() or path.is_file()):
            kept.append(path)
    return kept


class SystemdMachine(Machine):
    def __init__(self, folder: Path, bin_dir: Path, server_dir: Path):
        """Agent and server in one machine; made by root, since files belong to the units' users."""
        self.server_dir = server_dir
        conf = {"server": "https://localhost:8443", "ca_file": "/etc/ringward/ca.pem", "root_file": "/etc/ringward/root.json",
                "enrol_token_file": "/etc/ringward/enrol.token", "state_dir": "/var/lib/ringward-agent", "families": "yara",
                "ring": "internal", "engine": "yara-4.2", "engine_version": 40200, "poll_interval": "5s",
                "sensor_command": "/usr/bin/ringward-sensor"}
        files = {"root.json": server_dir / "root.json", "ca.pem": server_dir / "tls" / "ca.pem",
                 "enrol.token": server_dir / "tokens" / "enrol.token"}
        super().__init__(folder, bin_dir, conf, files=files, agent=False)

    def copy(self, path: Path):
        to = self.dir / "root" / str(path).lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.exists() and not to.is_symlink():
            shutil.copy2(path, to, follow_symlinks=not path.is_symlink())

    def make_root(self, conf: dict, files: dict[str, Path], extra: tuple[Path, ...]):
        root = self.dir / "root"
        for name in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev", "proc", "sys", "tmp", "run", "etc/ringward", "etc/systemd/system",
                     "var/lib", "var/log", "root"):
            (root / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        needed = set()
        for path in [*package_files("systemd"), Path("/bin/mount"), Path("/bin/umount")]:
            self.copy(path)
            if path.suffix != ".service" and os.access(path, os.X_OK):
                needed |= libraries(path)
        for program in [*(self.bin / p for p in (*PROGRAMS, *SERVER_PROGRAMS)), *extra]:
            tool("strip", "--strip-debug", "-o", root / "usr" / "bin" / program.name, program)
            needed |= libraries(program)
        for library in needed:
            to = root / str(library).lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            if not to.exists():
                shutil.copy(library, to)
        shutil.copy(self.busybox / "bin" / "busybox", root / "bin" / "busybox")
        for name in tool(root / "bin" / "busybox", "--list").split():
            to = root / "bin" / name
            if not to.exists() and not to.is_symlink():
                to.symlink_to("busybox")
        self.settle(root, conf, files)
        self.make_disk(self.dir / "root.img", root, "400M")

    def settle(self, root: Path, conf: dict, files: dict[str, Path]):
        units = root / "etc" / "systemd" / "system"
        for path in UNITS.glob("ringward-*"):
            shutil.copy(path, units / path.name)
        shutil.copy(UNITS / "ringward.tmpfiles", root / "usr" / "lib" / "tmpfiles.d" / "ringward.conf")
        shutil.copy(UNITS / "ringward.sysusers", root / "usr" / "lib" / "sysusers.d" / "ringward.conf")
        for name in MASKED:
            (units / name).symlink_to("/dev/null")
        (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
        (units / "ringward-line.service").write_text(LINE_UNIT)
        wants = units / "multi-user.target.wants"
        wants.mkdir()
        for name in ("ringward-agent.service", "ringward-guard.service", "ringward-line.service", "ringward-server.socket"):
            (wants / name).symlink_to(f"../{name}")
        (root / "usr" / "lib" / "ringward-line.sh").write_text((HERE / "line.sh").read_text())
        (root / "etc" / "fstab").write_text("/dev/vda / ext4 defaults 0 0\n")
        (root / "etc" / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n10.0.2.2 server.test\n")
        (root / "sbin" / "init").unlink(missing_ok=True)
        (root / "sbin" / "init").symlink_to("/lib/systemd/systemd")
        subprocess.run(["systemd-sysusers", f"--root={root}"], check=True, capture_output=True)
        for name, path in files.items():
            shutil.copy(path, root / "etc" / "ringward" / name)
        self.settle_server(root)
        self.settle_observed(root, units, conf)
        (root / "etc" / "ringward" / "agent.conf").write_text("".join(f"{k} = {v}\n" for k, v in conf.items()))

    def settle_observed(self, root: Path, units: Path, conf: dict):
        """A second agent, whose sensor is a unit: as root, since without D-Bus systemd answers to nobody else."""
        unit = (UNITS / "ringward-agent.service").read_text()
        for was, now in (("User=ringward-agent\n", ""), ("StateDirectory=ringward-agent\n", "StateDirectory=ringward-observed\n"),
                         ("ringward-agent run\n", "ringward-agent run --config /etc/ringward/observed.conf\n")):
            assert unit.count(was) == 1, was
            unit = unit.replace(was, now)
        (units / "ringward-observed.service").write_text(unit)
        (units / "ringward-observed.service.d").mkdir()
        shutil.copy(UNITS / "ringward-agent-observed.conf", units / "ringward-observed.service.d" / "observed.conf")
        (units / "own-sensor.service").write_text(SENSOR_UNIT)
        (units / "stubborn.service").write_text(STUBBORN_UNIT)
        mine = {k: v for k, v in conf.items() if k != "sensor_command"}
        mine.update(state_dir="/var/lib/ringward-observed", sensor_unit="own-sensor.service")
        (root / "etc" / "ringward" / "observed.conf").write_text("".join(f"{k} = {v}\n" for k, v in mine.items()))

    def settle_server(self, root: Path):
        """As docs/server.md "A signer of its own" says."""
        ids = {line.split(":")[0]: tuple(map(int, line.split(":")[2:4])) for line in (root / "etc" / "passwd").read_text().splitlines()}
        home = root / "var" / "lib" / "ringward"
        shutil.copytree(self.server_dir, home)
        with open(home / "server.conf", "a") as conf:
            conf.write("signer_socket = /run/ringward-signer/socket\n")
        for folder, user in ((home, "ringward"), (home / "signer", "ringward-signer")):
            tool("chown", "-R", "{}:{}".format(*ids[user]), folder)
        home.chmod(0o710)
        tool("chmod", "-R", "g+rX", home / "repo")
