"""A small network of a test's own: hosts are network namespaces, each with a wire to the switch of the stores and one to
that of the clients. A wire that is cut is taken out of its switch: nothing is refused, everything is lost, as when a
switch dies. Needs root; the addresses are those that RFC 2544 keeps for laboratories."""
import os
import subprocess


class NoWires(Exception):
    """Why this machine cannot make them."""


def ip(*args):
    r = subprocess.run(["ip", *args], capture_output=True, text=True, timeout=30)
    if r.returncode != 0:
        raise NoWires(f"ip {' '.join(args)}: {r.stderr.strip() or r.returncode}")
    return r.stdout


class Wires:
    SUBNETS = {"s": "198.18.77", "c": "198.19.77"}

    def __init__(self, hosts):
        self.mark = f"rw{os.getpid() % 1000000}"
        self.hosts, self.made = hosts, []
        if os.getuid() != 0:
            raise NoWires("network namespaces need root")
        try:
            self.build()
        except FileNotFoundError as e:
            raise NoWires("there is no program 'ip' (package iproute2)") from e
        except NoWires:
            self.close()
            raise

    def build(self):
        routes = ip("route")
        for kind, net in self.SUBNETS.items():
            if f"{net}." in routes:
                raise NoWires(f"{net}.0/24 is in use here")
            self.make("link", f"{self.mark}{kind}", "type", "bridge")
            ip("addr", "add", f"{net}.1/24", "dev", f"{self.mark}{kind}")
            ip("link", "set", f"{self.mark}{kind}", "up")
        for i, host in enumerate(self.hosts):
            self.make("netns", self.space(host))
            ip("-n", self.space(host), "link", "set", "lo", "up")
            for kind, net in self.SUBNETS.items():
                wire = f"{self.mark}{kind}{host}"
                ip("link", "add", wire, "type", "veth", "peer", "name", f"wire-{kind}", "netns", self.space(host))
                ip("link", "set", wire, "master", f"{self.mark}{kind}", "up")
                ip("-n", self.space(host), "addr", "add", f"{net}.{10 + i}/24", "dev", f"wire-{kind}")
                ip("-n", self.space(host), "link", "set", f"wire-{kind}", "up")

    def make(self, what, name, *more):
        ip(what, "add", name, *more)
        self.made.append((what, name))

    def space(self, host):
        return f"{self.mark}-{host}"

    def inside(self, host):
        """What to put before a command that is to run there."""
        return ["ip", "netns", "exec", self.space(host)]

    def address(self, host, kind="c"):
        return f"{self.SUBNETS[kind]}.{10 + self.hosts.index(host)}"

    def here(self, kind):
        """This process's own address at a switch."""
        return f"{self.SUBNETS[kind]}.1"

    def cut(self, host, kinds):
        for kind in kinds:
            ip("link", "set", f"{self.mark}{kind}{host}", "nomaster")

    def mend(self, host, kinds):
        for kind in kinds:
            ip("link", "set", f"{self.mark}{kind}{host}", "master", f"{self.mark}{kind}")

    def close(self):
        """A namespace takes its ends of the wires with it, and they take the others."""
        for what, name in reversed(self.made):
            subprocess.run(["ip", what, "del", name], capture_output=True, timeout=30)
        self.made = []
