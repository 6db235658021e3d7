/* Goal: a settings file is taken as a whole or refused with file, line and reason. */
#include "agent/agent_conf_sensor.h"

#include "tests/harness.h"

#include <signal.h>

#define NEEDED                                                                                     \
    "server = https://updates.example:8443/\n"                                                     \
    "root_file = /etc/ringward/root.json\n"                                                        \
    "state_dir = /var/lib/ringward/\n"                                                             \
    "sensor_command = /usr/sbin/sensor --watch /srv\n"
#define OBSERVED "server = https://u\nroot_file = /r\nstate_dir = /s\n"

TEST(defaults_fill_what_is_not_said)
{
    struct rw_err err;
    struct agent_conf c;
    MUST(agent_conf_parse("a.conf", rw_span_str(NEEDED), &c, &err));
    assert_string_equal(c.server, "https://updates.example:8443");
    assert_string_equal(c.state_dir, "/var/lib/ringward");
    assert_int_equal(c.family_count, 1);
    assert_string_equal(c.families[0], "yara");
    assert_int_equal(c.poll_interval_ms, 300000);
    assert_int_equal(c.sensor_alive_ms, 30000);
    assert_int_equal(c.load_timeout_ms, 60000);
    assert_int_equal(c.clean_files, 500);
    assert_string_equal(c.ring, "");
    assert_true(c.os[0] != '\0' && c.arch[0] != '\0' && c.box_dir[0] == '/');
    assert_int_equal(strncmp(c.platform, "linux-", 6), 0);
}

TEST(the_network_has_settings)
{
    struct rw_err err;
    struct agent_conf c;
    MUST(agent_conf_parse("a.conf", rw_span_str(NEEDED), &c, &err));
    assert_string_equal(c.proxy, "");
    assert_int_equal(c.download_bytes_per_s_max, 0);
    assert_int_equal(c.store_bytes_max, INT64_C(2) << 30);
    assert_true(c.delta);
    assert_int_equal(c.reach_back_ms, 120000);
    MUST(agent_conf_parse("a.conf",
                          rw_span_str(NEEDED "proxy = http://cache:3128\nmax_download_rate = 1MiB\n"
                                             "store_max = 64MiB\ndelta = no\nreach_back = 0s\n"),
                          &c, &err));
    assert_string_equal(c.proxy, "http://cache:3128");
    assert_int_equal(c.download_bytes_per_s_max, 1 << 20);
    assert_int_equal(c.store_bytes_max, INT64_C(64) << 20);
    assert_false(c.delta);
    assert_int_equal(c.reach_back_ms, 0);
}

TEST(families_are_a_list)
{
    struct rw_err err;
    struct agent_conf c;
    MUST(agent_conf_parse("a.conf", rw_span_str(NEEDED "families = yara , template\n"), &c, &err));
    assert_int_equal(c.family_count, 2);
    assert_string_equal(c.families[1], "template");
}

static const struct bad_case {
    const char *id, *text, *says;
} bad[] = {
    {"unknown_key", NEEDED "polling = 5m\n", "a.conf:5"},
    {"repeated_key", NEEDED "server = https://b\n", "a.conf:5"},
    {"missing_key", "server = https://b\n", "root_file"},
    {"no_url", "server = updates\nroot_file = /r\nstate_dir = /s\nsensor_command = /x\n", "server"},
    {"relative_state", "server = https://u\nroot_file = /r\nstate_dir = s\nsensor_command = /x\n",
     "state_dir"},
    {"no_tls", "server = http://u\nroot_file = /r\nstate_dir = /s\nsensor_command = /x\n", "https"},
    {"almost_loopback",
     "server = http://localhost.evil\nroot_file = /r\nstate_dir = /s\nsensor_command = /x\n",
     "https"},
    {"a_name_before_another_host",
     "server = http://localhost:80@evil.example\nroot_file = /r\nstate_dir = /s\nsensor_command = "
     "/x\n",
     "https"},
    {"family_twice", NEEDED "families = yara,yara\n", "twice"},
    {"family_with_a_slash", NEEDED "families = a/b\n", "families"},
    {"empty_family", NEEDED "families = yara,\n", "families"},
    {"nine_families", NEEDED "families = a,b,c,d,e,f,g,h,i\n", "more than 8"},
    {"bad_ring", NEEDED "ring = UPPER\n", "ring"},
    {"too_quick", NEEDED "poll_interval = 10ms\n", "poll_interval"},
    {"proxy_without_a_scheme", NEEDED "proxy = cache:3128\n", "proxy"},
    {"a_plain_token_over_a_foreign_proxy",
     "server = http://127.0.0.1:8\nroot_file = /r\nstate_dir = /s\nsensor_command = /x\n"
     "proxy = http://cache:3128\n",
     "on this host"},
    {"a_rate_that_would_take_months", NEEDED "max_download_rate = 100B\n", "4096"},
    {"a_store_without_room", NEEDED "store_max = 1KiB\n", "store_max"},
    {"an_endless_reach", NEEDED "reach_back = 2h\n", "reach_back"},
    {"two_sensors", NEEDED "sensor_pid_file = /run/x.pid\n", "a.conf:5: sensor_pid_file"},
    {"no_sensor", "server = https://u\nroot_file = /r\nstate_dir = /s\n", "no sensor"},
    {"a_relative_pid_file", OBSERVED "sensor_pid_file = run/x.pid\n", "a.conf:4: sensor_pid_file"},
    {"a_unit_that_is_none", OBSERVED "sensor_unit = clamd\n", "a.conf:4: sensor_unit"},
    {"a_unit_that_is_an_option", OBSERVED "sensor_unit = --now.service\n", "sensor_unit"},
    {"a_reload_that_is_none", NEEDED "sensor_reload = magic\n", "a.conf:5: sensor_reload"},
    {"a_signal_that_kills", NEEDED "sensor_reload_signal = KILL\n", "a.conf:5"},
    {"a_signal_that_is_not_sent", NEEDED "sensor_reload = message\nsensor_reload_signal = USR1\n",
     "a.conf:6"},
    {"a_command_that_is_missing", NEEDED "sensor_reload = command\n", "a.conf:5"},
    {"a_command_that_is_not_run", NEEDED "sensor_reload_command = /x\n", "a.conf:5"},
    {"a_command_without_a_path", NEEDED "sensor_reload = command\nsensor_reload_command = reload\n",
     "a.conf:6"},
    {"health_of_ones_own_child", NEEDED "sensor_health_command = /x\n", "a.conf:5"},
    {"no_number", NEEDED "clean_files = many\n", "clean_files"},
};

TEST_EACH(mistakes_are_named, bad)
{
    struct rw_err err;
    struct agent_conf c;
    MUST_FAIL(agent_conf_parse("a.conf", rw_span_str(it->text), &c, &err), RW_E_CONFIG);
    if (strstr(err.text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", err.text, it->says); }
    assert_non_null(strstr(err.text, "a.conf"));
}

TEST(the_sensor_is_found_beside_the_box_by_its_name)
{
    struct rw_err err;
    struct agent_conf c;
    const char named[] = "server = https://u\nroot_file = /r\nstate_dir = /s\nbox_dir = /usr/bin\n"
                         "sensor_command = ringward-sensor --watch /srv\n";
    MUST(agent_conf_parse("a.conf", rw_span_str(named), &c, &err));
    assert_string_equal(c.sensor_command, "/usr/bin/ringward-sensor --watch /srv");
    const char relative[] = "server = https://u\nroot_file = /r\nstate_dir = /s\n"
                            "sensor_command = ./sensor --watch /srv\n";
    MUST_FAIL(agent_conf_parse("a.conf", rw_span_str(relative), &c, &err), RW_E_CONFIG);
    assert_non_null(strstr(err.text, "'./sensor'"));
    assert_non_null(strstr(err.hint, "whole path"));
}

TEST(a_sensor_can_be_observed)
{
    struct rw_err err;
    struct agent_conf c;
    MUST(agent_conf_parse("a.conf",
                          rw_span_str(OBSERVED "sensor_unit = clamav-daemon.service\n"
                                               "sensor_reload = command\n"
                                               "sensor_reload_command = /usr/bin/load it\n"
                                               "sensor_health_command = /usr/bin/ask\n"),
                          &c, &err));
    struct sensor_way way = agent_conf_sensor_way(&c);
    assert_string_equal(way.observed.unit, "clamav-daemon.service");
    assert_null(way.observed.pid_file);
    assert_int_equal(way.reload, SENSOR_BY_COMMAND);
    assert_string_equal(way.reload_command, "/usr/bin/load it");
    assert_string_equal(way.health_command, "/usr/bin/ask");
    MUST(agent_conf_parse("a.conf",
                          rw_span_str(OBSERVED "sensor_pid_file = /run/x.pid\n"
                                               "sensor_reload_signal = USR2\n"),
                          &c, &err));
    way = agent_conf_sensor_way(&c);
    assert_string_equal(way.observed.pid_file, "/run/x.pid");
    assert_int_equal(way.reload, SENSOR_BY_SIGNAL);
    assert_int_equal(way.reload_signal, SIGUSR2);
    MUST(agent_conf_parse("a.conf", rw_span_str(NEEDED "sensor_reload = message\n"), &c, &err));
    assert_int_equal(agent_conf_sensor_way(&c).reload, SENSOR_BY_MESSAGE);
}

RUN_TESTS(cmocka_unit_test(a_sensor_can_be_observed),
          cmocka_unit_test(the_sensor_is_found_beside_the_box_by_its_name),
          cmocka_unit_test(defaults_fill_what_is_not_said),
          cmocka_unit_test(the_network_has_settings), cmocka_unit_test(families_are_a_list),
          cmocka_unit_test(mistakes_are_named))
