"""Goal: the agent's TUF library keeps the client workflow (TUF 1.0.34, section 5) against a repository that none of
our code made. Requirement tags stand at the tests; docs/tuf-checklist.md lists them all."""
import json
import os

import pytest

from conftest import BIN
from tuf_sim import TOP, Client, Key, Repo, Server, days, sha256

PROGRAM = BIN.parent / "tests" / "tuf_client"


class Env:
    def __init__(self, folder, **options):
        self.repo = Repo(**options)
        self.server = Server(self.repo)
        self.client = Client(PROGRAM, self.server, folder)
        assert self.client.init() == 0, self.client.err


@pytest.fixture
def make(tmp_path):
    made = []

    def make(**options):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Env(folder, **options))
        return made[-1].repo, made[-1].server, made[-1].client
    yield make
    for env in made:
        env.server.close()


@pytest.fixture
def env(make):
    return make()


# --- the plain way ---
def test_first_refresh_stores_four_files_and_asks_no_more_than_needed(env):
    repo, server, client = env
    assert client.refresh() == 0, client.err
    assert client.stored() == ["root.json", "snapshot.json", "targets.json", "timestamp.json"]
    assert server.requests == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)]
    repo.publish_timestamp()
    assert client.refresh() == 0
    assert server.requests == [("root", 2), ("timestamp", None)]
    repo.publish("targets")
    assert client.refresh() == 0 and client.version("targets") == 2


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_signature_scheme_verifies(make, kind):
    _, _, client = make(kind=kind)
    assert client.refresh() == 0, client.err


def test_without_consistent_snapshots_names_carry_no_version_and_no_hash(make):
    repo, server, client = make(consistent=False)
    repo.add_file("targets", "a/b.txt", b"hello")
    repo.publish("targets")
    assert client.download("a/b.txt") == 0, client.err
    assert ("targets", None) in server.requests and ("file", "a/b.txt") in server.requests


def test_files_are_verified_kept_and_not_fetched_twice(env):
    repo, server, client = env
    repo.add_file("targets", "t.txt", b"hello")
    repo.add_file("targets", "d/ü #?.txt", b"odd name")
    repo.publish("targets")
    assert client.download("t.txt", "d/ü #?.txt") == 0, client.err
    assert len(list(client.out.iterdir())) == 2
    assert client.download("t.txt") == 0
    assert not any(name == "file" for name, _ in server.requests)
    assert client.download("no-such") == 1


@pytest.mark.parametrize("served", [b"hellO", b"hello more", b"hell", b""])
def test_a_file_that_is_not_the_signed_one_is_refused_and_not_kept(env, served):
    repo, _, client = env
    repo.add_file("targets", "t.txt", b"hello")
    repo.publish("targets")
    repo.files["t.txt"] = served
    assert client.download("t.txt") == 1
    assert not client.out.exists() or list(client.out.iterdir()) == []


def test_unknown_members_are_kept_in_the_signed_form_and_change_nothing(env):
    repo, _, client = env
    repo.docs["timestamp"]["x"] = {"y": [1, None, True, 'é\n"\\'], "z": -5}
    repo.publish()
    assert client.refresh() == 0, client.err


# --- root chain: TUF-5.3 ---
def test_the_root_chain_is_walked_step_by_step(env):
    repo, _, client = env
    for _ in range(40):
        repo.publish_root()
    assert client.refresh() == 0 and client.version("root") == 41


def test_old_agents_catch_up_over_three_rotations_of_every_root_key(env):
    repo, _, client = env
    for _ in range(3):
        old = list(repo.signers["root"])
        repo.rotate("root")
        repo.publish_root(also_by=old)
    assert client.refresh() == 0, client.err
    assert client.version("root") == 4


@pytest.mark.parametrize("signed_by", ["old", "new"])
def test_a_root_needs_the_old_and_the_new_threshold(env, signed_by):
    repo, _, client = env
    old = list(repo.signers["root"])
    repo.rotate("root")
    if signed_by == "old":
        repo.signers["root"] = old
    repo.publish_root()
    assert client.refresh() == 1 and client.version("root") == 1


@pytest.mark.parametrize("step", [0, 2, -1])
def test_a_root_is_exactly_one_version_up(env, step):
    repo, _, client = env
    repo.docs["root"]["version"] += step
    repo.publish_root(bump=False)
    assert client.refresh() == 1 and client.version("root") == 1


def test_expiry_matters_for_the_last_root_only_and_it_is_stored_all_the_same(env):
    repo, server, client = env
    repo.docs["root"]["expires"] = days(-1)
    repo.publish_root()
    assert client.refresh() == 1
    assert client.version("root") == 2 and client.stored() == ["root.json"]
    repo.docs["root"]["expires"] = days(30)
    repo.publish_root()
    assert client.refresh() == 0 and client.version("root") == 3


def test_a_server_error_is_not_the_end_of_the_root_chain(env):
    repo, server, client = env
    repo.override["root"] = 500
    assert client.refresh() == 1
    assert server.requests == [("root", 2)]


def test_a_stored_root_that_does_not_verify_stops_everything_before_the_first_request(env):
    _, server, client = env
    assert client.refresh() == 0
    path = client.state / "root.json"
    doc = json.loads(path.read_text())
    doc["signatures"][0]["sig"] = "00" * 64
    path.write_text(json.dumps(doc))
    assert client.refresh() == 1 and server.requests == []


# --- signatures and thresholds ---
@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
@pytest.mark.parametrize("by", ["nobody", "a stranger"])
def test_a_role_signed_by_nobody_or_a_stranger_is_refused(env, role, by):
    repo, _, client = env
    repo.signers[role] = [] if by == "nobody" else [Key()]
    repo.publish("targets")
    assert client.refresh() == 1 and client.version(role) is None


def test_one_key_listed_twice_is_one_vote(env):
    repo, _, client = env
    entry = repo.docs["root"]["roles"]["timestamp"]
    entry["threshold"], entry["keyids"] = 2, entry["keyids"] * 2
    repo.publish_root()
    assert client.refresh() == 1


def test_one_public_key_under_two_ids_is_one_vote(env):
    repo, _, client = env
    key = repo.signers["timestamp"][0]
    twin = Key()
    twin.private, twin.object = key.private, {**key.object, "x-note": "same key, other id"}
    from tuf_sim import canonical
    twin.id = sha256(canonical(twin.object))
    repo.docs["root"]["roles"]["timestamp"]["threshold"] = 2
    repo.add_key("timestamp", key=twin)
    repo.publish_root()
    assert client.refresh() == 1


def test_a_threshold_of_two_needs_two(env):
    repo, _, client = env
    repo.docs["root"]["roles"]["timestamp"]["threshold"] = 2
    repo.add_key("timestamp")
    repo.publish_root()
    assert client.refresh() == 0, client.err
    repo.signers["timestamp"].pop()
    repo.publish_timestamp()
    assert client.refresh() == 1 and client.version("timestamp") == 1


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_below_one_is_refused(env, threshold):
    repo, _, client = env
    repo.docs["root"]["roles"]["timestamp"]["threshold"] = threshold
    repo.publish_root()
    assert client.refresh() == 1 and client.version("root") == 1


def changed_timestamp(repo, change):
    doc = json.loads(repo.envelope("timestamp"))
    change(doc)
    repo.override["timestamp"] = json.dumps(doc).encode()


def test_a_key_id_twice_in_the_signatures_refuses_the_file(env):
    repo, _, client = env
    changed_timestamp(repo, lambda d: d["signatures"].append(d["signatures"][0]))
    assert client.refresh() == 1


@pytest.mark.parametrize("sig", ["", "zz", "00" * 64])
def test_signatures_of_strangers_are_ignored(env, sig):
    repo, _, client = env
    changed_timestamp(repo, lambda d: d["signatures"].append({"keyid": "f" * 64, "sig": sig}))
    assert client.refresh() == 0, client.err


# --- rollback, freeze, fast-forward ---
def test_a_lower_timestamp_is_refused_and_not_stored(env):
    repo, _, client = env
    repo.docs["timestamp"]["version"] = 5
    assert client.refresh() == 0
    repo.docs["timestamp"]["version"] = 4
    assert client.refresh() == 1 and client.version("timestamp") == 5


def test_an_equal_timestamp_is_dropped_whatever_it_says(env):
    repo, _, client = env
    assert client.refresh() == 0
    before = (client.state / "timestamp.json").read_bytes()
    repo.docs["timestamp"]["meta"]["snapshot.json"]["version"] = 100
    assert client.refresh() == 0, client.err
    assert (client.state / "timestamp.json").read_bytes() == before


def test_a_timestamp_that_names_an_older_snapshot_is_refused_and_not_stored(env):
    repo, _, client = env
    repo.docs["snapshot"]["version"] = 4
    repo.publish()
    assert client.refresh() == 0
    kept = client.version("timestamp")
    repo.docs["snapshot"]["version"] = 4
    repo.publish_timestamp()
    assert client.refresh() == 1 and client.version("timestamp") == kept


@pytest.mark.parametrize("inside", [1, 6, 8])
def test_a_snapshot_must_be_the_version_that_timestamp_names(env, inside):
    repo, _, client = env
    repo.docs["snapshot"]["version"] = inside
    repo.docs["timestamp"]["meta"]["snapshot.json"]["version"] = 7
    repo.docs["timestamp"]["version"] += 1
    assert client.refresh() == 1 and client.version("snapshot") is None


def test_a_snapshot_that_lists_an_older_role_is_refused(env):
    repo, _, client = env
    repo.docs["targets"]["version"] = 5
    repo.publish()
    assert client.refresh() == 0
    repo.docs["targets"]["version"] = 4
    repo.publish()
    assert client.refresh() == 1 and client.version("targets") == 5


def test_a_snapshot_that_forgets_a_role_is_refused(env):
    repo, _, client = env
    repo.delegate("targets", "extra")
    repo.publish("targets")
    assert client.refresh() == 0
    del repo.docs["extra"]
    del repo.docs["snapshot"]["meta"]["extra.json"]
    repo.publish()
    assert client.refresh() == 1


@pytest.mark.parametrize("change", ["hash", "length", "both good"])
def test_hashes_and_lengths_of_metadata_are_checked_when_given(env, change):
    repo, _, client = env
    repo.with_hashes = True
    repo.publish("targets")
    entry = repo.docs["snapshot"]["meta"]["targets.json"]
    if change == "hash":
        entry["hashes"]["sha256"] = "0" * 64
    elif change == "length":
        entry["length"] -= 1
    repo.docs["snapshot"]["version"] += 1
    repo.publish_timestamp()
    assert client.refresh() == (0 if change == "both good" else 1), client.err


HUGE = 2 ** 53 - 2


@pytest.mark.parametrize("role, rotated", [("timestamp", ["timestamp"]), ("snapshot", ["snapshot", "timestamp"]),
                                           ("targets", ["snapshot"])])
def test_versions_pushed_up_by_a_thief_are_cured_by_rotation(env, role, rotated):
    """The drill: a stolen key signs the greatest version; a new root with new keys lets versions restart."""
    repo, _, client = env
    repo.docs[role]["version"] = HUGE
    if role == "timestamp":
        pass
    elif role == "snapshot":
        repo.docs["snapshot"]["version"] = HUGE
        repo.publish_timestamp()
    else:
        repo.publish()
    assert client.refresh() == 0, client.err
    for one in rotated:
        repo.rotate(one)
    repo.publish_root()
    for one in {role, *rotated} - {"root"}:
        repo.docs[one]["version"] = 1
    if role == "targets":
        repo.publish()
    else:
        repo.publish_timestamp()
        repo.docs["timestamp"]["version"] = 1
    assert client.refresh() == 0, client.err
    assert client.version(role) <= 3


def test_without_rotation_a_version_that_was_pushed_up_stays_a_floor(env):
    repo, _, client = env
    repo.docs["timestamp"]["version"] = HUGE
    assert client.refresh() == 0
    repo.docs["timestamp"]["version"] = 2
    assert client.refresh() == 1


# --- time: TUF-5.1 ---
def test_expired_metadata_install_nothing_but_stay_floors(env):
    repo, _, client = env
    repo.docs["timestamp"].update(expires=days(7), version=5)
    assert client.refresh() == 0
    assert client.refresh(days_ahead=18) == 1  # freeze
    repo.docs["timestamp"].update(expires=days(28), version=4)
    assert client.refresh(days_ahead=18) == 1  # expired, and still a floor
    repo.docs["timestamp"]["version"] = 6
    assert client.refresh(days_ahead=18) == 0, client.err


def test_an_expired_snapshot_still_is_a_floor_for_its_roles(env):
    repo, _, client = env
    repo.docs["snapshot"]["expires"] = days(7)
    repo.docs["targets"]["version"] = 3
    repo.publish()
    assert client.refresh() == 0
    repo.docs["snapshot"]["expires"] = days(25)
    repo.docs["targets"]["version"] = 2
    repo.publish()
    assert client.refresh(days_ahead=18) == 1 and client.version("targets") == 3


def test_an_expired_targets_role_is_refused_after_snapshot_was_stored(env):
    repo, _, client = env
    repo.docs["targets"]["expires"] = days(-1)
    repo.publish("targets")
    assert client.refresh() == 1
    assert client.version("snapshot") == 2 and client.version("targets") is None


# --- state on disk ---
@pytest.mark.parametrize("junk", ["", "junk", "{", '{"signed":{},"signatures":[]}'])
def test_damaged_stored_files_are_as_if_absent(env, junk):
    _, _, client = env
    assert client.refresh() == 0
    for name in ("timestamp.json", "snapshot.json", "targets.json"):
        (client.state / name).write_text(junk)
    assert client.refresh() == 0, client.err


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_a_stored_file_that_nobody_signed_so_is_no_floor(env, role):
    """Well-formed, with a version that would refuse everything; only its signature does not fit."""
    _, _, client = env
    assert client.refresh() == 0
    path = client.state / f"{role}.json"
    doc = json.loads(path.read_text())
    doc["signed"]["version"] = 999
    for meta in doc["signed"]["meta"].values():
        meta["version"] = 999
    path.write_text(json.dumps(doc))
    assert client.refresh() == 0, client.err
    assert client.version(role) == 1


def test_a_cycle_that_died_half_way_is_completed(env):
    repo, _, client = env
    assert client.refresh() == 0
    os.unlink(client.state / "targets.json")
    os.unlink(client.state / "snapshot.json")
    assert client.refresh() == 0 and client.version("targets") == 1


# --- delegations: TUF-5.6.7 ---
GRAPHS = [
    ([("targets", "a"), ("targets", "b")], ["a", "b"]),
    ([("targets", "a"), ("targets", "b"), ("b", "c")], ["a", "b", "c"]),
    ([("targets", "a"), ("targets", "b"), ("a", "c")], ["a", "c", "b"]),
    ([("targets", "a"), ("targets", "b"), ("a", "c"), ("a", "d")], ["a", "c", "d", "b"]),
    ([("targets", "a"), ("targets", "b"), ("a", "b")], ["a", "b"]),
    ([("targets", "a"), ("a", "b"), ("b", "a")], ["a", "b"]),
    ([("targets", "a", True), ("targets", "b")], ["a"]),
    ([("targets", "a"), ("targets", "b"), ("a", "c", True), ("a", "d")], ["a", "c"]),
    ([("targets", "a", True), ("targets", "b"), ("a", "c"), ("a", "d")], ["a", "c", "d"]),
    ([("targets", "a"), ("targets", "b"), ("a", "c"), ("b", "d"), ("c", "e", True)], ["a", "c", "e"]),
]


@pytest.mark.parametrize("edges, order", GRAPHS)
def test_the_search_is_pre_order_and_ends_at_terminating_roles(env, edges, order):
    repo, _, client = env
    for delegator, name, *terminating in edges:
        repo.delegate(delegator, name, terminating=bool(terminating))
    repo.publish("targets")
    assert client.download("missing") == 1
    assert client.asked_roles() == order


def test_a_search_visits_at_most_32_roles(env):
    repo, _, client = env
    for i in range(40):
        repo.delegate("targets", f"r{i}")
    repo.publish("targets")
    assert client.download("missing") == 1
    assert len(client.asked_roles()) == 31  # targets itself is the first


@pytest.mark.parametrize("name", ["?", "#", "/role", "../role", "ü", ".", "..", "a b", "x" * 60])
def test_odd_role_names_are_encoded_in_urls_and_file_names(env, name):
    import urllib.parse
    repo, _, client = env
    repo.delegate("targets", name)
    repo.publish("targets")
    assert client.download("missing") == 1
    assert client.asked_roles() == [name], client.err
    assert urllib.parse.quote(name, "") + ".json" in client.stored()


def test_a_delegated_role_that_does_not_verify_ends_the_search(env):
    """It is not 'not found, try the next': withholding a file must not move the answer to a less trusted role."""
    repo, _, client = env
    repo.delegate("targets", "a")
    repo.delegate("targets", "b")
    repo.signers["a"] = [Key()]
    repo.add_file("b", "x", b"from b")
    repo.publish("targets", "b")
    assert client.download("x") == 1


@pytest.mark.parametrize("fault", ["expired", "version", "hash"])
def test_delegated_roles_are_checked_no_less_than_top_level_ones(env, fault):
    repo, _, client = env
    repo.with_hashes = True
    repo.delegate("targets", "a")
    repo.add_file("a", "x", b"from a")
    if fault == "expired":
        repo.docs["a"]["expires"] = days(-1)
    repo.publish("targets", "a")
    if fault == "version":
        repo.docs["snapshot"]["meta"]["a.json"] = {"version": 9}
    if fault == "hash":
        repo.docs["snapshot"]["meta"]["a.json"]["hashes"]["sha256"] = "1" * 64
    repo.docs["snapshot"]["version"] += 1
    repo.publish_timestamp()
    assert client.download("x") == 1


def test_trust_is_per_edge_not_per_name(env):
    """A role that verified through one delegator is verified again with the keys of another."""
    repo, _, client = env
    repo.delegate("targets", "a")
    repo.delegate("targets", "b")
    repo.delegate("a", "c")
    assert client.refresh() == 0
    repo.delegate("b", "c", key=Key())  # b trusts c by another key, which did not sign it
    repo.signers["c"].pop()
    repo.add_file("c", "x", b"from c")
    del repo.docs["a"]["delegations"]  # only the way through b is left
    repo.publish("targets", "a", "b", "c")
    assert client.download("x") == 1


def test_a_role_that_one_way_verified_is_not_taken_on_another_in_the_same_run(env):
    """Both targets are looked up by one process, whose memory holds c as a trusts it when b is asked."""
    repo, _, client = env
    for way in ("a", "b"):
        repo.delegate("targets", way, paths=[f"{way}/*"])
    repo.delegate("a", "c", paths=["a/*"])
    repo.delegate("b", "c", key=Key(), paths=["b/*"])
    repo.signers["c"].pop()  # only a's key for c signs
    repo.add_file("c", "a/x", b"by a")
    repo.add_file("c", "b/y", b"by b")
    repo.publish("targets", "a", "b", "c")
    assert client.download("a/x") == 0, client.err
    assert client.download("b/y") == 1
    assert client.download("a/x", "b/y") == 1


@pytest.mark.parametrize("pattern, path, covered", [("a/*", "a/b", True), ("a/*", "a/b/c", False), ("a/**", "a/b/c", False),
                                                    ("a/?", "a/bc", False), ("*/b", "a/b", True), ("a/b", "A/b", False)])
def test_patterns_never_cross_a_slash(env, pattern, path, covered):
    repo, _, client = env
    repo.delegate("targets", "a", paths=[pattern])
    repo.add_file("a", path, b"data")
    repo.publish("targets", "a")
    assert client.download(path) == (0 if covered else 1), client.err


def test_path_hash_prefixes_and_hash_bins_find_their_role(env):
    repo, _, client = env
    repo.delegate("targets", "h", path_hash_prefixes=[sha256(b"p/q")[:4]])
    repo.add_file("h", "p/q", b"data")
    repo.publish("targets", "h")
    assert client.download("p/q") == 0, client.err


def test_hash_bins_find_their_role(env):
    repo, _, client = env
    key = Key()
    repo.docs["targets"]["delegations"] = {"keys": {key.id: key.object}, "succinct_roles": {
        "keyids": [key.id], "threshold": 1, "bit_length": 8, "name_prefix": "bin"}}
    name = f"bin-{int(sha256(b'x/y')[:2], 16):02x}"
    repo.docs[name] = {"_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": days(30), "targets": {}}
    repo.signers[name] = [key]
    repo.add_file(name, "x/y", b"data")
    repo.publish("targets")
    assert client.download("x/y") == 0, client.err


@pytest.mark.parametrize("role", TOP)
def test_the_names_of_top_level_roles_cannot_be_delegated(env, role):
    repo, _, client = env
    entry = {"name": role, "keyids": [], "threshold": 1, "terminating": False, "paths": ["*"]}
    repo.docs["targets"]["delegations"] = {"keys": {}, "roles": [entry]}
    repo.publish("targets")
    assert client.refresh() == 1


# --- hostile bytes ---
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"signed":1}', b"[" * 100_000, b" " * 20_000,
                                  b'{"signatures":[],"signed":{"_type":"timestamp"},"signed":{}}'])
def test_hostile_timestamps_are_refused_and_nothing_is_stored(env, data):
    repo, _, client = env
    repo.override["timestamp"] = data
    assert client.refresh() == 1 and client.version("timestamp") is None


def test_endless_metadata_is_cut_at_the_cap(env):
    repo, _, client = env
    repo.override["timestamp"] = repo.envelope("timestamp") + b" " * 20_000
    assert client.refresh() == 1
    repo.override["timestamp"] = repo.envelope("timestamp") + b" " * 1_000
    assert client.refresh() == 0, client.err
