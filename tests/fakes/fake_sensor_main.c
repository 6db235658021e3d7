/* A sensor that speaks the sensor contract and does what its content says: the first word of each file in the
 * active set is its behaviour.
 *
 *   ok             loads, proves, lives            crash-on-load  dies by SIGSEGV while loading
 *   hang-on-load   never answers again             hang           proves, then is silent
 *   wrong-hash     says another hash               exit           proves, then exits with 3
 *   crash-later    proves, dies 150 ms later       error          says that it could not load
 *   bad-selftest   proves, then the self-test fails
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
#include <sys/un.h>
#include <unistd.h>

enum { TICK_MS = 20, LATER_TICKS = 8, CONTENT_BYTES_MAX = 1 << 20 };

static volatile sig_atomic_t reload = 1;
static int to_agent = -1;
static int64_t generation;
static int ticks_left = -1;
static bool silent;

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
    (void)sendto(to_agent, text.p, text.n, MSG_DONTWAIT, (const struct sockaddr *)&at, sizeof(at));
}

static bool is(struct rw_span content, const char *word)
{
    size_t n = strlen(word);
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
    say_loaded(e, hash);
    say(&(struct sensor_message){.type = SENSOR_SELFTEST, .ok = !is(content, "bad-selftest")});
    return true;
}

static void load_set(void)
{
    struct rw_err err;
    struct manifest m;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MANIFEST_BYTES_MAX);
    RW_AUTO(rw_fd) rw_fd set = open(getenv("RINGWARD_ACTIVE"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    silent = false;
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
    to_agent = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (;;) {
        if (reload) {
            reload = 0;
            load_set();
        }
        if (!silent) {
            say(&(struct sensor_message){.type = SENSOR_ALIVE, .generation = generation});
        }
        (void)poll(NULL, 0, TICK_MS);
        if (ticks_left > 0 && --ticks_left == 0) { crash(); }
        if (ticks_left < -1 && ++ticks_left == -1) { return 3; }
    }
}
