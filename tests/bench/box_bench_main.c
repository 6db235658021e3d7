/* box_bench: what each layer of the sandbox costs, and a whole validation, beside fork+exec and bubblewrap.
 *
 * Usage: box_bench BIN_DIR [RUNS]     (scripts/bench box)
 * All variants take turns, round by round, so that what the machine does meanwhile hits them alike; medians are shown,
 * and ratios of medians of the same run. */
#include "agent/prove/box_launch.h"
#include "common/base/num.h"
#include "common/box/samples_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RUNS_DEFAULT = 200,
    RUNS_MAX = 2000,
    VARIANTS_MAX = 20,
    YARA_RUNS = 15,
    YARA_RULES = 2000,
    YARA_SAMPLES = 65,
    SAMPLE_BYTES = 144 * 1024,
    PATH_MAX_BYTES = 512,
    NOBODY = 65534,
};

static struct rw_err err;

static void must(struct rw_rc rc)
{
    if (rw_is_ok(rc)) { return; }
    (void)fprintf(stderr, "box_bench: %s\n", err.text);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- inputs --- */

struct inputs {
    struct box_memory content, samples, validator;
    char path[PATH_MAX_BYTES]; /* of the validator */
    const char *type;
};

static void seal_text(struct box_memory *m, const char *name, struct rw_span bytes)
{
    must(box_memory_open(m, name, false, &err));
    must(box_memory_add(m, bytes, &err));
    must(box_memory_seal(m, &err));
}

static void seal_program(struct inputs *in, const char *bin, const char *name)
{
    (void)snprintf(in->path, sizeof(in->path), "%s/%s", bin, name);
    must(box_memory_open(&in->validator, "validator", true, &err));
    must(box_memory_add_file(&in->validator, in->path, 64 << 20, &err));
    must(box_memory_seal(&in->validator, &err));
}

static void small_inputs(struct inputs *in, const char *bin)
{
    static const uint8_t none[] = {'R', 'W', 'V', '1', 0, 0, 0, 0};
    static char content[4096];
    in->type = "good";
    seal_text(&in->content, "content", rw_span_of(content, sizeof(content)));
    seal_text(&in->samples, "samples", rw_span_of(none, sizeof(none)));
    seal_program(in, bin, "ringward-box-selftest");
}

/* Rules with three texts each, none of which stands in the samples; samples of text-like noise. */
static void yara_inputs(struct inputs *in, const char *bin)
{
    RW_AUTO(rw_buf) struct rw_buf rules = rw_buf_make(8 << 20);
    RW_AUTO(rw_buf) struct rw_buf samples = rw_buf_make(64 << 20);
    uint8_t head[8];
    uint32_t state = 4711;
    for (int i = 0; i < YARA_RULES; i++) {
        must(rw_buf_appendf(&rules, &err,
                            "rule r%d { strings: $a = \"needle-%d-alpha\" $b = \"needle-%d-beta\" "
                            "$c = { %02x %02x 13 37 %02x fe ed } condition: any of them }\n",
                            i, i, i, i & 255, i >> 8, (i * 7) & 255));
    }
    samples_blind_head(YARA_SAMPLES, head);
    must(rw_buf_append(&samples, rw_span_of(head, sizeof(head)), &err));
    for (int i = 0; i < YARA_SAMPLES; i++) {
        uint8_t *at = NULL;
        samples_blind_one(SAMPLE_BYTES, head);
        must(rw_buf_append(&samples, rw_span_of(head, SAMPLES_ONE_HEAD_BYTES), &err));
        must(rw_buf_reserve(&samples, SAMPLE_BYTES, &at, &err));
        for (int k = 0; k < SAMPLE_BYTES; k++) {
            state = state * 1664525U + 1013904223U;
            at[k] = (uint8_t)(0x20 + (state >> 24) % 95);
        }
        rw_buf_commit(&samples, SAMPLE_BYTES);
    }
    in->type = "yara";
    seal_text(&in->content, "content", rw_buf_span(&rules));
    seal_text(&in->samples, "samples", rw_buf_span(&samples));
    seal_program(in, bin, "ringward-validate-yara");
}

/* --- variants --- */

struct variant {
    const char *name;
    enum { PLAIN, SPAWN, BOX, BWRAP, PROGRAM } kind;
    uint32_t without; /* BOX */
    double *ms;
    size_t count;
};

struct bench {
    const char *bin;
    struct inputs in;
    char content_path[PATH_MAX_BYTES];
};

/* What the child of fork does: descriptors as the interface says, then exec. */
static void exec_with(char *const *argv, const int fds[static 3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] == 3 + i) {
            (void)fcntl(fds[i], F_SETFD, 0);
        } else if (dup2(fds[i], 3 + i) < 0) {
            _exit(126);
        }
    }
    (void)execv(argv[0], argv);
    _exit(127);
}

static void drain_and_reap(pid_t pid, int fd, const char *what)
{
    char chunk[65536];
    int status = 0;
    ssize_t all = 0;
    for (ssize_t got = 1; got > 0;) {
        got = read(fd, chunk, sizeof(chunk));
        all += got > 0 ? got : 0;
    }
    (void)close(fd);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
        all == 0) {
        (void)fprintf(stderr, "box_bench: %s: status %x, %zd bytes\n", what, (unsigned)status, all);
        exit(1);
    }
}

static void run_forked(const struct bench *b, char *const *argv, bool spawn)
{
    int content = -1;
    int samples = -1;
    int pair[2];
    must(box_memory_reopen(&b->in.content, &content, &err));
    must(box_memory_reopen(&b->in.samples, &samples, &err));
    if (pipe2(pair, O_CLOEXEC) != 0) { exit(1); }
    /* Out of the way of 3, 4 and 5. */
    const int fds[] = {fcntl(content, F_DUPFD_CLOEXEC, 20), fcntl(samples, F_DUPFD_CLOEXEC, 20),
                       fcntl(pair[1], F_DUPFD_CLOEXEC, 20)};
    pid_t pid = 0;
    if (spawn) {
        posix_spawn_file_actions_t actions;
        (void)posix_spawn_file_actions_init(&actions);
        for (int i = 0; i < 3; i++) {
            (void)posix_spawn_file_actions_adddup2(&actions, fds[i], 3 + i);
        }
        if (posix_spawn(&pid, argv[0], &actions, NULL, argv, environ) != 0) { exit(1); }
        (void)posix_spawn_file_actions_destroy(&actions);
    } else {
        pid = fork();
        if (pid == 0) { exec_with(argv, fds); }
    }
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
    (void)close(content);
    (void)close(samples);
    (void)close(pair[1]);
    drain_and_reap(pid, pair[0], argv[0]);
}

static void run_boxed(const struct bench *b, uint32_t without)
{
    char name[] = "validator";
    char verb[] = "validate";
    char type[32];
    char *const argv[] = {name, verb, type, NULL};
    struct box_watch w = box_launch_prepare();
    (void)snprintf(type, sizeof(type), "%s", b->in.type);
    const struct box_launch_request req = {.content = &b->in.content,
                                           .samples = &b->in.samples,
                                           .validator = &b->in.validator,
                                           .argv = argv,
                                           .wall_ms = 60000,
                                           .cpu_s = 60,
                                           .memory_bytes = INT64_C(1) << 30,
                                           .without = without,
                                           .allow_weak = true};
    must(box_launch(&req, &w, &err));
    if (w.said.n == 0 || w.wait_status != 0) {
        (void)fprintf(stderr, "box_bench: the box: %s\n",
                      w.refused[0] != '\0' ? w.refused : w.denied_text);
        exit(1);
    }
    box_watch_drop(&w);
}

/* The whole program: reads its inputs, runs the validator twice, prints a verdict. */
static void run_program(const struct bench *b)
{
    char box[PATH_MAX_BYTES];
    char validator[PATH_MAX_BYTES];
    char content[PATH_MAX_BYTES];
    int pair[2];
    (void)snprintf(box, sizeof(box), "%s/ringward-box", b->bin);
    (void)snprintf(validator, sizeof(validator), "%s", b->in.path);
    (void)snprintf(content, sizeof(content), "%s", b->content_path);
    char words[][20] = {"run", "--validator", "--type", "good", "--content", "--clean-files", "0"};
    char *const argv[] = {box,      words[0], words[1], validator, words[2], words[3],
                          words[4], content,  words[5], words[6],  NULL};
    if (pipe2(pair, O_CLOEXEC) != 0) { exit(1); }
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(pair[1], STDOUT_FILENO);
        (void)execv(box, argv);
        _exit(127);
    }
    (void)close(pair[1]);
    drain_and_reap(pid, pair[0], box);
}

static void run_one(const struct bench *b, const struct variant *v)
{
    char path[PATH_MAX_BYTES];
    char verb[] = "validate";
    char type[32];
    char bwrap[] = "/usr/bin/bwrap";
    char options[][20] = {"--unshare-all", "--die-with-parent", "--ro-bind", "/v", "--"};
    char *const plain[] = {path, verb, type, NULL};
    char *const wrapped[] = {bwrap,      options[0], options[1], options[2], path, options[3],
                             options[4], options[3], verb,       type,       NULL};
    (void)snprintf(path, sizeof(path), "%s", b->in.path);
    (void)snprintf(type, sizeof(type), "%s", b->in.type);
    switch (v->kind) {
    case PLAIN:
    case SPAWN:
        run_forked(b, plain, v->kind == SPAWN);
        break;
    case BWRAP:
        run_forked(b, wrapped, false);
        break;
    case BOX:
        run_boxed(b, v->without);
        break;
    case PROGRAM:
        run_program(b);
        break;
    }
}

/* --- numbers --- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(struct variant *v, double q)
{
    qsort(v->ms, v->count, sizeof(*v->ms), compare);
    return v->ms[(size_t)((double)(v->count - 1) * q)];
}

static void measure(const struct bench *b, struct variant *v, size_t count, size_t runs)
{
    for (size_t i = 0; i < count; i++) {
        v[i].ms = malloc(runs * sizeof(*v[i].ms));
        v[i].count = 0;
        if (v[i].ms == NULL) { exit(1); }
        run_one(b, &v[i]); /* warm */
    }
    for (size_t r = 0; r < runs; r++) {
        for (size_t i = 0; i < count; i++) {
            double start = now_ms();
            run_one(b, &v[i]);
            v[i].ms[v[i].count++] = now_ms() - start;
        }
    }
}

static void print_table(const char *title, struct variant *v, size_t count)
{
    double base = quantile(&v[0], 0.5);
    double before = base;
    printf("\n%s\n%-50s %8s %8s %8s %8s %8s\n", title, "", "p10", "median", "p90", "added",
           "ratio");
    for (size_t i = 0; i < count; i++) {
        double median = quantile(&v[i], 0.5);
        printf("%-50s %8.2f %8.2f %8.2f %+8.2f %7.2fx\n", v[i].name, quantile(&v[i], 0.1), median,
               quantile(&v[i], 0.9), median - before, median / base);
        before = median;
    }
}

#define BIT(layer) BOX_LAYER_BIT(BOX_LAYER_##layer)

/* Rows of root: each adds a layer to the row before. Fewer than the first row would be no sandbox (grade none). */
static size_t root_variants(struct variant *v)
{
    static const struct {
        const char *name;
        uint32_t adds;
    } rows[] = {
        {"launcher: rlimits, no_new_privs, filter (kill)", 0},
        {"+ listener", BIT(NOTIFY)},
        {"+ own uid, no capabilities", BIT(UID)},
        {"+ Landlock, scope, write-xor-execute",
         BIT(LANDLOCK) | BIT(TRUNCATE) | BIT(NET) | BIT(SCOPE) | BIT(MDWE)},
        {"+ mount name space, empty root", BIT(MNTNS)},
        {"+ ipc, uts name spaces", BIT(IPCNS) | BIT(UTSNS)},
        {"+ pid name space with an init", BIT(PIDNS)},
        {"+ net name space", BIT(NETNS)},
        {"+ cgroup: the full box", BIT(CGROUP)},
    };
    uint32_t without = 0;
    size_t n = 0;
    for (size_t i = 0; i < RW_LEN(rows); i++) {
        without |= rows[i].adds;
    }
    v[n++] = (struct variant){.name = "fork + exec, pipe, wait", .kind = PLAIN};
    v[n++] = (struct variant){.name = "posix_spawn", .kind = SPAWN};
    for (size_t i = 0; i < RW_LEN(rows); i++) {
        without &= ~rows[i].adds;
        v[n++] = (struct variant){.name = rows[i].name, .kind = BOX, .without = without};
    }
    if (access("/usr/bin/bwrap", X_OK) == 0) {
        v[n++] = (struct variant){.name = "bwrap --unshare-all (no filter, limits, verdict)",
                                  .kind = BWRAP};
    }
    v[n++] = (struct variant){.name = "ringward-box run, whole program, two runs", .kind = PROGRAM};
    return n;
}

static void bench_user(struct bench *b, size_t runs)
{
    struct variant v[] = {
        {.name = "fork + exec, pipe, wait", .kind = PLAIN},
        {.name = "no name spaces", .kind = BOX, .without = BOX_LAYER_NAMESPACES},
        {.name = "user name space and all others", .kind = BOX},
    };
    measure(b, v, RW_LEN(v), runs);
    print_table("unprivileged, no cgroup (ms)", v, RW_LEN(v));
    (void)fflush(stdout);
}

static void bench_unprivileged(const char *bin, size_t runs)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct bench b = {.bin = bin};
        if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0) {
            _exit(1);
        }
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as after an exec: the id maps are ours */
        small_inputs(&b.in, bin);
        bench_user(&b, runs);
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
}

static void bench_yara(const char *bin)
{
    struct bench b = {.bin = bin};
    struct variant v[] = {
        {.name = "fork + exec", .kind = PLAIN},
        {.name = "the full box", .kind = BOX},
    };
    yara_inputs(&b.in, bin);
    measure(&b, v, RW_LEN(v), YARA_RUNS);
    print_table("libyara: 2000 rules, 6000 strings, 65 samples of 9 MB (ms, 15 runs)", v,
                RW_LEN(v));
    double ratio = quantile(&v[1], 0.5) / quantile(&v[0], 0.5);
    printf("aim: under 1.15 x of the unboxed time: %.3f x  %s\n", ratio,
           ratio < 1.15 ? "met" : "NOT MET");
}

static void tell_aims(struct variant *v, size_t count)
{
    double base = quantile(&v[0], 0.5);
    double full = 0;
    double bwrap = 0;
    for (size_t i = 0; i < count; i++) {
        if (v[i].kind == BOX && v[i].without == 0) { full = quantile(&v[i], 0.5); }
        if (v[i].kind == BWRAP) { bwrap = quantile(&v[i], 0.5); }
    }
    printf("aim: full box under 3 ms over fork + exec: %+.2f ms  %s\n", full - base,
           full - base < 3 ? "met" : "NOT MET");
    if (bwrap > 0) {
        printf("aim: cheaper than bwrap --unshare-all: %.2f x of it  %s\n", full / bwrap,
               full < bwrap ? "met" : "NOT MET");
    }
}

int main(int argc, char **argv)
{
    struct variant v[VARIANTS_MAX];
    struct bench b = {.bin = argc > 1 ? argv[1] : ""};
    int64_t runs = RUNS_DEFAULT;
    if (argc < 2) {
        (void)fprintf(stderr, "Usage: box_bench BIN_DIR [RUNS]\n");
        return 2;
    }
    if (argc > 2) { must(rw_parse_i64(rw_span_str(argv[2]), 3, RUNS_MAX, "RUNS", &runs, &err)); }
    small_inputs(&b.in, b.bin);
    (void)snprintf(b.content_path, sizeof(b.content_path), "%s", b.in.path);
    if (geteuid() == 0) {
        size_t count = root_variants(v);
        measure(&b, v, count, (size_t)runs);
        print_table("one validation by a validator that reads its content and answers (ms)", v,
                    count);
        tell_aims(v, count);
        bench_unprivileged(b.bin, (size_t)runs);
    } else {
        bench_user(&b, (size_t)runs);
    }
    bench_yara(b.bin);
    return 0;
}
