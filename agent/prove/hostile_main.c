/* ringward-validate-hostile: a validator that does what content might make one do; for tests and the self-test.
 *
 * The content type chooses the behaviour. Every attack that the box should have stopped ends in "accepted", so
 * that a missing layer shows as a wrong verdict and never as a harmless exit. */
#include "common/base/file.h"
#include "common/base/num.h"
#include "common/box/samples_codec.h"
#include "common/crypto/digest.h"
#include "common/json/json_write.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CONTENT_FD = 3, SAMPLES_FD = 4, VERDICT_FD = 5, SAID_BYTES_MAX = 65536 };

static uint32_t sample_count(void)
{
    uint8_t head[8] = {0};
    if (pread(SAMPLES_FD, head, sizeof(head), 0) != (ssize_t)sizeof(head)) { return 0; }
    return (uint32_t)head[4] | (uint32_t)head[5] << 8;
}

/* An honest-looking acceptance: right hash, right number of hits, each of them `hit`. */
static void say(const char *verdict, const char *reason, char hit)
{
    RW_AUTO(rw_buf) struct rw_buf said = rw_buf_make(SAID_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf hits = rw_buf_make(SAMPLES_BLIND_COUNT_MAX);
    uint8_t hash[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES] = "";
    uint64_t length = 0;
    struct rw_err err;
    if (!rw_is_ok(digest_fd(CONTENT_FD, UINT64_C(1) << 30, hash, &length, &err))) { _exit(2); }
    rw_hex_encode(hex, sizeof(hex), hash, sizeof(hash));
    for (uint32_t i = 0; i < sample_count(); i++) {
        if (!rw_is_ok(rw_buf_append(&hits, rw_span_of(&hit, 1), &err))) { _exit(2); }
    }
    struct json_writer w = json_begin(&said);
    json_open_object(&w, NULL);
    json_put_str(&w, "format", "rwv1");
    json_put_str(&w, "verdict", verdict);
    json_put_str(&w, "reason", reason);
    json_put_str(&w, "content_sha256", hex);
    json_put_int(&w, "rules", 1);
    json_put_span(&w, "hits", rw_buf_span(&hits));
    json_close_object(&w);
    if (!rw_is_ok(json_done(&w, &err)) ||
        !rw_is_ok(rw_fd_write_all(VERDICT_FD, rw_buf_span(&said), &err))) {
        _exit(2);
    }
}

static void put(const char *text)
{
    struct rw_err err;
    RW_IGNORE(rw_fd_write_all(VERDICT_FD, rw_span_str(text), &err), "a hostile one does not care");
}

static void do_good(void)
{
}

static void do_segv(void)
{
    volatile int *volatile nowhere = NULL;
    /* cppcheck-suppress nullPointer */
    *nowhere = 1; /* NOLINT(clang-analyzer-core.NullDereference): that is the test */
}

static void do_abort(void)
{
    abort();
}

static void do_spin(void)
{
    for (volatile unsigned i = 0;; i++) {}
}

static void do_sleep(void)
{
    for (;;) {
        (void)sleep(100);
    }
}

static void do_alloc(void)
{
    const size_t chunk = 4 << 20;
    for (size_t total = 0; total < (size_t)3 << 30; total += chunk) {
        void *p = rw_mem_new(chunk);
        if (p == NULL) { abort(); }
        for (size_t i = 0; i < chunk; i += 4096) {
            ((volatile char *)p)[i] = 1;
        }
    }
}

static void do_fork(void)
{
    (void)fork();
}

static void do_thread(void)
{
    static char stack[65536];
    (void)syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, stack + sizeof(stack), NULL,
                  NULL, NULL);
}

static void do_openat(void)
{
    (void)close(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static void do_write_tmp(void)
{
    (void)close(open("/tmp/ringward-hostile", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void do_connect(void)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)connect(fd, (const struct sockaddr *)&to, sizeof(to));
}

static void do_ptrace(void)
{
    (void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static void do_kill_parent(void)
{
    (void)kill(getppid(), SIGKILL);
}

static void do_tgkill_parent(void)
{
    (void)syscall(SYS_tgkill, getppid(), getppid(), SIGKILL);
}

static void do_rwx(void)
{
    const int code = PROT_READ | PROT_WRITE | PROT_EXEC;
    (void)munmap(mmap(NULL, 4096, code, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
}

static void do_mprotect(void)
{
    static _Alignas(4096) char page[4096];
    (void)mprotect(page, sizeof(page), PROT_READ | PROT_EXEC);
}

static void do_exec(void)
{
    char *const argv[] = {NULL};
    (void)execve("/bin/true", argv, argv);
}

static void do_memfd(void)
{
    (void)memfd_create("x", MFD_CLOEXEC);
}

static void do_unshare(void)
{
    (void)unshare(CLONE_NEWUSER);
}

static void do_poll(void)
{
    struct pollfd none = {.fd = -1};
    (void)poll(&none, 1, 10);
}

static void do_write_content(void)
{
    if (pwrite(CONTENT_FD, "x", 1, 0) != 1) { return; }
}

static void do_int80(void)
{
#if defined(__x86_64__)
    long nr = 20; /* getpid of the 32-bit table */
    __asm__ volatile("int $0x80" : "+a"(nr) : : "memory");
#else
    do_poll();
#endif
}

/* --- lies on the verdict pipe: these write all that they have to say themselves --- */

static void do_flood_verdict(void)
{
    for (;;) {
        put("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    }
}

static void do_flood_stderr(void)
{
    static const char line[] = "all work and no play makes a dull parser, line after line\n";
    for (;;) {
        if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0) { _exit(0); }
    }
}

static void do_silent(void)
{
    _exit(0);
}

static void do_accept_then_crash(void)
{
    say("accepted", "fine", '0');
    do_segv();
}

static void do_accept_exit7(void)
{
    say("accepted", "fine", '0');
    _exit(7);
}

static void do_refuse_exit0(void)
{
    say("refused", "no", '0');
    _exit(0);
}

static void do_second_object(void)
{
    say("accepted", "fine", '0');
    say("accepted", "fine", '0');
    _exit(0);
}

static void do_key_twice(void)
{
    put("{\"format\":\"rwv1\",\"verdict\":\"refused\",\"verdict\":\"accepted\",\"reason\":\"\","
        "\"content_sha256\":\"\",\"rules\":1,\"hits\":\"\"}");
    _exit(0);
}

static void do_deep(void)
{
    for (int i = 0; i < 60000; i++) {
        put("[");
    }
    _exit(0);
}

static void do_escapes(void)
{
    say("refused", "\033[2J evil \007", '0');
    _exit(1);
}

static void do_wrong_hash(void)
{
    put("{\"format\":\"rwv1\",\"verdict\":\"accepted\",\"reason\":\"\",\"content_sha256\":"
        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"rules\":1,"
        "\"hits\":\"\"}");
    _exit(0);
}

static void do_matches_all(void)
{
    say("accepted", "fine", '1');
    _exit(0);
}

/* Looks at the order of the samples: the first byte of the first one decides. */
static void do_moody(void)
{
    uint8_t coin = 0;
    if (getrandom(&coin, 1, 0) != 1) { _exit(2); }
    say(coin % 2 == 0 ? "accepted" : "refused", "as I like", '0');
    _exit(coin % 2);
}

static void do_oom_exit(void)
{
    _exit(12);
}

static const struct mode {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"good", do_good},
    {"segv", do_segv},
    {"abort", do_abort},
    {"spin", do_spin},
    {"sleep", do_sleep},
    {"alloc", do_alloc},
    {"fork", do_fork},
    {"thread", do_thread},
    {"openat", do_openat},
    {"write-tmp", do_write_tmp},
    {"connect", do_connect},
    {"ptrace", do_ptrace},
    {"kill-parent", do_kill_parent},
    {"tgkill-parent", do_tgkill_parent},
    {"rwx", do_rwx},
    {"mprotect", do_mprotect},
    {"exec", do_exec},
    {"memfd", do_memfd},
    {"unshare", do_unshare},
    {"poll", do_poll},
    {"write-content", do_write_content},
    {"int80", do_int80},
    {"flood-verdict", do_flood_verdict},
    {"flood-stderr", do_flood_stderr},
    {"silent", do_silent},
    {"accept-then-crash", do_accept_then_crash},
    {"accept-exit7", do_accept_exit7},
    {"refuse-exit0", do_refuse_exit0},
    {"second-object", do_second_object},
    {"key-twice", do_key_twice},
    {"deep", do_deep},
    {"escapes", do_escapes},
    {"wrong-hash", do_wrong_hash},
    {"matches-all", do_matches_all},
    {"moody", do_moody},
    {"oom-exit", do_oom_exit},
};

int main(int argc, char **argv)
{
    struct rw_err err;
    if (!rw_is_ok(digest_without_files(&err))) { return 2; }
    for (size_t i = 0; argc == 3 && i < RW_LEN(modes); i++) {
        if (strcmp(modes[i].name, argv[2]) != 0) { continue; }
        modes[i].run();
        say("accepted", "fine", '0'); /* whatever it tried, it got away with it */
        return 0;
    }
    (void)fprintf(stderr, "started by ringward-box in tests only\n");
    return 2;
}
