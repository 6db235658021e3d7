"""Goal: an admin makes, lists and revokes tokens from the command line, at once and on the record; a token is shown once;
another role is refused; a one-time token lets one endpoint in."""
import json

from lab import wait_for


def profile_of(lab, name, token):
    (lab.server_dir / f"{name}.token").write_text(token)
    profile = lab.server_dir / f"{name}.conf"
    profile.write_text(f"server = {lab.url}\nca_file = tls/ca.pem\ntoken_file = {name}.token\n")
    return profile


def test_tokens_are_made_listed_and_revoked(lab):
    made = lab.cli("token", "create", "--name", "eve", "--role", "viewer", check=True)
    token = made.stdout.strip()
    assert token.startswith("rwo1.eve.") and token not in made.stderr
    eve = profile_of(lab, "eve", token)
    assert lab.cli("second", "list", "--profile", eve).returncode == 0  # no SIGHUP: good at once
    assert lab.cli("token", "list", "--profile", eve).returncode == 9

    again = lab.cli("token", "create", "--name", "eve", "--role", "viewer")
    assert again.returncode == 9 and "--replace" in again.stderr, again.stderr
    newer = lab.cli("token", "create", "--name", "eve", "--role", "viewer", "--replace", "-o", "json", check=True)
    newer = json.loads(newer.stdout)["token"]
    assert lab.cli("second", "list", "--profile", eve).returncode == 9
    assert lab.cli("second", "list", "--profile", profile_of(lab, "eve2", newer)).returncode == 0

    listed = lab.cli("token", "list", check=True).stdout
    assert {line.split()[0] for line in listed.splitlines()[1:]} == {"admin", "enrol", "eve"}
    assert "revoked" in lab.cli("token", "list", "--name", "eve", check=True).stdout
    revoked = lab.cli("token", "revoke", "eve", check=True).stdout
    assert "1 token of 'eve' revoked" in revoked, revoked
    assert lab.cli("second", "list", "--profile", lab.server_dir / "eve2.conf").returncode == 9
    assert lab.cli("token", "revoke", "eve").returncode == 7
    assert lab.cli("token", "create", "--name", "eve", "--role", "viewer", "--once").returncode == 2

    # One endpoint gets in by a one-time token, and the list tells which.
    once = lab.cli("token", "create", "--name", "host17", "--role", "enrol", "--once", check=True).stdout
    path = lab.dir / "host17.token"
    path.write_text(once)
    path.chmod(0o600)
    lab.add_agent("internal", enrol_token_file=path)
    wait_for("it is enrolled", lambda: len(lab.fleet()) == 1, 60)
    assert "unused" not in lab.cli("token", "list", check=True).stdout
    assert f"used by {lab.fleet()[0]['endpoint']}" in lab.cli("token", "list", "--name", "host17", check=True).stdout

    log = lab.cli("audit", "show", "--limit", "100", "-o", "ndjson", check=True).stdout
    mine = [(r["action"], r["actor"]) for r in map(json.loads, log.splitlines()) if r["action"].startswith("token.")]
    assert mine[:4] == [("token.create", "admin"), ("token.revoke", "admin"), ("token.create", "admin"),
                        ("token.revoke", "admin")], mine
    assert token not in log and newer not in log
    assert lab.cli("audit", "verify").returncode == 0
