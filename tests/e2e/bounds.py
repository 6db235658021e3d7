"""INV-1 and INV-2 as an operator sees them: while a rollout runs somebody looks again and again, and at each look every ring
and every cohort of it keeps the bound that the policy states. The bound is worked out here, from the policy. Standard
library only."""
import threading


class Bounds:
    """Looks from `with` on until its end, which fails when any look was beyond the bound or the server did not answer.
    Not for rollouts that are resumed: that gives places back."""

    def __init__(self, lab, release, every_s=0.2):
        window = lab.policy["window"]
        self.lab, self.release, self.every_s = lab, release, every_s
        self.number = int(release.split("/")[1])
        self.per_survivor_m = window["confirm"]["per_survivor_thousandths"]
        self.ring_start, self.cohort_start = window["confirm"]["start"], window["cohort"]["start"]
        self.looks, self.most_unproven, self.harmed = 0, 0, set()
        self.broken = None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.done.set()
        self.thread.join()
        if kind is None:
            if self.broken is None:
                self.look()  # how it ended, too
            if self.broken is not None:
                raise self.broken
            assert self.looks > 1

    def run(self):
        try:
            while not self.done.is_set():
                self.look()
                self.done.wait(self.every_s)
        except Exception as e:  # noqa: BLE001: raised by __exit__
            self.broken = e

    def look(self):
        # Disks first: who has the release by now was permitted before (INV-2).
        on_disk = self.lab.on_release(self.number)
        rings = self.lab.json("explain", self.release)["rings"]
        self.looks += 1
        self.harmed.update(a.name for a in on_disk)
        exposed = sum(ring["counts"]["exposed"] for ring in rings)
        assert len(on_disk) <= exposed, f"{[a.name for a in on_disk]} have it, {exposed} permits are recorded"
        for ring in rings:
            self.keeps(ring["ring"], ring["counts"], self.ring_start)
            for cohort in ring["cohorts"]:
                self.keeps(f"{cohort['cohort']['os']} of {ring['ring']}", cohort["counts"], self.cohort_start)

    def keeps(self, where, counts, start):
        unproven = counts["exposed"] - counts["survived"]  # pending, failed and dark
        allowed = start + self.per_survivor_m * counts["survived"] // 1000
        self.most_unproven = max(self.most_unproven, unproven)
        assert 0 <= unproven <= allowed, f"INV-1: {where}: {unproven} unproven, {allowed} allowed: {counts}"
