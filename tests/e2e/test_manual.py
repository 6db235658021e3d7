"""Goal: the manual pages name every setting with its default and every option, as the programs themselves tell them.
docs/man/ringward.1 has a test of its own (ringward_command_test.c)."""
import re
import subprocess

import pytest
from conftest import BIN
from lab import ROOT

MAN = ROOT / "docs" / "man"
SAMPLES = [("ringward-agent.conf.5", ["ringward-agent", "run", "--sample-config"]),
           ("ringward-server.conf.5", ["ringward-server", "check-config", "--sample"]),
           ("ringward-server.conf.5", ["ringward-server", "check-config", "--webhook-sample"])]
HELPS = [("ringward-sensor.8", ["ringward-sensor"]), ("ringward-signer.8", ["ringward-signer"]),
         ("ringward-server-prune.8", ["ringward-server", "prune"]),
         *[("ringward-box.8", ["ringward-box", verb]) for verb in ("run", "load", "pack-samples", "self-test")]]
TEST_BUILDS_ONLY = {"without"}


def said_by(command):
    r = subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    return r.stdout


def sample_of(command):
    """name: default, None where the setting is required."""
    found = {}
    for block in said_by(command).strip().split("\n\n"):
        key, default = re.search(r"^#?([a-z_]+) = ?(.*)$", block, re.M).groups()
        found[key] = None if "(required)" in block else default.strip()
    return found


def told_in(page):
    text = (MAN / page).read_text()
    found = {}
    for key, words in re.findall(r"^\.It Li ([a-z_]+)\n(.*?)(?=^\.It |^\.El)", text, re.M | re.S):
        default = re.search(r"^Default:\n\.Li (.*) \.$", words, re.M)
        found[key] = None if "Required." in words else default.group(1) if default else ""
    return found


def test_every_setting_and_its_default_stand_in_the_manual():
    there = {}
    for page, command in SAMPLES:
        sample = sample_of(command)
        assert len(sample) >= 5, f"{command} says too little"
        there.setdefault(page, {}).update(sample)
    for page, settings in there.items():
        assert told_in(page) == settings, page


@pytest.mark.parametrize(("page", "command"), HELPS, ids=[" ".join(c) for _, c in HELPS])
def test_every_option_stands_in_the_manual(page, command):
    options = set(re.findall(r"^  --([a-z-]+)", said_by([*command, "--help"]), re.M)) - TEST_BUILDS_ONLY
    told = set(re.findall(r"(?:^\.It |, |, Fl )(?:Fl )?-([a-z][a-z-]+)", (MAN / page).read_text(), re.M))
    assert options and options <= told | {"help", "version"}, options - told
