"""A small machine of its own: Debian's kernel in QEMU, the binaries under test, a disk that outlives a kernel panic.

What it is made of comes from Debian packages; nothing is installed on the host. KVM where it may be used, else QEMU's
own interpreter (TCG); RINGWARD_VM_ACCEL=tcg or kvm chooses. Standard library only.
"""
import contextlib
import functools
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from lab import ROOT, LabError, wait_for

HERE = Path(__file__).resolve().parent
CACHE = ROOT / "build" / "vm"
KERNEL_PACKAGE = "linux-image-cloud-amd64"  # the small one; the same source and version as linux-image-amd64
# In the order of their dependencies; the kernel has ext4 and the serial line built in.
MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk",
           "failover", "net_failover", "virtio_net")
PROGRAMS = ("ringward-agent", "ringward-sensor", "ringward-box", "ringward-box-selftest", "ringward-patch", "ringward-http",
            "ringward-validate-yara", "ringward-validate-template")
STATE = "/var/lib/ringward"


@functools.cache
def choice() -> tuple[str, str]:
    """The accelerator and why: KVM only where a kernel really starts with it."""
    wanted = os.environ.get("RINGWARD_VM_ACCEL")
    if wanted:
        return wanted, "RINGWARD_VM_ACCEL"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "/dev/kvm cannot be used"
    # Others (kvm_pvm in virtual machines of some clouds) open and run kernels that are made for them alone.
    if not any(Path(f"/sys/module/{m}").exists() for m in ("kvm_intel", "kvm_amd")):
        return "tcg", "/dev/kvm is there, but neither Intel's nor AMD's is behind it"
    kernel = next((packages()[0] / "boot").glob("vmlinuz-*"))
    probe = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "256", "-display", "none", "-nodefaults", "-nic", "none",
             "-no-reboot", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1", "-serial", "stdio"]
    with contextlib.suppress(subprocess.TimeoutExpired):  # without a root file system it panics, -no-reboot ends it
        r = subprocess.run(probe, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=10)
        if "Linux version" in r.stdout:
            return "kvm", "a kernel started with it"
    return "tcg", "no kernel started with /dev/kvm"


def accelerator() -> str:
    return choice()[0]


def missing() -> str:
    """Why no machine can be made here; "" when one can."""
    if os.uname().machine != "x86_64":
        return f"the machine is made for x86_64, this host is {os.uname().machine}"
    for name in ("qemu-system-x86_64", "mke2fs", "debugfs", "dpkg-deb", "strip"):
        if shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            return f"'{name}' is not installed (scripts/packages test)"
    try:
        packages()
    except (LabError, subprocess.SubprocessError, OSError) as e:
        return f"Debian's kernel is not at hand: {e}"
    return ""


def tool(*argv, **more) -> str:
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin", LC_ALL="C")
    r = subprocess.run([str(a) for a in argv], capture_output=True, text=True, env=env, timeout=300, **more)
    if r.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: exit status {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


def unpacked(package: str) -> Path:
    """The files of a Debian package, fetched once through apt."""
    folder = CACHE / package
    if folder.exists():
        return folder
    fresh = CACHE / f"{package}.{os.getpid()}"
    fresh.mkdir(parents=True)
    try:
        tool("apt-get", "download", package, cwd=fresh)
        tool("dpkg-deb", "-x", next(fresh.glob("*.deb")), fresh / "files")
        with contextlib.suppress(OSError):  # another run was first
            (fresh / "files").rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def packages() -> tuple[Path, Path]:
    """Folders of the kernel and of busybox."""
    depends = tool("apt-cache", "depends", KERNEL_PACKAGE)
    kernel = re.search(r"Depends: (linux-image-\S+)", depends)
    if kernel is None:
        raise LabError(f"apt knows no {KERNEL_PACKAGE}; apt-get update may help")
    return unpacked(kernel.group(1)), unpacked("busybox-static")


def cpio(files: dict[str, bytes], path: Path):
    """An initial RAM disk ("newc" archive); names that end in / are folders."""
    out = bytearray()
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")], 1):
        mode = 0o040755 if name.endswith("/") else 0o100755
        encoded = name.rstrip("/").encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    path.write_bytes(out)


def libraries(program: Path) -> set[Path]:
    text = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    return {Path(p) for p in re.findall(r"(/\S+) \(0x", text)}


class Machine:
    """One virtual machine; its disks and its console log lie in `folder`."""

    def __init__(self, folder: Path, bin_dir: Path, conf: dict, state: Path | None = None, files: dict[str, Path] | None = None,
                 network: bool = False, agent: bool = True, extra: tuple[Path, ...] = (), words: str = ""):
        self.dir, self.bin = folder, Path(bin_dir)
        self.network, self.agent, self.words = network, agent, words
        self.accel = accelerator()
        self.console = folder / "console.log"
        self.disk = folder / "state.img"
        self.child = None
        self.line = None
        folder.mkdir(parents=True)
        self.kernel, self.busybox = packages()
        self.make_initrd()
        self.make_root(conf, files or {}, extra)
        self.make_disk(self.disk, state, "96M")

    # --- what it is made of ---
    def make_initrd(self):
        modules = {p.stem: p for p in (self.kernel / "lib" / "modules").rglob("*.ko")}
        files = {"bin/": b"", "dev/": b"", "root/": b"", "modules/": b"",
                 "bin/busybox": (self.busybox / "bin" / "busybox").read_bytes(),
                 "init": (HERE / "stage1.sh").read_bytes(),
                 "modules/order": "\n".join(f"{m}.ko" for m in MODULES if m in modules).encode()}
        files |= {f"modules/{m}.ko": modules[m].read_bytes() for m in MODULES if m in modules}
        cpio(files, self.dir / "initrd")

    def make_root(self, conf: dict, files: dict[str, Path], extra: tuple[Path, ...]):
        root = self.dir / "root"
        for name in ("bin", "sbin", "usr/bin", "dev", "proc", "sys", "tmp", "run", "etc/ringward", "var/lib/ringward", "root"):
            (root / name).mkdir(parents=True)
        shutil.copy(self.busybox / "bin" / "busybox", root / "bin" / "busybox")
        for name in tool(root / "bin" / "busybox", "--list").split():
            if name != "busybox":
                (root / "bin" / name).symlink_to("busybox")
        shutil.copy(HERE / "stage2.sh", root / "sbin" / "init")
        (root / "sbin" / "init").chmod(0o755)
        needed = set()
        for program in [*(self.bin / p for p in PROGRAMS), *extra]:
            # Without debug data, as packages ship them: the box scans Ringward's own files, in an interpreted machine.
            tool("strip", "--strip-debug", "-o", root / "usr" / "bin" / program.name, program)
            needed |= libraries(program)
        for library in needed:
            to = root / str(library).lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, to)
        for name, path in files.items():
            shutil.copy(path, root / "etc" / "ringward" / name)
        (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n10.0.2.2 server.test\n")
        (root / "etc" / "ringward" / "agent.conf").write_text("".join(f"{k} = {v}\n" for k, v in conf.items()))
        self.make_disk(self.dir / "root.img", root, "160M")

    @staticmethod
    def make_disk(path: Path, content: Path | None, size: str):
        tool("mke2fs", "-q", "-F", "-t", "ext4", *(["-d", content] if content else []), path, size)

    # --- power ---
    def start(self):
        line = ("console=ttyS0 panic=1 quiet loglevel=4 mitigations=off no_timer_check ringward.test_machine=1"
                f"{' ringward.agent=1' if self.agent else ''} {self.words}")
        net = (["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile="] if self.network else ["-nic", "none"])
        argv = ["qemu-system-x86_64", "-accel", self.accel, "-cpu", "host" if self.accel == "kvm" else "max", "-m", "384", "-smp", "1",
                "-display", "none", "-nodefaults", "-monitor", "none",
                "-kernel", next((self.kernel / "boot").glob("vmlinuz-*")), "-initrd", self.dir / "initrd", "-append", line,
                "-drive", f"file={self.dir / 'root.img'},format=raw,if=virtio",
                "-drive", f"file={self.disk},format=raw,if=virtio,cache=writethrough",
                "-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console",
                "-serial", f"unix:{self.dir / 'line'},server=on,wait=off", *net]
        (self.dir / "line").unlink(missing_ok=True)
        self.began = time.monotonic()
        with open(self.dir / "qemu.log", "ab") as log:
            self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.line = socket.socket(socket.AF_UNIX)
        wait_for("QEMU listens", lambda: self.line.connect_ex(str(self.dir / "line")) == 0, 60)
        return self

    def text(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def boots(self) -> int:
        return self.text().count("machine: boot ")

    def panics(self) -> int:
        return self.text().count("Kernel panic - not syncing")

    def wait_console(self, what: str, pattern: str, timeout_s: float = 240):
        def seen():
            if self.child.poll() is not None:
                raise LabError(f"the machine ended:\n{(self.dir / 'qemu.log').read_text()}{self.text()[-3000:]}")
            return re.search(pattern, self.text())
        try:
            return wait_for(what, seen, timeout_s, 0.1)
        except LabError as e:
            raise LabError(f"{e}\n{self.text()[-3000:]}") from None

    def run(self, command: str, timeout_s: float = 120) -> tuple[int, str]:
        """A shell command inside, once this boot listens; its exit status and what it printed."""
        wait_for("the machine listens", lambda: 0 < self.boots() == self.text().count("machine: ready "), 240, 0.1)
        self.line.settimeout(timeout_s)
        self.line.sendall(command.encode() + b"\n")
        got = b""
        while True:
            end = re.search(rb"@end (\d+)\n", got)
            if end:
                return int(end.group(1)), got[:end.start()].decode(errors="replace")
            part = self.line.recv(65536)
            if not part:
                raise LabError(f"the machine ended in '{command}'")
            got += part

    def power_off(self):
        """As an administrator would: the agent ends cleanly, the disk is unmounted.

        The plug is then pulled: nothing is on its way to the disk any more, and an interpreted kernel was seen that did
        not get out of its own power-off.
        """
        self.run("kill $(cat /run/agent.pid) && while kill -0 $(cat /run/agent.pid) 2>/dev/null; do sleep 0.1; done")
        code, text = self.run(f"for _ in $(seq 100); do umount {STATE} && exit 0; sleep 0.1; done; exit 1")
        if code != 0:
            raise LabError(f"the state disk stays mounted: {text}\n{self.text()[-3000:]}")
        self.child.kill()
        self.child.wait()

    def stop(self):
        if self.line is not None:
            self.line.close()
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
        if self.child is not None:
            self.child.wait()

    def disk_stat(self, name: str) -> str:
        return tool("debugfs", "-R", f"stat /{name}", self.disk)

    def state_file(self, name: str) -> bytes:
        """A file of the state disk, read from outside."""
        to = self.dir / "dumped"
        to.unlink(missing_ok=True)
        tool("debugfs", "-R", f"dump /{name} {to}", self.disk)
        return to.read_bytes() if to.exists() else b""
