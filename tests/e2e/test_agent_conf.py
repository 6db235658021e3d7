"""Goal: the agent's settings come from files that nobody else can write, in a known order, and it says which line each comes from."""
import fcntl
import os
import signal
import subprocess

import pytest

from conftest import BIN
from lab import ROOT, Lab, wait_for

ROOT_TEXT = '{"signed":{}}'


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "root.json").write_text(ROOT_TEXT)
    (tmp_path / "agent.conf").write_text(
        f"server = https://u.example:8443\nroot_file = {tmp_path}/root.json\nstate_dir = {tmp_path}/state\n"
        "sensor_command = /usr/sbin/sensor\npoll_interval = 90s\n")
    (tmp_path / "conf.d").mkdir()
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path


def check(etc):
    return subprocess.run([str(BIN / "ringward-agent"), "run", "--config", etc / "agent.conf", "--check-config"], capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL)


def write(path, text, mode=0o644):
    path.write_text(text)
    path.chmod(mode)


@pytest.mark.parametrize("words, status, says, hint", [
    (["ringward-agent"], 2, "a command is missing", "--help"),
    (["ringward-agent", "stat"], 2, "'stat' is not a command", "--help"),
    (["ringward-agent", "status", "--config", "/nonexistent"], 7, "settings: '/nonexistent': No such file", "--config FILE"),
    (["ringward-box"], 2, "a verb is missing", "--help"),
    (["ringward-box", "rum"], 2, "'rum' is not a verb", "--help"),
])
def test_a_wrong_command_line_tells_what_is_missing(words, status, says, hint):
    r = subprocess.run([str(BIN / words[0]), *words[1:]], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert r.returncode == status and says in r.stderr and hint in r.stderr, r.stderr


def test_later_file_wins_and_every_setting_tells_its_line(etc):
    write(etc / "conf.d" / "20-site.conf", "# site\npoll_interval = 10m\nproxy = http://user:secret@cache:3128\n")
    write(etc / "conf.d" / "10-ring.conf", "ring = canary\npoll_interval = 1m\n")
    write(etc / "conf.d" / "README", "no settings\n")
    r = check(etc)
    assert r.returncode == 0, r.stderr
    assert f"# {etc}/conf.d/20-site.conf:2\npoll_interval = 10m\n" in r.stdout
    assert f"# {etc}/conf.d/10-ring.conf:1\nring = canary\n" in r.stdout
    assert f"# {etc}/agent.conf:1\nserver = https://u.example:8443\n" in r.stdout
    assert "# default\nfamilies = yara\n" in r.stdout
    assert "# not read: conf.d/README" in r.stdout
    assert "secret" not in r.stdout and "http://***@cache:3128" in r.stdout
    # What it prints is a settings file that says the same.
    write(etc / "conf.d" / "20-site.conf", "")
    again = etc / "again.conf"
    write(again, r.stdout.replace("***@", ""))
    r = subprocess.run([str(BIN / "ringward-agent"), "run", "--config", again, "--check-config"], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr


def test_the_example_of_an_observed_sensor_is_valid_and_said_again(etc):
    write(etc / "agent.conf", (etc / "agent.conf").read_text().replace("sensor_command = /usr/sbin/sensor\n", ""))
    r = check(etc)
    assert r.returncode == 2 and "want sensor_command, sensor_pid_file or sensor_unit" in r.stderr, r.stderr
    write(etc / "conf.d" / "30-sensor.conf", (ROOT / "examples/sensor/observed-clamd.conf").read_text())
    r = check(etc)
    assert r.returncode == 0 and "/conf.d/30-sensor.conf:8\nsensor_unit = ringward-clamd.service\n" in r.stdout, r.stdout + r.stderr
    write(etc / "agent.conf", r.stdout)
    write(etc / "conf.d" / "30-sensor.conf", "")
    assert check(etc).returncode == 0, "what it prints says the same"


@pytest.mark.parametrize("text,says", [
    ("polling = 5m\n", "conf.d/10-a.conf:1: there is no setting 'polling'"),
    ("delta = no\n\ndelta = yes\n", "conf.d/10-a.conf:3: 'delta' is set twice"),
    ("poll_interval = 5\n", "conf.d/10-a.conf:1"),
    ("hold = yes\n", "a hold needs an end"),
    ("sensor_pid_file = /run/x.pid\n", "conf.d/10-a.conf:1: sensor_pid_file: does not go together with sensor_command"),
    ("\nsensor_reload = command\n", "conf.d/10-a.conf:2: sensor_reload: command needs a sensor_reload_command"),
    ("pin = n-3\n", "want n-1, n-2 or FAMILY/NUMBER"),
    ("pin = n-1,yara/3\n", "two pins for one family"),
])
def test_wrong_settings_are_refused_with_file_and_line(etc, text, says):
    write(etc / "conf.d" / "10-a.conf", text)
    r = check(etc)
    assert r.returncode == 2 and says in r.stderr, r.stderr


def test_files_that_others_can_write_are_refused_with_the_cure(etc):
    write(etc / "conf.d" / "10-a.conf", "delta = no\n", 0o666)
    r = check(etc)
    assert r.returncode == 2 and "can be written by others (mode 0666)" in r.stderr and "chmod go-w" in r.stderr
    (etc / "conf.d" / "10-a.conf").chmod(0o644)
    assert check(etc).returncode == 0
    for path, mode in [(etc / "conf.d", 0o777), (etc / "agent.conf", 0o664), (etc / "root.json", 0o646)]:
        before = path.stat().st_mode & 0o7777
        path.chmod(mode)
        r = check(etc)
        assert r.returncode == 2 and "chmod go-w" in r.stderr, f"{path}: {r.stderr}"
        path.chmod(before)
    # Links and pipes are no settings, and nothing waits for one.
    os.symlink(etc / "agent.conf", etc / "conf.d" / "30-link.conf")
    r = check(etc)
    assert r.returncode == 2 and "30-link.conf" in r.stderr
    (etc / "conf.d" / "30-link.conf").unlink()
    os.mkfifo(etc / "conf.d" / "30-pipe.conf", 0o644)
    r = check(etc)
    assert r.returncode == 2 and "not a regular file" in r.stderr


def test_state_that_others_can_write_is_refused(etc):
    (etc / "state").mkdir()
    (etc / "state").chmod(0o777)
    for more in [["--check-config"], []]:
        r = subprocess.run([str(BIN / "ringward-agent"), "run", "--config", etc / "agent.conf", *more], capture_output=True, text=True,
                           timeout=60, stdin=subprocess.DEVNULL)
        assert r.returncode == 2 and "can be written by others (mode 0777)" in r.stderr and "chmod" in r.stderr, r.stderr


def test_a_state_directory_that_cannot_be_written_is_told_with_the_cure(etc):
    """INV-6: this start could not be counted, so it loads nothing; it says so in one line."""
    (etc / "state").mkdir(mode=0o700)
    script = (f"mount -t tmpfs -o mode=0700 none {etc}/state && mount -o remount,ro {etc}/state || exit 77; "
              f"exec {BIN}/ringward-agent run --config {etc}/agent.conf")
    r = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    if r.returncode == 77 or "unshare:" in r.stderr:
        pytest.skip("this host permits no mount")
    assert r.returncode == 1, r.stderr
    assert f"state_dir '{etc}/state': its lock cannot be written: Read-only file system" in r.stderr, r.stderr
    assert "no sensor runs" in r.stderr, r.stderr


def test_sighup_takes_good_settings_and_refuses_bad_ones_with_file_and_line():
    with Lab(BIN) as lab:
        lab.init().start_server()
        agent = lab.add_agent("internal", poll_interval="2s")

        def set_line(key, value):
            lines = [line for line in agent.conf.read_text().splitlines() if not line.startswith(f"{key} =")]
            agent.conf.write_text("\n".join([*lines, f"{key} = {value}"]) + "\n")
            return len(lines) + 1

        def logged(text):
            return text in agent.process.log.read_text()

        def hang_up(text):
            agent.process.child.send_signal(signal.SIGHUP)
            wait_for(text, lambda: logged(text), 60)

        def ring():
            return agent.status().get("ring")

        wait_for("the first poll", lambda: ring() == "internal", 60)
        sensor = agent.status()["sensor"]["pid"]
        hang_up("event=settings_read changed=no")
        good = agent.conf.read_text()
        line = set_line("poling", "1h")
        hang_up("event=settings_refused")
        assert logged(f"{agent.conf}:{line}: there is no setting 'poling'")
        agent.conf.write_text(good)
        taken = lab.dir / "taken"
        taken.mkdir(mode=0o700)
        set_line("state_dir", taken)
        with open(taken / "lock", "w") as lock:  # another agent's
            fcntl.flock(lock, fcntl.LOCK_EX)
            hang_up("going back to those that were read before")
        agent.conf.write_text(good)
        wait_for("it goes on as before", lambda: ring() == "internal", 60)
        set_line("ring", "early")
        hang_up("event=settings_read changed=yes")
        wait_for("the other ring", lambda: ring() == "early", 60)
        assert agent.status()["sensor"]["pid"] != sensor
        assert agent.process.stop() == 0
