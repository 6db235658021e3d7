/* Goal: only the sensor's own words count, and only as an answer to the last order to load. */
#include "agent/activate/sensor.h"

#include "common/base/file.h"
#include "tests/harness.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char path[64];
static struct sensor s;

static const char loaded_two[] =
    "{\"type\":\"loaded\",\"family\":\"yara\",\"release\":2,\"sha256\":"
    "\"0000000000000000000000000000000000000000000000000000000000000000\",\"generation\":2}";

static void say_as_stranger(const char *text)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/sensor.sock", path);
    RW_AUTO(rw_fd) rw_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(fd, text, strlen(text), 0, (const struct sockaddr *)&at, sizeof(at)),
                     (ssize_t)strlen(text));
}

static void open_sensor(const char *command)
{
    struct rw_err err;
    (void)snprintf(path, sizeof(path), "/tmp/rw-sensor-XXXXXX");
    assert_non_null(mkdtemp(path));
    const struct sensor_options o = {
        .command = command, .state_path = path, .endpoint = "00112233445566778899aabbccddeeff"};
    MUST(sensor_open(&s, &o, &err));
    MUST(sensor_start(&s, (struct rw_mono){1000}, &err));
}

static void close_sensor(void)
{
    char name[96];
    sensor_drop(&s);
    (void)snprintf(name, sizeof(name), "%s/sensor.sock", path);
    (void)unlink(name);
    (void)rmdir(path);
}

TEST(nobody_else_can_vouch_for_a_load)
{
    open_sensor("/bin/sleep 60");
    say_as_stranger(loaded_two);
    sensor_drain(&s, (struct rw_mono){5000});
    assert_int_equal(s.generation, 0);
    assert_int_equal(s.foreign, 1);
    assert_int_equal(s.last_seen.ms, 1000);
    close_sensor();
}

TEST(the_process_is_reaped_once_with_its_status)
{
    open_sensor("/bin/false");
    struct pollfd one = {.fd = s.proc.pidfd, .events = POLLIN};
    assert_int_equal(poll(&one, 1, 5000), 1);
    assert_true(sensor_reap(&s));
    assert_false(s.last_exit.signaled);
    assert_int_equal(s.last_exit.status, 1);
    assert_false(sensor_reap(&s));
    assert_false(sensor_running(&s));
    close_sensor();
}

TEST(a_sensor_that_does_not_end_is_killed)
{
    open_sensor("/bin/sleep 60");
    proc_signal(&s.proc, SIGSTOP);
    sensor_stop(&s, 50);
    assert_false(sensor_running(&s));
    close_sensor();
}

static const struct command_case {
    const char *id, *command;
} commands[] = {{"empty", ""}, {"blanks", "   "}, {"searched_in_path", "sensor --x"}};

TEST_EACH(a_command_begins_with_a_path, commands)
{
    struct rw_err err;
    const struct sensor_options o = {
        .command = it->command, .state_path = "/tmp", .endpoint = "00"};
    MUST_FAIL(sensor_open(&s, &o, &err), RW_E_CONFIG);
}

/* --- proofs --- */

static struct manifest manifest_of(const char *families)
{
    struct manifest m = {.set = 1};
    for (const char *f = families; *f != '\0'; f++) {
        struct manifest_entry *e = &m.content[m.count++];
        e->family[0] = *f;
        e->release = 5;
        e->sha256[0] = (uint8_t)*f;
    }
    return m;
}

static const struct proof_case {
    const char *id;
    const char *set; /* families of the manifest, release 5 each */
    const char
        *loaded; /* families that the sensor names; upper case: another hash; '-': the empty set */
    int64_t generation;
    int64_t asked;
    enum sensor_proof want;
} proofs[] = {
    {"all_named", "ab", "ab", 2, 1, SENSOR_PROVEN},
    {"in_any_order", "ab", "ba", 2, 1, SENSOR_PROVEN},
    {"one_is_missing", "ab", "a", 2, 1, SENSOR_NOT_YET},
    {"one_twice_is_not_two", "ab", "aa", 2, 1, SENSOR_NOT_YET},
    {"nothing_said", "a", "", 0, 0, SENSOR_NOT_YET},
    {"an_answer_to_an_earlier_order", "a", "a", 1, 1, SENSOR_NOT_YET},
    {"another_hash", "ab", "aB", 2, 1, SENSOR_OTHER},
    {"a_family_that_is_not_in_the_set", "a", "ac", 2, 1, SENSOR_OTHER},
    {"the_empty_set_when_content_was_meant", "a", "-", 2, 1, SENSOR_OTHER},
    {"the_empty_set_as_meant", "", "-", 1, 0, SENSOR_PROVEN},
    {"content_when_the_empty_set_was_meant", "", "a", 1, 0, SENSOR_OTHER},
};

TEST_EACH(proof_is_exactly_the_set_after_the_order, proofs)
{
    struct sensor x = {.generation = it->generation, .asked = it->asked};
    struct manifest m = manifest_of(it->set);
    for (const char *f = it->loaded; *f != '\0'; f++) {
        struct sensor_loaded *l = &x.loaded[x.loaded_count++];
        if (*f == '-') { continue; }
        l->release = 5;
        l->family[0] = *f >= 'a' ? *f : (char)(*f + 32);
        l->sha256[0] = (uint8_t)*f;
    }
    assert_int_equal(sensor_proves(&x, &m), it->want);
}

RUN_TESTS(cmocka_unit_test(nobody_else_can_vouch_for_a_load),
          cmocka_unit_test(the_process_is_reaped_once_with_its_status),
          cmocka_unit_test(a_sensor_that_does_not_end_is_killed),
          cmocka_unit_test(a_command_begins_with_a_path),
          cmocka_unit_test(proof_is_exactly_the_set_after_the_order))
