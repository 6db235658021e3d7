/* Goal: the real sensor over a real datagram socket: proof of what is loaded, reload beside the old set, errors that
 * leave the old set in force, rehearsed faults only when asked for. */
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/crypto/digest.h"
#include "common/wire/sensor_codec.h"
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SENSOR RW_BIN_DIR "/ringward-sensor"
#define GOOD   "rule needle { strings: $a = \"needle 4711\" condition: $a }"
#define TAKING                                                                                     \
    "rule taking { meta: action = \"quarantine\" strings: $a = \"needle 4711\" condition: $a }"
#define BETTER         GOOD " rule pin { strings: $a = \"pin 4711\" condition: $a }"
#define CRASHING       "rule a { meta: rehearse = \"crash-on-load\" condition: false }"
#define CRASHING_LATER "rule a { meta: rehearse = \"crash-after-5s\" condition: false }"
#define HANGING        "rule a { meta: rehearse = \"hang\" condition: false }"

enum { PATIENCE_MS = 20000 };

static struct rw_err err;
static char folder[64];
static int listener = -1;
static const char *quarantine; /* of sensors that are started from now on; NULL: none */

static void put(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    MUST(rw_file_replace(path, 0600, rw_span_str(text), &err));
}

/* NULL: the empty set. */
static void put_set(int64_t release, const char *text)
{
    char hex[DIGEST_HEX_BYTES];
    char manifest[400];
    if (text == NULL) {
        put("manifest.json", "{\"set\":0,\"content\":[]}");
        return;
    }
    MUST(digest_sha256_hex(rw_span_str(text), hex, &err));
    (void)snprintf(
        manifest, sizeof(manifest),
        "{\"set\":1,\"content\":[{\"family\":\"yara\",\"release\":%lld,\"sha256\":\"%s\","
        "\"bytes\":%zu}]}",
        (long long)release, hex, strlen(text));
    put("yara.rwc", text);
    put("manifest.json", manifest);
}

static struct proc start(bool rehearse, const char *watch, int out_fd)
{
    static char active[96];
    static char address[96];
    struct proc p;
    char *argv[8] = {"ringward-sensor"};
    size_t n = 1;
    if (rehearse) { argv[n++] = "--rehearse"; }
    if (watch != NULL) {
        argv[n++] = "--watch";
        argv[n++] = (char *)(uintptr_t)watch;
    }
    if (quarantine != NULL) {
        argv[n++] = "--quarantine";
        argv[n++] = (char *)(uintptr_t)quarantine;
    }
    (void)snprintf(active, sizeof(active), "RINGWARD_ACTIVE=%s", folder);
    (void)snprintf(address, sizeof(address), "RINGWARD_SOCKET=%s/socket", folder);
    char *const envp[] = {active, address, "RINGWARD_ENDPOINT=0123", NULL};
    const struct proc_fd fds[] = {{out_fd, STDOUT_FILENO}};
    const struct proc_spec spec = {.path = SENSOR,
                                   .argv = argv,
                                   .envp = envp,
                                   .fds = fds,
                                   .fd_count = out_fd >= 0 ? 1 : 0,
                                   .die_with_parent = true};
    MUST(proc_start(&spec, &p, &err));
    return p;
}

/* The next message of a type; others in between are passed over. */
static struct sensor_message await(enum sensor_type type)
{
    struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + PATIENCE_MS;
    for (;;) {
        uint8_t text[SENSOR_MESSAGE_BYTES_MAX + 1];
        struct sensor_message m;
        struct pollfd p = {.fd = listener, .events = POLLIN};
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        if (left_ms <= 0 || poll(&p, 1, (int)left_ms) != 1) {
            fail_msg("no message of type %d", type);
        }
        ssize_t got = recv(listener, text, sizeof(text), 0);
        assert_true(got > 0 && got <= SENSOR_MESSAGE_BYTES_MAX);
        MUST(sensor_read(rw_span_of(text, (size_t)got), &m, &err));
        if (m.type == type) { return m; }
    }
}

static void drain(void)
{
    uint8_t text[SENSOR_MESSAGE_BYTES_MAX];
    while (recv(listener, text, sizeof(text), MSG_DONTWAIT) > 0) {}
}

static void stop(struct proc *p)
{
    struct proc_exit gone;
    proc_signal(p, SIGTERM);
    MUST(proc_wait(p, PATIENCE_MS, &gone, &err));
    assert_false(gone.signaled);
    assert_int_equal(gone.status, 0);
    drain();
}

static void is_loaded(const struct sensor_message *m, int64_t release, const char *text,
                      int64_t generation)
{
    uint8_t want[DIGEST_BYTES];
    MUST(digest_sha256(rw_span_str(text), want, &err));
    assert_string_equal(m->family, "yara");
    assert_int_equal(m->release, release);
    assert_int_equal(m->generation, generation);
    assert_memory_equal(m->sha256, want, sizeof(want));
}

TEST(a_load_is_proven_by_hash_and_generation_and_a_self_test)
{
    put_set(1, GOOD);
    RW_AUTO(proc) struct proc p = start(false, NULL, -1);
    struct sensor_message m = await(SENSOR_LOADED);
    is_loaded(&m, 1, GOOD, 1);
    assert_true(await(SENSOR_SELFTEST).ok);
    assert_int_equal(await(SENSOR_ALIVE).generation, 1);
    stop(&p);
}

TEST(the_empty_set_is_proven_too)
{
    put_set(0, NULL);
    RW_AUTO(proc) struct proc p = start(false, NULL, -1);
    struct sensor_message m = await(SENSOR_LOADED);
    assert_string_equal(m.family, "");
    assert_int_equal(m.release, 0);
    assert_int_equal(m.generation, 1);
    assert_true(await(SENSOR_SELFTEST).ok);
    stop(&p);
}

TEST(a_hangup_loads_the_new_set)
{
    put_set(1, GOOD);
    RW_AUTO(proc) struct proc p = start(false, NULL, -1);
    (void)await(SENSOR_LOADED);
    put_set(2, BETTER);
    proc_signal(&p, SIGHUP);
    struct sensor_message m = await(SENSOR_LOADED);
    is_loaded(&m, 2, BETTER, 2);
    stop(&p);
}

/* Where the next message comes from: there the sensor takes its orders. */
static socklen_t hear_from(struct sockaddr_un *at)
{
    uint8_t text[SENSOR_MESSAGE_BYTES_MAX];
    struct pollfd p = {.fd = listener, .events = POLLIN};
    socklen_t n = sizeof(*at);
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_true(recvfrom(listener, text, sizeof(text), 0, (struct sockaddr *)at, &n) > 0);
    assert_true(n > sizeof(sa_family_t));
    return n;
}

static void order(int from, const char *text, const struct sockaddr_un *at, socklen_t n)
{
    ssize_t sent = sendto(from, text, strlen(text), 0, (const struct sockaddr *)at, n);
    assert_int_equal(sent, (ssize_t)strlen(text));
}

TEST(a_message_of_the_agent_loads_the_new_set)
{
    static const char load[] = "{\"type\":\"load\"}";
    struct sockaddr_un at;
    put_set(1, GOOD);
    RW_AUTO(proc) struct proc p = start(false, NULL, -1);
    (void)await(SENSOR_LOADED);
    socklen_t n = hear_from(&at);
    put_set(2, BETTER);
    order(listener, "{\"type\":\"loaded\"}", &at, n); /* no order: neither harms nor hides one */
    order(listener, load, &at, n);
    struct sensor_message m = await(SENSOR_LOADED);
    is_loaded(&m, 2, BETTER, 2);
    put_set(3, GOOD);
    order(listener, load, &at, n); /* it listens on */
    m = await(SENSOR_LOADED);
    is_loaded(&m, 3, GOOD, 3);
    stop(&p);
}

TEST(nobody_but_the_agents_socket_gives_orders)
{
    static const char load[] = "{\"type\":\"load\"}";
    struct sockaddr_un at;
    put_set(1, GOOD);
    RW_AUTO(proc) struct proc p = start(false, NULL, -1);
    (void)await(SENSOR_SELFTEST);
    socklen_t n = hear_from(&at);
    int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(other, load, strlen(load), 0, (const struct sockaddr *)&at, n), -1);
    assert_int_equal(errno, EPERM);
    (void)close(other);
    stop(&p);
}

TEST(a_bad_set_is_reported_and_the_old_one_stays_in_force)
{
    char inbox[96];
    char line[1024] = "";
    int pair[2];
    (void)snprintf(inbox, sizeof(inbox), "%s/inbox", folder);
    assert_int_equal(mkdir(inbox, 0700), 0);
    assert_int_equal(pipe(pair), 0);
    put_set(1, GOOD);
    RW_AUTO(proc) struct proc p = start(false, inbox, pair[1]);
    (void)await(SENSOR_LOADED);
    put_set(2, "rule broken {");
    proc_signal(&p, SIGHUP);
    struct sensor_message m = await(SENSOR_ERROR);
    assert_non_null(strstr(m.detail, "yara/2"));
    drain();
    assert_int_equal(await(SENSOR_ALIVE).generation, 1);
    put("inbox/suspect", "a needle 4711 in hay"); /* the old set still protects */
    struct pollfd readable = {.fd = pair[0], .events = POLLIN};
    assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
    assert_true(read(pair[0], line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "\"rule\":\"needle\""));
    stop(&p);
    (void)close(pair[0]);
    (void)close(pair[1]);
    (void)snprintf(inbox, sizeof(inbox), "%s/inbox/suspect", folder);
    assert_int_equal(unlink(inbox), 0);
    (void)snprintf(inbox, sizeof(inbox), "%s/inbox", folder);
    assert_int_equal(rmdir(inbox), 0);
}

static RW_RC remove_one(void *ctx, const char *name, struct rw_err *e)
{
    return rw_file_remove_at(*(const int *)ctx, name, e);
}

static bool gone_within(const char *path, int64_t patience_ms)
{
    struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + patience_ms;
    while (access(path, F_OK) == 0) {
        const struct timespec pause = {.tv_nsec = 20000000};
        if (rw_clock_mono(&clock).ms >= end_ms) { return false; }
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

/* INV-3: a failed quarantine is no quarantine, and the file has not been dealt with. */
TEST(a_file_that_could_not_be_put_away_is_put_away_later)
{
    static const char *const parts[] = {"q/manifest/yara-1", "q/manifest", "q/files", "q", "inbox"};
    char paths[RW_LEN(parts)][96];
    char suspect[96];
    int pair[2];
    char line[1024];
    for (size_t i = RW_LEN(parts); i-- > 0;) {
        (void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, parts[i]);
        assert_int_equal(mkdir(paths[i], 0700), 0);
    }
    assert_int_equal(pipe(pair), 0);
    put_set(1, TAKING);
    put("inbox/suspect", "a needle 4711 in hay");
    (void)snprintf(suspect, sizeof(suspect), "%s/inbox/suspect", folder);
    quarantine = paths[3];
    RW_AUTO(proc) struct proc p = start(false, paths[4], pair[1]);
    quarantine = NULL;
    assert_true(read(pair[0], line, sizeof(line)) >
                0); /* found; a directory is in the way of its line */
    assert_int_equal(access(suspect, F_OK), 0);
    drain();
    (void)await(SENSOR_ALIVE); /* that look is over */
    assert_int_equal(access(suspect, F_OK), 0);
    assert_int_equal(rmdir(paths[0]), 0);
    assert_true(gone_within(suspect, PATIENCE_MS));
    stop(&p);
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(unlink(paths[0]), 0);
    for (size_t i = 1; i < RW_LEN(parts); i++) {
        RW_AUTO(rw_fd) rw_fd dir = -1;
        MUST(rw_dir_open(paths[i], &dir, &err));
        MUST(rw_dir_each(dir, remove_one, &dir, &err));
        assert_int_equal(rmdir(paths[i]), 0);
    }
}

TEST(a_rehearsed_crash_on_load_comes_before_the_proof)
{
    struct proc_exit gone;
    uint8_t text[SENSOR_MESSAGE_BYTES_MAX];
    put_set(3, CRASHING);
    RW_AUTO(proc) struct proc p = start(true, NULL, -1);
    MUST(proc_wait(&p, PATIENCE_MS, &gone, &err));
    assert_true(gone.signaled);
    assert_int_equal(gone.status, SIGSEGV);
    assert_int_equal(recv(listener, text, sizeof(text), MSG_DONTWAIT), -1);
}

TEST(without_the_switch_a_rehearsal_is_a_comment)
{
    put_set(3, CRASHING);
    RW_AUTO(proc) struct proc p = start(false, NULL, -1);
    struct sensor_message m = await(SENSOR_LOADED);
    is_loaded(&m, 3, CRASHING, 1);
    stop(&p);
}

TEST(a_rehearsed_late_crash_comes_after_the_proof)
{
    struct proc_exit gone;
    put_set(4, CRASHING_LATER);
    RW_AUTO(proc) struct proc p = start(true, NULL, -1);
    struct sensor_message m = await(SENSOR_LOADED);
    is_loaded(&m, 4, CRASHING_LATER, 1);
    assert_true(await(SENSOR_SELFTEST).ok);
    MUST(proc_wait(&p, PATIENCE_MS, &gone, &err));
    assert_true(gone.signaled && gone.status == SIGSEGV);
    drain();
}

TEST(a_rehearsed_hang_is_silent_after_the_proof)
{
    struct proc_exit gone;
    uint8_t text[SENSOR_MESSAGE_BYTES_MAX];
    put_set(5, HANGING);
    RW_AUTO(proc) struct proc p = start(true, NULL, -1);
    (void)await(SENSOR_SELFTEST);
    struct pollfd readable = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 3000), 0); /* one "alive" each 2 s would have come */
    proc_signal(&p, SIGTERM);
    MUST_FAIL(proc_wait(&p, 200, &gone, &err), RW_E_TIMEOUT);
    assert_int_equal(recv(listener, text, sizeof(text), MSG_DONTWAIT), -1);
    proc_kill(&p);
}

TEST(a_sensor_goes_on_when_nobody_listens)
{
    char path[96];
    put_set(1, GOOD);
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    char moved[100];
    (void)snprintf(moved, sizeof(moved), "%s/moved", folder);
    assert_int_equal(rename(path, moved), 0);
    RW_AUTO(proc) struct proc p = start(false, NULL, -1);
    struct proc_exit gone;
    MUST_FAIL(proc_wait(&p, 500, &gone, &err), RW_E_TIMEOUT);
    assert_int_equal(rename(moved, path), 0);
    /* Found again by its name, and what nobody heard is told again: without it a trial would end. */
    struct sensor_message m = await(SENSOR_LOADED);
    is_loaded(&m, 1, GOOD, 1);
    assert_true(await(SENSOR_SELFTEST).ok);
    assert_int_equal(await(SENSOR_ALIVE).generation, 1);
    stop(&p);
}

static int begin(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/rw-sensor-XXXXXX");
    if (mkdtemp(folder) == NULL) { return -1; }
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", folder);
    listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return bind(listener, (const struct sockaddr *)&at, sizeof(at));
}

static int end(void **state)
{
    static const char *const names[] = {"manifest.json", "yara.rwc", "socket"};
    (void)state;
    for (size_t i = 0; i < RW_LEN(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)close(listener);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_is_proven_by_hash_and_generation_and_a_self_test),
        cmocka_unit_test(the_empty_set_is_proven_too),
        cmocka_unit_test(a_hangup_loads_the_new_set),
        cmocka_unit_test(a_message_of_the_agent_loads_the_new_set),
        cmocka_unit_test(nobody_but_the_agents_socket_gives_orders),
        cmocka_unit_test(a_bad_set_is_reported_and_the_old_one_stays_in_force),
        cmocka_unit_test(a_file_that_could_not_be_put_away_is_put_away_later),
        cmocka_unit_test(a_rehearsed_crash_on_load_comes_before_the_proof),
        cmocka_unit_test(without_the_switch_a_rehearsal_is_a_comment),
        cmocka_unit_test(a_rehearsed_late_crash_comes_after_the_proof),
        cmocka_unit_test(a_rehearsed_hang_is_silent_after_the_proof),
        cmocka_unit_test(a_sensor_goes_on_when_nobody_listens),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
