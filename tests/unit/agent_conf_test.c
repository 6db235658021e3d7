/* Goal: a settings file is taken as a whole or refused with file, line and reason. */
#include "agent/agent_conf.h"

#include "tests/harness.h"

#define NEEDED                                                                                     \
    "server = https://updates.example:8443/\n"                                                     \
    "root_file = /etc/ringward/root.json\n"                                                        \
    "state_dir = /var/lib/ringward/\n"                                                             \
    "sensor_command = /usr/sbin/sensor --watch /srv\n"

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

RUN_TESTS(cmocka_unit_test(the_sensor_is_found_beside_the_box_by_its_name),
          cmocka_unit_test(defaults_fill_what_is_not_said),
          cmocka_unit_test(the_network_has_settings), cmocka_unit_test(families_are_a_list),
          cmocka_unit_test(mistakes_are_named))
