/* The sets, the link, the slots, the store. */
#include "agent/agent_verify.h"

#include "agent/activate/set_store.h"
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 3 };

static const char restart_hint[] =
    "restart the agent: its guard repairs the set from the store, or goes back to the one before";

void agent_verify_say(struct verify_report *r, enum verify_level level, const char *where,
                      const char *hint, const char *fmt, ...)
{
    va_list ap;
    r->bad += level == VERIFY_BAD ? 1 : 0;
    r->notes += level == VERIFY_NOTE ? 1 : 0;
    if (r->count == VERIFY_FINDINGS_MAX) { return; }
    struct verify_finding *f = &r->findings[r->count++];
    f->level = level;
    (void)snprintf(f->where, sizeof(f->where), "%s", where);
    (void)snprintf(f->hint, sizeof(f->hint), "%s", hint);
    va_start(ap, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
}

static void check_slots(struct verify_place *p)
{
    struct rw_err err;
    bool fresh = false;
    if (!rw_is_ok(slot_load(p->state, &p->slots, &fresh, &err))) {
        agent_verify_say(p->report, VERIFY_BAD, "slots",
                         "restart the agent: it takes what the link names for proven", "%s",
                         err.text);
        return;
    }
    p->has_slots = !fresh;
    if (fresh) {
        agent_verify_say(p->report, VERIFY_NOTE, "slots", "", "none yet: no run has begun here");
        return;
    }
    agent_verify_say(p->report, VERIFY_OK, "slots", "",
                     "set %lld is proven, set %lld is the one before", (long long)p->slots.current,
                     (long long)p->slots.previous);
    if (p->slots.trial.change != SLOT_NO_CHANGE) {
        agent_verify_say(p->report, VERIFY_NOTE, "slots", "", "a change is under way: %s, set %lld",
                         slot_change_name(p->slots.trial.change), (long long)p->slots.trial.set);
    }
}

static void check_set(struct verify_place *p, const struct set_store *sets, const char *where,
                      int64_t set, struct manifest *out)
{
    struct rw_err err;
    if (!rw_is_ok(set_store_check(sets, set, out, &err))) {
        *out = (struct manifest){.set = set};
        agent_verify_say(p->report, VERIFY_BAD, where, restart_hint, "set %lld: %.250s",
                         (long long)set, err.text);
        return;
    }
    for (size_t i = 0; i < out->count; i++) {
        agent_verify_say(p->report, VERIFY_OK, where, "",
                         "set %lld: %s/%lld, %lld bytes, hash and mode as they should be",
                         (long long)set, out->content[i].family, (long long)out->content[i].release,
                         (long long)out->content[i].bytes);
    }
    if (out->count == 0) {
        agent_verify_say(p->report, VERIFY_OK, where, "", "set %lld: empty, as it should be",
                         (long long)set);
    }
}

static void check_link(struct verify_place *p, const struct set_store *sets)
{
    struct rw_err err;
    int64_t set = 0;
    if (!rw_is_ok(set_store_active(sets, &set, &err))) {
        agent_verify_say(p->report, VERIFY_BAD, "link", "restart the agent: it sets the link anew",
                         "%s", err.text);
        return;
    }
    const struct slot_state *s = &p->slots;
    int64_t want = s->trial.change != SLOT_NO_CHANGE ? s->trial.set : s->current;
    if (p->has_slots && set != want) {
        agent_verify_say(
            p->report, VERIFY_BAD, "link", "restart the agent: it lets the link follow",
            "'current' names set %lld, the slots say %lld", (long long)set, (long long)want);
    } else {
        agent_verify_say(p->report, VERIFY_OK, "link", "", "'current' names set %lld",
                         (long long)set);
    }
    check_set(p, sets, "active set", set, &p->active);
}

static void check_sets(struct verify_place *p)
{
    struct rw_err err;
    struct manifest unused;
    struct set_store sets = {.state = p->state, .sets = -1, .store = -1};
    if (!rw_is_ok(rw_dir_open_at(p->state, "sets", &sets.sets, &err))) {
        agent_verify_say(p->report, VERIFY_BAD, "sets", "start the agent: it makes the folder",
                         "%s", err.text);
        return;
    }
    check_link(p, &sets);
    if (p->has_slots && p->slots.previous != 0) {
        check_set(p, &sets, "previous set", p->slots.previous, &unused);
    }
    check_set(p, &sets, "minimal set", 0, &unused);
    if (unused.count != 0) {
        agent_verify_say(p->report, VERIFY_BAD, "minimal set", restart_hint,
                         "set 0 must be empty, it holds %zu families", unused.count);
    }
    set_store_drop(&sets);
}

struct store_walk {
    struct verify_place *p;
    int dir;
    int64_t files, parts, bytes;
};

static RW_RC look_at_stored(void *ctx, const char *name, struct rw_err *err)
{
    static const char hint[] = "remove the file: the agent fetches it again when it needs it";
    struct store_walk *w = ctx;
    struct stat st;
    uint8_t want[DIGEST_BYTES];
    uint8_t have[DIGEST_BYTES];
    uint64_t n = 0;
    if (name[0] == '.') {
        w->parts++;
        return RW_OK;
    }
    RW_AUTO(rw_fd) rw_fd fd = openat(w->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (!rw_is_ok(rw_hex_decode(want, sizeof(want), rw_span_str(name), "name", err)) || fd < 0 ||
        fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        agent_verify_say(w->p->report, VERIFY_BAD, "store", hint, "'%.70s' is no content file",
                         name);
        return RW_OK;
    }
    w->files++;
    w->bytes += st.st_size;
    if (st.st_uid != w->p->owner || (st.st_mode & 07777U) != 0400) {
        agent_verify_say(w->p->report, VERIFY_BAD, "store", hint,
                         "%.16s...: owner %u, mode %04o; must be %u, 0400", name,
                         (unsigned)st.st_uid, (unsigned)st.st_mode & 07777U, (unsigned)w->p->owner);
    }
    if (!rw_is_ok(digest_fd(fd, (uint64_t)st.st_size, have, &n, err)) ||
        !digest_same(have, want, sizeof(have))) {
        agent_verify_say(w->p->report, VERIFY_BAD, "store", hint,
                         "%.16s...: not the bytes of its name", name);
    }
    return RW_OK;
}

static void check_store(struct verify_place *p)
{
    struct rw_err err;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    struct store_walk w = {.p = p};
    struct rw_rc rc = rw_dir_open_at(p->state, "store", &dir, &err);
    w.dir = dir;
    if (rw_is_ok(rc)) { rc = rw_dir_each(dir, look_at_stored, &w, &err); }
    if (!rw_is_ok(rc)) {
        agent_verify_say(p->report, VERIFY_BAD, "store", "start the agent: it makes the folder",
                         "%s", err.text);
        return;
    }
    agent_verify_say(p->report, VERIFY_OK, "store", "",
                     "%lld files, %lld bytes, %lld partial downloads", (long long)w.files,
                     (long long)w.bytes, (long long)w.parts);
}

static void check_state_dir(struct verify_place *p)
{
    struct stat st;
    if (fstat(p->state, &st) != 0) { return; }
    p->owner = st.st_uid;
    if ((st.st_mode & 077U) != 0) {
        agent_verify_say(p->report, VERIFY_BAD, "state", "chmod 0700 on it",
                         "'%.200s' has mode %04o, must be 0700", p->conf->state_dir,
                         (unsigned)st.st_mode & 07777U);
    } else {
        agent_verify_say(p->report, VERIFY_OK, "state", "", "'%.200s', owner %u",
                         p->conf->state_dir, (unsigned)p->owner);
    }
}

static bool slots_moved(int state, const struct slot_state *seen)
{
    struct slot_state now;
    struct rw_err unused;
    bool fresh = false;
    return rw_is_ok(slot_load(state, &now, &fresh, &unused)) &&
           (now.next != seen->next || now.current != seen->current ||
            now.previous != seen->previous || now.trial.change != seen->trial.change);
}

RW_RC agent_verify(const struct agent_conf *conf, struct rw_wall now, struct verify_report *out,
                   struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd state = -1;
    RW_TRY(rw_dir_open(conf->state_dir, &state, err));
    /* The agent may be at work: what changed under our eyes is looked at again. */
    for (int i = 0; i < TRIES; i++) {
        struct verify_place p = {.conf = conf, .report = out, .state = state, .now = now};
        *out = (struct verify_report){.count = 0};
        check_state_dir(&p);
        check_slots(&p);
        check_sets(&p);
        check_store(&p);
        agent_verify_trust(&p);
        agent_verify_spool(&p);
        agent_verify_programs(&p);
        if (out->bad == 0 || !p.has_slots || !slots_moved(state, &p.slots)) { break; }
    }
    return RW_OK;
}
