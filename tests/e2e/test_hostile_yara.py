"""Goal: rule files that were made to hurt get the verdict that stands in docs/sandbox.md, by the real libyara in the real
box: what its limits refuse, what only the clean files of this host refuse, what only time and memory limits end."""
import random

import pytest

from box_tool import Box

STRINGS = "\n".join(f'$s{i} = "string number {i}"' for i in range(20000))
HEX = "|".join(f"{i & 255:02X} {i >> 8 & 255:02X}" for i in range(2000))


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    return Box(tmp_path_factory.mktemp("hostile"))


# What cannot be compiled: refused with a reason that an author can use. Some are stopped by our own bounds before libyara
# meets them; the verdict is the same.
REFUSED = {
    "a syntax error": ("rule a { condition: $x and }", "line 1"),
    "an unknown field": ('import "pe"\nrule a { condition: pe.no_such_field == 1 }', "line 2"),
    "an include": ('include "/etc/passwd"\nrule a { condition: false }', "include"),
    "an unknown module": ('import "nothing"\nrule a { condition: false }', "nothing"),
    "a module that opens its database": ('import "magic"\nrule a { condition: magic.type() contains "x" }', "magic"),
    "two rules of one name": ("rule a { condition: false } rule a { condition: false }", "duplicate"),
    "a program": (b"\x7fELF" + b"\0" * 200, ""),
    "a NUL in rule text": (b"rule a { condition: false }\n//\0", "NUL"),
    "random bytes": (bytes(random.Random(4711).randrange(256) for _ in range(4000)), ""),
    "nothing": ("", "no rule"),
    "200000 parentheses": ("rule a { condition: " + "(" * 200000 + "true" + ")" * 200000 + " }", "parentheses"),
    "100000 negations": ("rule a { condition: " + "not " * 100000 + "true }", ""),
    "20000 nested groups": ("rule a { strings: $a = /" + "(" * 20000 + "a" + ")" * 20000 + "/ condition: $a }", "bytes, at most"),
    "200 nested groups": ("rule a { strings: $a = /" + "(" * 200 + "a" + ")" * 200 + "/ condition: $a }", "groups open"),
    "20000 strings in a rule": ("rule a { strings: " + STRINGS + " condition: any of them }", "more than 10000 strings"),
    "messages in a loop": ('import "console"\nrule a { condition: for all i in (0..10000000) : (console.log("x")) }', "console"),
    "nested stars": ("rule a { strings: $a = /((((((a*)*)*)*)*)*b/ condition: $a }", ""),
    "nested repetitions": ("rule a { strings: $a = /(a{1,1000}b{1,1000}){1,1000}c/ condition: $a }", "multiply"),
    "a loop by a number that cannot end": ("rule a { condition: for all i in (0..100000000000) : (i >= 0) }", "a loop up to"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_is_refused_with_a_reason(box, name):
    content, reason = REFUSED[name]
    verdict = box.run(content)
    assert verdict["verdict"] == "refused" and verdict["final"], verdict
    assert reason in verdict["reason"], verdict["reason"]


# What compiles and would be accepted by its parser: only files of this host and of Ringward tell.
MATCHES_TOO_MUCH = {
    "everything": "rule a { condition: true }",
    "two zero bytes": "rule a { strings: $a = { 00 00 } condition: $a }",
    "a hundred thousand alternatives": "rule a { condition: " + " or ".join(["uint8(0) == 0x7f"] * 100000) + " }",
}


@pytest.mark.parametrize("name", MATCHES_TOO_MUCH)
def test_what_matches_too_much_is_refused_by_files_of_this_host(box, name):
    verdict = box.run(MATCHES_TOO_MUCH[name], clean=60, cpu="20s", wall="60s")
    assert verdict["verdict"] == "refused" and verdict["final"], verdict
    wrong = verdict["check"]["must_not_match"]["wrong"] + verdict["check"]["own_files"]["wrong"]
    assert wrong > 0, verdict


def test_a_loop_of_ten_to_the_sixteen_is_ended_by_time(box):
    """As libyara's own limit is in whole seconds and per sample, either it or the box's processor time ends it."""
    loop = "for all i in (0..100000000) : (for all j in (0..100000000) : (i + j >= 0))"
    verdict = box.run("rule a { condition: " + loop + " }", cpu="1s", wall="30s")
    assert verdict["verdict"] == "timed_out" or "too long" in verdict["reason"], verdict


def test_a_loop_that_hides_its_end_is_ended_by_time(box):
    loop = "for all i in (0..filesize * 100000000) : (for all j in (0..filesize * 100000000) : (i + j >= 0))"
    verdict = box.run("rule a { condition: " + loop + " }", cpu="1s", wall="30s")
    assert verdict["verdict"] == "timed_out" or "too long" in verdict["reason"], verdict


def test_memory_above_its_budget_is_named(box):
    rules = "".join(f"rule r{r} {{ strings: " + " ".join(f'$s{i} = "{r:05d}-{i:05d}-abcdefghijklmnopqrstuvwxyz" nocase wide ascii'
                                                         for i in range(200)) + " condition: any of them }\n" for r in range(400))
    verdict = box.run(rules, memory="64MiB", cpu="60s", wall="120s")
    assert verdict["verdict"] == "out_of_memory", verdict
    assert verdict["limits"]["memory_kib"] == 65536


def test_a_long_alternation_costs_no_more_than_its_limits(box):
    """Whatever libyara makes of it: a verdict comes, and it is none that a crash or an attack gets."""
    verdict = box.run("rule a { strings: $a = { " + "(" + HEX + ") [1-100] (" + HEX + ") } condition: $a }", cpu="20s", wall="60s")
    assert verdict["verdict"] in ("accepted", "refused", "timed_out", "out_of_memory"), verdict
    assert verdict["usage"]["cpu_ms"] <= 21000


def test_the_box_is_as_good_as_before_after_all_that(box):
    verdict = box.run('rule a { strings: $a = "no such text anywhere 4711" condition: $a }', clean=30)
    assert verdict["verdict"] == "accepted", verdict
