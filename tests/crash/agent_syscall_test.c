/* Goal: the whole activation path of the agent is killed behind every system call that changes the disk, and every such
 * call fails in its turn (full disk, I/O error, interruption, short transfer): at every instant the link names a whole
 * set (INV-6), and after a restart the path ends where it should, told to the server once.
 *
 * The calls are found from outside (tests/fakes/syscall_trace.h). By default those that change the disk are hit, by
 * kill each; by faults in a sample. RW_FAULTS=full hits each call with each fault that fits it, kills behind any call
 * whatever it does, and fails those to sensor, box and network helper; RW_FAULTS=full:interrupted does so with one
 * fault (scripts/faults); RW_FAULTS=update:killed:74 repeats one try. What the lives of a failed try logged is printed.
 */
#include "agent/activate/activate.h"
#include "agent/poll/poll.h"

static const char life_sensor[] = RW_FAKE_DIR "/fake_sensor";
static const char life_box[] = RW_FAKE_DIR "/fake_box";

#include "tests/crash/agent_life.h"
#include "tests/fakes/syscall_trace.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { TRIES_MAX = 65536, POOL = 16, NO_LINK = -1 };

static const struct path {
    const char *id;
    const char *behaviour; /* of release 2 */
    int before[2];         /* releases installed before, in this order; 0: none */
    int pointer;           /* release that the ring points at */
    bool unclean;          /* two starts have not ended well */
    int least;             /* release that may be active at any instant, from .. to */
    int most;
    int end_least; /* and in the end */
    int end_most;
    enum beacon_kind kind; /* told once about `about`; other proofs of it never */
    int about;
} paths[] = {
    {"first_start", "ok", {0, 0}, 1, false, NO_LINK, 1, 1, 1, BEACON_HEALTHY, 1},
    {"update", "ok", {1, 0}, 2, false, 1, 2, 2, 2, BEACON_HEALTHY, 2},
    {"content_that_crashes", "crash-on-load", {1, 0}, 2, false, 1, 2, 1, 1, BEACON_FAILED, 2},
    {"content_that_the_box_refuses", "refuse", {1, 0}, 2, false, 1, 1, 1, 1, BEACON_REFUSED, 0},
    {"revert", "ok", {1, 2}, 1, false, 1, 2, 1, 1, BEACON_REVERTED, 2},
    {"boot_guard", "ok", {1, 2}, 2, true, 0, 2, 0, 1, BEACON_FAILED, 2},
};

/* One try, and what came of it; shared with the worker that makes it. */
struct attempt {
    size_t path;
    struct syscall_plan plan;
    struct syscall_result result;
    bool done;
    char text[LIFE_TEXT_BYTES];
    char life_text[LIFE_TEXT_BYTES];
};

static struct attempt *attempts; /* shared memory */
static size_t attempt_count;
static struct life_world worlds[RW_LEN(paths)];
static struct harness_dir home;
static char templates[RW_LEN(paths)][128];

/* --- directories --- */

static void copy_tree(const char *from, const char *to)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("cp", "cp", "-a", "--", from, to, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    (void)waitpid(pid, &status, 0);
    if (status != 0) { _exit(9); }
}

static void remove_tree(const char *path)
{
    (void)nftw(path, harness_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What a sensor would load if something else started it now. -1: no link yet. */
static int64_t bare_release(const char *state, struct slot_state *slots, struct rw_err *err)
{
    struct set_store sets = {.sets = -1, .store = -1};
    struct manifest m = {.count = 0};
    int64_t set = -1;
    bool fresh = false;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    struct rw_rc rc = rw_dir_open(state, &dir, err);
    sets.state = dir;
    if (rw_is_ok(rc)) { rc = set_store_active(&sets, &set, err); }
    if (rc.code == RW_E_NOT_FOUND) { return NO_LINK; }
    if (rw_is_ok(rc)) { rc = rw_dir_open_at(dir, "sets", &sets.sets, err); }
    if (rw_is_ok(rc)) { rc = set_store_check(&sets, set, &m, err); } /* INV-6 */
    set_store_drop(&sets);
    if (rw_is_ok(rc)) { rc = slot_load(dir, slots, &fresh, err); }
    if (!rw_is_ok(rc)) { return -2; }
    return m.count == 0 ? 0 : m.content[0].release;
}

/* --- one try --- */

static int run_plain(struct life *l)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(life_live(l));
    }
    (void)waitpid(pid, &status, 0);
    return status;
}

__attribute__((format(printf, 2, 3))) static bool complain(struct attempt *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(t->text, sizeof(t->text), fmt, ap);
    va_end(ap);
    return false;
}

static bool look(struct attempt *t, const char *state, const char *when, int least, int most)
{
    struct rw_err err = {.code = RW_E_NONE};
    struct slot_state slots;
    int64_t r = bare_release(state, &slots, &err);
    if (r >= least && r <= most) { return true; }
    return complain(t, "%s: release %lld is active, want %d..%d (%.120s)", when, (long long)r,
                    least, most, err.text);
}

static bool look_at_end(struct attempt *t, const struct path *p, const struct life_world *w,
                        const char *state)
{
    static const enum beacon_kind proofs[] = {BEACON_HEALTHY, BEACON_FAILED, BEACON_REVERTED};
    struct rw_err err = {.code = RW_E_NONE};
    struct slot_state slots;
    int64_t r = bare_release(state, &slots, &err);
    if (slots.trial.change != SLOT_NO_CHANGE) { return complain(t, "a change is left behind"); }
    if (slots.boot.open) { return complain(t, "the end was not clean"); }
    for (size_t i = 0; i < RW_LEN(proofs) && p->about > 0; i++) {
        int told = life_told(w, proofs[i], p->about);
        bool before = p->before[1] == p->about && proofs[i] == BEACON_HEALTHY;
        if (before || told == (proofs[i] == p->kind ? 1 : 0)) { continue; }
        return complain(t, "'%s' about release %d was told %d times (release %lld is active)",
                        beacon_kind_name(proofs[i]), p->about, told, (long long)r);
    }
    return true;
}

static bool try_one(struct attempt *t, const char *state)
{
    const struct path *p = &paths[t->path];
    struct life_world *w = &worlds[t->path];
    char log[160];
    (void)snprintf(log, sizeof(log), "%s.log", state);
    struct life l = {
        .w = w, .state = state, .guard_alone = p->unclean, .log = log, .text = t->life_text};
    copy_tree(templates[t->path], state);
    w->web = web_start(life_serve, w);
    l.url = web_url(w->web);
    t->plan.folder = state;
    t->result = syscall_trace(life_live, &l, &t->plan);
    int status = t->result.status;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!WIFEXITED(status) && !(killed && t->plan.deed == SYSCALL_KILL)) {
        return complain(t, "the agent died by signal %d", WTERMSIG(status));
    }
    if (t->plan.deed == SYSCALL_ONLY_COUNT) {
        if (status != 0) { return complain(t, "without any fault: %.200s", t->life_text); }
        return look(t, state, "without any fault", p->end_most, p->end_most) &&
               look_at_end(t, p, w, state);
    }
    if (!look(t, state, "right after", p->least, p->most)) { return false; }
    t->life_text[0] = '\0';
    status = run_plain(&l);
    if (status != 0) {
        return complain(t, "restart: status %#x: %.180s", (unsigned)status, t->life_text);
    }
    return look(t, state, "in the end", p->end_least, p->end_most) && look_at_end(t, p, w, state);
}

/* --- all tries --- */

static void start(size_t index)
{
    char state[128];
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid != 0) { return; }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(state, sizeof(state), "%s/s%zu", home.path, index);
    struct attempt *t = &attempts[index];
    t->done = try_one(t, state);
    remove_tree(state);
    _exit(0);
}

/* Of the thousands of tries of one fault, as it goes. */
static void show_progress(size_t from, size_t ended)
{
    enum { EACH = 200 };
    if (ended % EACH != 0) { return; }
    print_message("           %zu of %zu\n", ended, attempt_count - from);
    (void)fflush(stdout);
}

/* Runs attempts from..attempt_count, a few at a time: they mostly wait. */
static void run_from(size_t from)
{
    size_t running = 0;
    size_t ended = 0;
    for (size_t i = from; i < attempt_count || running > 0;) {
        if (i < attempt_count && running < POOL) {
            start(i++);
            running++;
            continue;
        }
        int status = 0;
        assert_true(waitpid(-1, &status, 0) > 0);
        running--;
        if (getenv("RW_FAULTS") != NULL) { show_progress(from, ++ended); }
    }
}

static void add(size_t path, const struct syscall_plan *plan)
{
    assert_true(attempt_count < TRIES_MAX);
    attempts[attempt_count++] = (struct attempt){.path = path, .plan = *plan};
}

static const struct fault {
    const char *id;
    unsigned kinds;
    enum syscall_deed deed;
    int error;
    bool from_there_on;
    int stride;      /* by default every so many-th call; 0: none */
    int stride_full; /* with RW_FAULTS=full */
} faults[] = {
    {"killed", SYSCALL_ALL_DURABLE, SYSCALL_KILL, 0, false, 1, 1},
    {"killed_elsewhere", SYSCALL_ALL & ~SYSCALL_ALL_DURABLE, SYSCALL_KILL, 0, false, 0, 1},
    {"disk_full", SYSCALL_ALL_DURABLE & ~(1 << SYSCALL_UNLINK), SYSCALL_FAIL, ENOSPC, false, 5, 1},
    {"disk_stays_full", SYSCALL_ALL_DURABLE & ~(1 << SYSCALL_UNLINK), SYSCALL_FAIL, ENOSPC, true, 9,
     1},
    {"io_error", SYSCALL_ALL_DURABLE, SYSCALL_FAIL, EIO, false, 7, 1},
    {"io_error_on_read",
     1 << SYSCALL_OPEN | 1 << SYSCALL_READ | 1 << SYSCALL_LIST | 1 << SYSCALL_STAT, SYSCALL_FAIL,
     EIO, false, 29, 1},
    {"interrupted",
     1 << SYSCALL_CREATE | 1 << SYSCALL_WRITE | 1 << SYSCALL_SYNC | 1 << SYSCALL_OPEN |
         1 << SYSCALL_READ,
     SYSCALL_FAIL, EINTR, false, 29, 1},
    {"short_write", 1 << SYSCALL_WRITE, SYSCALL_SHORT, 0, false, 3, 1},
    {"short_read", 1 << SYSCALL_READ, SYSCALL_SHORT, 0, false, 17, 1},
    /* Pipes and sockets to sensor, box and network. */
    {"pipe_error", 1 << SYSCALL_TAKE | 1 << SYSCALL_PUT | 1 << SYSCALL_SOCKET, SYSCALL_FAIL, EIO,
     false, 0, 1},
    {"pipe_interrupted", 1 << SYSCALL_TAKE | 1 << SYSCALL_PUT | 1 << SYSCALL_SOCKET, SYSCALL_FAIL,
     EINTR, false, 0, 1},
    {"pipe_short", 1 << SYSCALL_TAKE | 1 << SYSCALL_PUT | 1 << SYSCALL_SOCKET, SYSCALL_SHORT, 0,
     false, 0, 1},
};

static struct syscall_plan plan_of(const struct fault *f, int at)
{
    return (struct syscall_plan){.kinds = f->kinds,
                                 .deed = f->deed,
                                 .at = at,
                                 .error = f->error,
                                 .from_there_on = f->from_there_on};
}

enum extent { SAMPLE, FULL, ONE, NONE };

/* What RW_FAULTS wants of this fault. */
static enum extent extent_of(const struct fault *f)
{
    static const char of_one[] = "full:";
    const char *wish = getenv("RW_FAULTS");
    if (wish == NULL) { return SAMPLE; }
    if (strcmp(wish, "full") == 0) { return FULL; }
    if (strncmp(wish, of_one, strlen(of_one)) != 0) { return ONE; }
    return strcmp(wish + strlen(of_one), f->id) == 0 ? FULL : NONE;
}

/* RW_FAULTS=list: for scripts/faults. */
static bool names_only(void)
{
    const char *wish = getenv("RW_FAULTS");
    if (wish == NULL || strcmp(wish, "list") != 0) { return false; }
    for (size_t i = 0; i < RW_LEN(faults); i++) {
        print_message("fault: %s\n", faults[i].id);
    }
    return true;
}

/* A try without any deed: it must succeed, and tells how many calls there are. */
static void count_calls(size_t path, const struct fault *f, struct syscall_result *out)
{
    const struct syscall_plan plan = {
        .kinds = f->kinds, .deed = SYSCALL_ONLY_COUNT, .at = 0, .error = 0};
    size_t at = attempt_count;
    add(path, &plan);
    run_from(at);
    if (!attempts[at].done) { fail_msg("%s: %s", paths[path].id, attempts[at].text); }
    *out = attempts[at].result;
    attempt_count = at;
}

static void print_log(size_t index)
{
    char name[160];
    char line[400];
    (void)snprintf(name, sizeof(name), "%s/s%zu.log", home.path, index);
    FILE *f = fopen(name, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        print_message("             %s", line);
    }
    if (f != NULL) { (void)fclose(f); }
}

static void report_hits(const struct fault *f, size_t from)
{
    int hits = 0;
    int by_kind[SYSCALL_KINDS] = {0};
    int bad = 0;
    for (size_t i = from; i < attempt_count; i++) {
        const struct attempt *t = &attempts[i];
        hits += t->result.hit ? 1 : 0;
        by_kind[t->result.kind] += t->result.hit ? 1 : 0;
        if (t->done) { continue; }
        bad++;
        print_message("           WRONG %s, %s, call %d (%s): %s [%s]\n", paths[t->path].id, f->id,
                      t->plan.at, syscall_kind_name(t->result.kind), t->text, t->life_text);
        if (bad <= 3) { print_log(i); }
    }
    print_message("           %-18s %4d hits:", f->id, hits);
    for (int k = 0; k < SYSCALL_KINDS; k++) {
        if (by_kind[k] > 0) {
            print_message(" %s %d", syscall_kind_name((enum syscall_kind)k), by_kind[k]);
        }
    }
    print_message("\n");
    assert_int_equal(bad, 0);
    assert_true(hits > 0);
}

/* RW_FAULTS=update:killed:74: this one only. */
static void one_alone(const struct fault *f)
{
    const char *wish = getenv("RW_FAULTS");
    char name[128];
    for (size_t p = 0; p < RW_LEN(paths); p++) {
        int n = snprintf(name, sizeof(name), "%s:%s:", paths[p].id, f->id);
        if (strncmp(wish, name, (size_t)n) != 0) { continue; }
        int64_t at = 0;
        struct rw_err err;
        MUST(rw_parse_i64(rw_span_str(wish + n), 1, TRIES_MAX, "RW_FAULTS", &at, &err));
        const struct syscall_plan plan = plan_of(f, (int)at);
        size_t from = attempt_count;
        add(p, &plan);
        run_from(from);
        report_hits(f, from);
    }
}

/* Sanitized processes start slowly: they look for other faults than the plain build, and take a sample. */
#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 6 };
#else
enum { SANITIZED = 1 };
#endif

static void attack(const struct fault *f)
{
    enum extent extent = extent_of(f);
    int stride = extent == FULL ? f->stride_full : f->stride * SANITIZED;
    size_t from = attempt_count;
    struct syscall_result counted[RW_LEN(paths)];
    if (extent == ONE) { one_alone(f); }
    if (extent == ONE || extent == NONE || stride == 0) { return; }
    for (size_t p = 0; p < RW_LEN(paths); p++) {
        count_calls(p, f, &counted[p]);
    }
    for (size_t p = 0; p < RW_LEN(paths); p++) {
        /* Other paths begin at another call, so that a sample meets each kind somewhere. */
        for (int at = 1 + (int)p % stride; at <= counted[p].counted; at += stride) {
            const struct syscall_plan plan = plan_of(f, at);
            add(p, &plan);
        }
    }
    run_from(from);
    report_hits(f, from);
}

/* The state with which a path begins, made by lives of the agent itself. */
static void prepare(size_t path)
{
    const struct path *p = &paths[path];
    struct life_world *w = &worlds[path];
    char text[LIFE_TEXT_BYTES] = "";
    struct rw_err err;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    struct slot_state slots;
    bool fresh = false;
    (void)snprintf(templates[path], sizeof(templates[path]), "%s/t%zu", home.path, path);
    MUST(rw_dir_make(templates[path], 0700, &err));
    life_world_make(w, home.path, p->behaviour);
    w->web = web_start(life_serve, w);
    struct life l = {
        .w = w, .url = web_url(w->web), .state = templates[path], .log = "/dev/null", .text = text};
    for (size_t i = 0; i < RW_LEN(p->before) && p->before[i] > 0; i++) {
        life_point(w, p->before[i]);
        int status = run_plain(&l);
        if (status != 0) { fail_msg("%s: cannot prepare: %#x %s", p->id, (unsigned)status, text); }
    }
    web_stop(&w->web);
    life_point(w, p->pointer);
    if (!p->unclean) { return; }
    MUST(rw_dir_open(templates[path], &dir, &err));
    MUST(slot_load(dir, &slots, &fresh, &err));
    slots.boot = (struct slot_boot){.open = true, .unclean = 1};
    MUST(slot_save(dir, &slots, &err));
}

TEST(killed_or_failed_at_any_system_call_a_valid_set_remains_and_the_path_ends_right)
{
    if (!syscall_trace_works()) {
        print_message("           skipped: traced on x86_64 only\n");
        skip();
    }
    if (names_only()) { return; }
    attempts = mmap(NULL, TRIES_MAX * sizeof(*attempts), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(attempts, MAP_FAILED);
    home = harness_dir();
    for (size_t p = 0; p < RW_LEN(paths); p++) {
        prepare(p);
    }
    for (size_t i = 0; i < RW_LEN(faults); i++) {
        attack(&faults[i]);
    }
    harness_dir_drop(&home);
}

RUN_TESTS(cmocka_unit_test(
    killed_or_failed_at_any_system_call_a_valid_set_remains_and_the_path_ends_right))
