/* Trust, identity, spool, programs; and the report as text and JSON. */
#include "agent/agent_verify.h"

#include "agent/report/beacon_spool.h"
#include "common/base/alt.h"
#include "common/base/file.h"
#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_doc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROLES_MAX = 24 };

/* --- trust --- */

/* The stored timestamp stands for the server's; no newer root is known; nothing else is fetched, so nothing is
 * written. */
static RW_RC only_stored(void *ctx, const char *path, size_t max, struct rw_buf *into,
                         struct rw_err *err)
{
    const int *dir = ctx;
    if (strcmp(path, "timestamp.json") == 0) { return rw_file_read_at(*dir, path, max, into, err); }
    if (strstr(path, "root.json") != NULL) {
        return rw_fail(err, RW_E_NOT_FOUND, "%s is not stored", path);
    }
    return rw_fail(err, RW_E_STALE, "%s is not stored here, or does not verify", path);
}

static void look_up(struct verify_place *p, struct tuf_client *c, const struct manifest_entry *e)
{
    struct rw_err err;
    struct tuf_target t;
    char path[TUF_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "content/%s/%lld.rwc", e->family, (long long)e->release);
    struct rw_rc rc = tuf_client_find(c, path, &t, &err);
    if (rc.code == RW_E_NOT_FOUND) {
        agent_verify_say(p->report, VERIFY_NOTE, "trust", "",
                         "%s is active and not listed any more: kept until the ring moves", path);
    } else if (!rw_is_ok(rc)) {
        agent_verify_say(p->report, VERIFY_NOTE, "trust",
                         "let the agent poll: ringward-agent check",
                         "%s cannot be looked up in what is stored: %.150s", path, err.text);
    } else if (t.length != e->bytes || !digest_same(t.sha256, e->sha256, DIGEST_BYTES)) {
        agent_verify_say(
            p->report, VERIFY_BAD, "trust",
            "stop the agent and keep the state directory for an investigation; then remove it",
            "%s: what is active is not what role '%s' signed", path, t.role);
    } else {
        agent_verify_say(p->report, VERIFY_OK, "trust", "",
                         "%s is signed by role '%s', version %lld", path, t.role,
                         (long long)t.role_version);
    }
}

static void look_at_expiry(struct verify_place *p, const struct tuf_client *c)
{
    struct tuf_role_status roles[ROLES_MAX];
    size_t n = tuf_client_status(c, roles, ROLES_MAX);
    for (size_t i = 0; i < n; i++) {
        char until[RW_TIME_TEXT_BYTES];
        rw_wall_format(until, roles[i].expires);
        bool over = roles[i].expires.s <= p->now.s;
        agent_verify_say(
            p->report, over ? VERIFY_NOTE : VERIFY_OK, "trust",
            over ? "let the agent poll; when that does not help the server must sign anew" : "",
            "role '%s' version %lld %s %s", roles[i].role, (long long)roles[i].version,
            over ? "expired at" : "is valid until", until);
    }
}

static void check_root_file(struct verify_place *p)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_ROOT_BYTES_MAX);
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    struct rw_rc rc = rw_file_read(p->conf->root_file, TUF_ROOT_BYTES_MAX, &text, &err);
    if (rw_is_ok(rc)) { rc = tuf_doc_parse(rw_buf_span(&text), "root", &doc, &err); }
    if (rw_is_ok(rc)) { return; }
    agent_verify_say(p->report, VERIFY_BAD, "trust", "install the root file of this server again",
                     "root_file: %.250s", err.text);
}

void agent_verify_trust(struct verify_place *p)
{
    struct rw_err err;
    struct tuf_client *c = NULL;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    check_root_file(p);
    struct rw_rc rc = rw_dir_open_at(p->state, "trust", &dir, &err);
    if (rc.code == RW_E_NOT_FOUND) {
        agent_verify_say(p->report, VERIFY_NOTE, "trust", "",
                         "nothing stored yet: no poll has ended here");
        return;
    }
    int borrowed = dir;
    const struct tuf_fetch fetch = {.get = only_stored, .ctx = &borrowed};
    if (rw_is_ok(rc)) { rc = tuf_client_open(dir, fetch, &c, &err); }
    /* At time 0 nothing has expired: signatures first, times behind. */
    if (rw_is_ok(rc)) { rc = tuf_client_refresh(c, (struct rw_wall){0}, &err); }
    if (!rw_is_ok(rc)) {
        bool early = rc.code == RW_E_NOT_FOUND;
        agent_verify_say(
            p->report, early ? VERIFY_NOTE : VERIFY_BAD, "trust",
            "let the agent poll: it takes the metadata anew from the server, beginning at "
            "root_file",
            "%.300s", err.text);
    } else {
        for (size_t i = 0; i < p->active.count; i++) {
            look_up(p, c, &p->active.content[i]);
        }
        look_at_expiry(p, c);
    }
    tuf_client_drop(&c);
}

/* --- spool, identity --- */

struct spool_walk {
    struct verify_place *p;
    int dir;
    int64_t count, bad;
};

static RW_RC look_at_beacon(void *ctx, const char *name, struct rw_err *err)
{
    struct spool_walk *w = ctx;
    struct beacon b;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(BEACON_SPOOL_FILE_BYTES_MAX);
    struct rw_rc rc = rw_file_read_at(w->dir, name, BEACON_SPOOL_FILE_BYTES_MAX, &text, err);
    if (rc.code == RW_E_NOT_FOUND || name[0] == '.') {
        return RW_OK;
    } /* sent meanwhile, or half made */
    w->count++;
    if (rw_is_ok(rc)) { rc = json_parse(rw_buf_span(&text), &json_limits_small, &tree, err); }
    if (rw_is_ok(rc)) { rc = beacon_read(tree, &b, err); }
    if (rw_is_ok(rc)) { return RW_OK; }
    w->bad++;
    agent_verify_say(w->p->report, VERIFY_BAD, "spool",
                     "none: the agent drops and counts it when it sends", "'%.70s': %.200s", name,
                     err->text);
    return RW_OK;
}

static void check_private(struct verify_place *p, const char *name, bool needed)
{
    struct stat st;
    if (fstatat(p->state, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (needed) {
            agent_verify_say(p->report, VERIFY_NOTE, "identity", "", "'%s' is not there yet", name);
        }
        return;
    }
    if (S_ISREG(st.st_mode) && st.st_uid == p->owner && (st.st_mode & 077U) == 0) { return; }
    agent_verify_say(p->report, VERIFY_BAD, "identity",
                     "make it a file of the agent's user with mode 0600",
                     "'%s': owner %u, mode %07o", name, (unsigned)st.st_uid, (unsigned)st.st_mode);
}

void agent_verify_spool(struct verify_place *p)
{
    struct rw_err err;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    struct spool_walk w = {.p = p};
    check_private(p, "identity.a", false);
    check_private(p, "identity.b", false);
    check_private(p, "token", true);
    struct rw_rc rc = rw_dir_open_at(p->state, "spool", &dir, &err);
    w.dir = dir;
    if (rw_is_ok(rc)) { rc = rw_dir_each(dir, look_at_beacon, &w, &err); }
    if (!rw_is_ok(rc)) {
        agent_verify_say(p->report, VERIFY_BAD, "spool", "start the agent: it makes the folder",
                         "%s", err.text);
        return;
    }
    agent_verify_say(p->report, VERIFY_OK, "spool", "", "%lld beacons wait, at most %d",
                     (long long)w.count, BEACON_SPOOL_MAX);
}

/* --- programs and settings: whoever may write them may do what the agent may --- */

static void check_file(struct verify_place *p, const char *path, bool program)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (program && access(path, X_OK) != 0)) {
        agent_verify_say(p->report, VERIFY_BAD, "programs",
                         "install it again, or correct the settings", "'%.200s' is %s", path,
                         program ? "no program" : "no file");
        return;
    }
    if ((st.st_mode & 022U) != 0 ||
        (st.st_uid != 0 && st.st_uid != p->owner && st.st_uid != geteuid())) {
        agent_verify_say(p->report, VERIFY_BAD, "programs", "chown root, chmod go-w",
                         "'%.200s' may be written by others (owner %u, mode %04o)", path,
                         (unsigned)st.st_uid, (unsigned)st.st_mode & 07777U);
        return;
    }
    agent_verify_say(p->report, VERIFY_OK, "programs", "", "'%.200s'", path);
}

void agent_verify_programs(struct verify_place *p)
{
    static const char *const names[] = {"ringward-box", "ringward-patch"};
    char path[AGENT_CONF_COMMAND_BYTES];
    check_file(p, p->conf->path, false);
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(p->conf->sensor_command, " "),
                   p->conf->sensor_command);
    check_file(p, path, true);
    check_file(p, p->conf->http_program, true);
    for (size_t i = 0; i < RW_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", p->conf->box_dir, names[i]);
        check_file(p, path, true);
    }
}

/* --- output --- */

static const char *level_name(enum verify_level l)
{
    static const char *const names[] = {"ok", "note", "bad"};
    return names[l];
}

RW_RC agent_verify_write(const struct verify_report *r, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_bool(&w, "intact", r->bad == 0);
    json_put_int(&w, "bad", (int64_t)r->bad);
    json_put_int(&w, "notes", (int64_t)r->notes);
    json_open_array(&w, "findings");
    for (size_t i = 0; i < r->count; i++) {
        json_open_object(&w, NULL);
        json_put_str(&w, "level", level_name(r->findings[i].level));
        json_put_str(&w, "where", r->findings[i].where);
        json_put_str(&w, "text", r->findings[i].text);
        json_put_str(&w, "hint", r->findings[i].hint);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

void agent_verify_print(const struct verify_report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct verify_finding *f = &r->findings[i];
        printf("%-5s %-13s %s\n", level_name(f->level), f->where, f->text);
        if (f->hint[0] != '\0') { printf("%-5s %-13s -> %s\n", "", "", f->hint); }
    }
    printf("%s: %zu bad, %zu notes\n", r->bad == 0 ? "intact" : "NOT INTACT", r->bad, r->notes);
}
