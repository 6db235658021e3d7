"""Goal (INV-10): content that matches the agent's own settings is refused by that agent's box, though the boxes of the
engineer and of the server, which cannot know these settings, accept it."""
from lab import wait_for

MARK = "a-line-of-this-hosts-settings-alone"


def test_content_that_matches_the_agents_settings_is_refused_there(lab):
    content = lab.dir / "aimed.yar"
    content.write_text(f'rule aimed {{ strings: $a = "{MARK}" condition: $a }}\n')
    agent = lab.add_agent("internal", clean_files=0)
    wait_for("it is enrolled", lambda: len(lab.fleet()) == 1, 60)
    agent.process.stop()
    agent.conf.write_text(agent.conf.read_text() + f"# {MARK}\n")
    agent.start()
    release = lab.publish(content, "accepted wherever these settings are not")
    lab.cli("rollout", "start", release, check=True)
    wait_for("its box refuses", lambda: "own files" in str(agent.status()), 60, 0.5)
    assert agent.active_release() == 0
    assert lab.rollout(release)["rings"][0]["healthy"] == 0
