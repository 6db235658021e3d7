/* A sensor that speaks the sensor contract and does what its content says: the first word of each file in the
 * active set is its behaviour; it may stand behind "// ", so that the file can be YARA rules as well.
 *
 *   ok             loads, proves, lives            crash-on-load  dies by SIGSEGV while loading
 *   hang-on-load   never answers again             hang           proves, then is silent
 *   wrong-hash     says another hash               exit           proves, then exits with 3
 *   crash-later    proves, dies 150 ms later       error          says that it could not load
 *   bad-selftest   proves, then the self-test fails
 *   mute-later     proves, lives, and fails its self-test 150 ms later
 *   untested       proves, lives, and says nothing of a self-test
 *   uncounted      the same of counts
 *   error-later    proves, lives, and says 150 ms later that it cannot load
 *   storm          proves, then counts far more detections than any budget
 *   slow           proves, then counts far more processor time per scan
 *   panic-on-load  dies while loading              panic-later    proves, lives
 *
 * In the machine of tests/vm, and nowhere else, the two last ones stop the kernel: while loading, or 150 ms after
 * proof. With ringward.panic=any on its kernel's command line every content does.
 */
#include "agent/activate/manifest_codec.h"
#include "common/base/file.h"
#include "common/wire/sensor_codec.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TICK_MS = 20, LATER_TICKS = 8, CONTENT_BYTES_MAX = 1 << 20 };

static volatile sig_atomic_t reload = 1;
static int to_agent = -1;
static int64_t generation;
static int ticks_left = -1;
static bool silent;
static bool uncounted;
static int mute_ticks = -1;
static bool storming;
static bool slow;
static struct sensor_message counts = {.type = SENSOR_STATS, .rss_kib = 1000};
static bool panics;
static bool errs; /* says so, in place of a crash */

/* Autobound to a name of its own, so that the agent can send it the order to load. */
static void hear_orders(void)
{
    static bool bound;
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    uint8_t text[SENSOR_MESSAGE_BYTES_MAX];
    if (!bound) {
        bound = bind(to_agent, (const struct sockaddr *)&any, sizeof(any.sun_family)) == 0;
    }
    ssize_t n = recv(to_agent, text, sizeof(text), MSG_DONTWAIT);
    if (n > 0 && sensor_is_load(rw_span_of(text, (size_t)n))) { reload = 1; }
}

static void on_hup(int signal_number)
{
    (void)signal_number;
    reload = 1;
}

static void say(const struct sensor_message *m)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SENSOR_MESSAGE_BYTES_MAX);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", getenv("RINGWARD_SOCKET"));
    if (!rw_is_ok(sensor_write(m, &text, &err))) { abort(); }
    /* Ten messages wait in an agent's queue. A sign of life more or less does not matter, a proof that is lost does. */
    bool may_be_lost = m->type == SENSOR_ALIVE || m->type == SENSOR_STATS;
    (void)sendto(to_agent, text.p, text.n, may_be_lost ? MSG_DONTWAIT : 0,
                 (const struct sockaddr *)&at, sizeof(at));
}

static bool is(struct rw_span content, const char *word)
{
    size_t n = strlen(word);
    if (rw_span_starts(content, "// ")) { content = rw_span_of(content.p + 3, content.n - 3); }
    return rw_span_starts(content, word) &&
           (content.n == n || content.p[n] == ' ' || content.p[n] == '\n');
}

static void say_loaded(const struct manifest_entry *e, const uint8_t *hash)
{
    struct sensor_message m = {.type = SENSOR_LOADED, .generation = generation};
    if (e != NULL) {
        (void)snprintf(m.family, sizeof(m.family), "%s", e->family);
        m.release = e->release;
        rw_copy(m.sha256, sizeof(m.sha256), hash, DIGEST_BYTES);
    }
    say(&m);
}

/* Dies by the signal also where a sanitizer would rather tell of it. */
static void crash(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGSEGV, &plain, NULL);
    (void)raise(SIGSEGV);
}

static bool kernel_has_word(const char *word)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf line = rw_buf_make(4096);
    return rw_is_ok(rw_file_read("/proc/cmdline", 4096, &line, &err)) &&
           strstr(rw_buf_str(&line), word) != NULL;
}

/* No developer's machine has this word on its kernel's command line. */
static bool in_test_machine(void)
{
    return kernel_has_word("ringward.test_machine=1");
}

/* What a fault in a sensor's kernel part does: the kernel ends here and now, nothing is written out any more. */
static void panic(void)
{
    int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
    if (!in_test_machine() || fd < 0 || write(fd, "c", 1) != 1) { crash(); }
    (void)close(fd);
}

static bool load_one(int set, const struct manifest_entry *e)
{
    struct rw_err err;
    uint8_t hash[DIGEST_BYTES];
    char name[INSTALL_NAME_BYTES + 8];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CONTENT_BYTES_MAX);
    (void)snprintf(name, sizeof(name), "%s.rwc", e->family);
    if (!rw_is_ok(rw_file_read_at(set, name, CONTENT_BYTES_MAX, &text, &err)) ||
        !rw_is_ok(digest_sha256(rw_buf_span(&text), hash, &err))) {
        abort();
    }
    struct rw_span content = rw_buf_span(&text);
    if (is(content, "crash-on-load")) { crash(); }
    if (is(content, "panic-on-load")) { panic(); }
    if (is(content, "hang-on-load")) {
        for (;;) {
            (void)poll(NULL, 0, 1000);
        }
    }
    if (is(content, "error")) {
        say(&(struct sensor_message){.type = SENSOR_ERROR, .detail = "line 1: nonsense"});
        return false;
    }
    if (is(content, "wrong-hash")) { hash[0] ^= 1; }
    if (is(content, "hang")) { silent = true; }
    if (is(content, "crash-later") || is(content, "exit")) { ticks_left = LATER_TICKS; }
    if (is(content, "exit")) { ticks_left = -LATER_TICKS; }
    errs = is(content, "error-later");
    if (errs) { ticks_left = LATER_TICKS; }
    if (in_test_machine() &&
        (is(content, "panic-later") || kernel_has_word("ringward.panic=any"))) {
        ticks_left = LATER_TICKS;
        panics = true;
    }
    storming = storming || is(content, "storm");
    slow = slow || is(content, "slow");
    say_loaded(e, hash);
    uncounted = uncounted || is(content, "uncounted");
    if (is(content, "mute-later")) { mute_ticks = LATER_TICKS; }
    if (!is(content, "untested")) {
        say(&(struct sensor_message){.type = SENSOR_SELFTEST, .ok = !is(content, "bad-selftest")});
    }
    return true;
}

/* Scans a few files in each tick. */
static void say_counts(void)
{
    counts.generation = generation;
    counts.scanned += 20;
    counts.scan_us += slow ? 20 * 50000 : 20 * 100;
    counts.detections += storming ? 20 : 0;
    counts.rule_detections = storming ? 20 : 0;
    (void)snprintf(counts.rule, sizeof(counts.rule), "%s", storming ? "greedy" : "");
    say(&counts);
}

static void load_set(void)
{
    struct rw_err err;
    struct manifest m;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MANIFEST_BYTES_MAX);
    RW_AUTO(rw_fd) rw_fd set = open(getenv("RINGWARD_ACTIVE"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    silent = false;
    uncounted = false;
    mute_ticks = -1;
    storming = false;
    slow = false;
    panics = false;
    errs = false;
    ticks_left = -1;
    if (set < 0 ||
        !rw_is_ok(rw_file_read_at(set, "manifest.json", MANIFEST_BYTES_MAX, &text, &err)) ||
        !rw_is_ok(manifest_read(rw_buf_span(&text), &m, &err))) {
        abort();
    }
    generation++;
    if (m.count == 0) { say_loaded(NULL, NULL); }
    for (size_t i = 0; i < m.count; i++) {
        if (!load_one(set, &m.content[i])) { return; }
    }
}

int main(void)
{
    const struct sigaction hup = {.sa_handler = on_hup};
    (void)sigaction(SIGHUP, &hup, NULL);
    const struct timeval patience = {.tv_sec = 2};
    to_agent = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(to_agent, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    for (;;) {
        hear_orders();
        if (reload) {
            reload = 0;
            load_set();
        }
        if (!silent) {
            if (!uncounted) { say_counts(); }
            say(&(struct sensor_message){.type = SENSOR_ALIVE, .generation = generation});
        }
        (void)poll(NULL, 0, TICK_MS);
        if (mute_ticks > 0 && --mute_ticks == 0) {
            say(&(struct sensor_message){.type = SENSOR_SELFTEST, .ok = false});
        }
        if (ticks_left > 0 && --ticks_left == 0) {
            if (panics) { panic(); }
            if (!errs) { crash(); }
            say(&(struct sensor_message){.type = SENSOR_ERROR, .detail = "out of memory"});
        }
        if (ticks_left < -1 && ++ticks_left == -1) { return 3; }
    }
}
