/* Content that is good alone may not go together with the rest of the set: the installed sensor's own loader tries the
 * whole of it in the box, before anything is switched (INV-5). Without a loader that check is missing, and named as
 * such (INV-12). */
#include "agent/poll/poll_state.h"

#include "agent/activate/set_store.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/box/box_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "dry-run" /* below the state directory: two sets, removed after each run */

enum { CANDIDATE = 2, ACTIVE = 1 };

void poll_load_missing(const struct poll *p, char missing[static POLL_TEXT_BYTES])
{
    size_t n = strnlen(missing, POLL_TEXT_BYTES);
    if (p->o.loader != NULL && p->o.loader[0] != '\0') { return; }
    if (n + sizeof(POLL_NO_LOADER) + 2 > POLL_TEXT_BYTES) { return; }
    (void)snprintf(missing + n, POLL_TEXT_BYTES - n, "%s%s", n > 0 ? "; " : "", POLL_NO_LOADER);
}

/* What a dry run was about: the whole set, by its content. */
static RW_RC name_of_set(const struct manifest *m, uint8_t out[static DIGEST_BYTES],
                         struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MANIFEST_BYTES_MAX);
    struct manifest same = *m;
    same.set = 0;
    RW_TRY(manifest_write(&same, &text, err));
    return digest_sha256(rw_buf_span(&text), out, err);
}

static RW_RC with_candidate(const struct poll_input *in, const struct poll_family *f,
                            struct manifest *out, struct rw_err *err)
{
    struct manifest_entry e = {.release = f->content.release, .bytes = f->content.length};
    *out = in->active;
    (void)snprintf(e.family, sizeof(e.family), "%s", f->family);
    rw_copy(e.sha256, sizeof(e.sha256), f->content.sha256, DIGEST_BYTES);
    return manifest_put(out, &e, err);
}

static RW_RC build(const struct set_store *s, const struct manifest *m, int64_t number,
                   struct rw_err *err)
{
    struct manifest numbered = *m;
    numbered.set = number;
    return set_store_build(s, &numbered, NULL, err);
}

/* Both sets as hard links below a folder of this thread's own: the sets of the main thread are not touched. */
static RW_RC try_sets(struct poll *p, const struct manifest *active, const struct manifest *next,
                      struct verdict *v, struct rw_err *err)
{
    char box[POLL_PATH_BYTES];
    char set[POLL_PATH_BYTES];
    char before[POLL_PATH_BYTES];
    RW_AUTO(rw_fd) rw_fd folder = -1;
    RW_TRY(rw_dir_make_at(p->o.state_dir, FOLDER, 0700, &folder, err));
    const struct set_store s = {.state = -1, .sets = folder, .store = p->o.store_dir};
    (void)snprintf(box, sizeof(box), "%s/ringward-box", p->o.box_dir);
    (void)snprintf(set, sizeof(set), "%s/" FOLDER "/%d", p->o.state_path, CANDIDATE);
    (void)snprintf(before, sizeof(before), "%s/" FOLDER "/%d", p->o.state_path, ACTIVE);
    struct rw_rc rc = build(&s, active, ACTIVE, err);
    if (rw_is_ok(rc)) { rc = build(&s, next, CANDIDATE, err); }
    const struct box_load_run req = {.box = box,
                                     .loader = p->o.loader,
                                     .set = set,
                                     .before = before,
                                     .allow_weak = p->o.allow_weak};
    if (rw_is_ok(rc)) { rc = box_run_load(&req, v, err); }
    struct rw_err late;
    RW_IGNORE(set_store_collect(&s, NULL, 0, &late), "the next run removes what is left");
    return rc;
}

static RW_RC run(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                 const struct poll_family *f, struct verdict *v, struct rw_err *err)
{
    struct manifest next;
    uint8_t name[DIGEST_BYTES];
    RW_TRY(with_candidate(in, f, &next, err));
    RW_TRY(name_of_set(&next, name, err));
    if (m->has_loaded && memcmp(m->loaded, name, sizeof(name)) == 0) {
        v->kind = VERDICT_ACCEPTED;
        return RW_OK;
    }
    RW_TRY(try_sets(p, &in->active, &next, v, err));
    if (v->kind != VERDICT_ACCEPTED) { return RW_OK; }
    rw_log(RW_LOG_INFO, "load_verdict", "verdict", verdict_kind_name(v->kind));
    m->has_loaded = true;
    rw_copy(m->loaded, sizeof(m->loaded), name, sizeof(name));
    return RW_OK;
}

bool poll_load(struct poll *p, struct poll_memory *m, const struct poll_input *in,
               const struct poll_family *f, struct verdict *v)
{
    struct rw_err err = {.code = RW_E_NONE};
    if (p->o.loader == NULL || p->o.loader[0] == '\0') { return true; }
    if (rw_is_ok(run(p, m, in, f, v, &err))) { return v->kind == VERDICT_ACCEPTED; }
    /* No verdict opens nothing (INV-3). */
    *v = (struct verdict){.kind = VERDICT_SANDBOX_ERROR, .final = false, .grade = "none"};
    (void)snprintf(v->reason, sizeof(v->reason), "%.200s", err.text);
    return false;
}
