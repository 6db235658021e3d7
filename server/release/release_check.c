/* The server's own box between release_upload and the signatures (release.h). */
#include "common/box/verdict_codec.h"
#include "server/release/release_record.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void fill_job(const struct release *r, struct release_check_job *out)
{
    *out = (struct release_check_job){.id = r->id};
    release_stage_path(&r->id, RELEASE_PAYLOAD, out->payload_path);
    if (r->samples.declared) { release_stage_path(&r->id, RELEASE_SAMPLES, out->samples_path); }
    rw_copy(out->payload_sha256, sizeof(out->payload_sha256), r->payload.sha256,
            sizeof(r->payload.sha256));
}

/* --- the release before, which new content is measured against --- */

/* What runs everywhere, when a box saw it; else the newest published one that was not halted. One that no box ever saw
 * is no measure, and a drill is no release before. 0: there is none. */
static int64_t choose_before(const struct release_domain *d, const struct release_id *of)
{
    const struct release_index *x = d->index;
    int64_t in_place = d->in_place == NULL ? 0 : d->in_place(d->rollouts, of->family);
    int64_t newest = 0;
    for (size_t i = release_index_seek(x, of); i > 0; i--) {
        const struct release_index_entry *e = &x->at[i - 1];
        if (strcmp(e->id.family, of->family) != 0) { break; }
        if (!e->measure) { continue; }
        if (e->id.number == in_place) { return in_place; }
        bool bad = newest == 0 && d->halted != NULL && d->halted(d->rollouts, &e->id);
        if (newest == 0 && !bad) { newest = e->id.number; }
        if (in_place == 0 && newest > 0) { break; }
    }
    return newest;
}

/* A payload that is not there any more is no reason to hold up the next: there is nothing to compare with then. */
static RW_RC find_before(struct release_domain *d, struct release_check_job *job,
                         struct rw_err *err)
{
    struct release_id before = job->id;
    char path[RELEASE_PATH_BYTES];
    RW_TRY(release_index_load(d->index, d->store, err));
    before.number = choose_before(d, &job->id);
    if (before.number == 0) { return RW_OK; }
    release_stage_path(&before, RELEASE_PAYLOAD, path);
    if (faccessat(d->staging_dir, path, R_OK, 0) != 0) { return RW_OK; }
    rw_copy(job->before_path, sizeof(job->before_path), path, sizeof(path));
    job->before_steps = job->id.number - before.number;
    return RW_OK;
}

RW_RC release_begin_check(struct release_domain *d, const struct release_id *id,
                          struct release_check_job *job_out, struct rw_err *err)
{
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(release_record_load(d, id, &r, err));
    RW_TRY(
        release_record_require(&r, r.state == RELEASE_CHECKING, "nothing is to be checked", err));
    fill_job(&r, job_out);
    return find_before(d, job_out, err);
}

/* INV-3: what is not a final verdict on these very bytes opens nothing. */
static RW_RC judge(const struct release *r, struct rw_span text, enum release_rule_outcome *out,
                   struct rw_err *err)
{
    struct verdict v;
    *out = RELEASE_RULE_NOTHING;
    if (text.n == 0) { return RW_OK; }
    RW_TRY(verdict_read(text, &v, err));
    *out = release_rule_judge(verdict_kind_name(v.kind), v.final);
    bool about_nothing = *out == RELEASE_RULE_NOTHING && v.content_sha256[0] == '\0';
    if (about_nothing || strcmp(v.content_sha256, r->payload.sha256) == 0) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_HASH, "the verdict speaks of content %.16s..., not of %.16s...",
                   v.content_sha256, r->payload.sha256);
}

static const char *why_of(enum release_rule_outcome outcome)
{
    switch (outcome) {
    case RELEASE_RULE_ACCEPTED:
        return "the box accepted it";
    case RELEASE_RULE_DENIED:
        return "the box did not accept it";
    case RELEASE_RULE_NOTHING:
        break;
    }
    return "the box gave no final verdict";
}

RW_RC release_record_check(struct release_domain *d, const struct release_id *id,
                           struct rw_span verdict, struct rw_buf *out, struct rw_err *err)
{
    enum release_rule_outcome outcome = RELEASE_RULE_NOTHING;
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(release_record_load(d, id, &r, err));
    RW_TRY(
        release_record_require(&r, r.state == RELEASE_CHECKING, "nothing is to be checked", err));
    RW_TRY(judge(&r, verdict, &outcome, err));
    rw_buf_clear(&r.check);
    RW_TRY(rw_buf_append(&r.check, verdict, err));
    RW_TRY(sm_move(&release_rule_states, &r.state, (int)release_rule_after_check(outcome), err));
    const struct release_record_act act = {.actor = "server",
                                           .action = "release.check",
                                           .reason = why_of(outcome),
                                           .details = verdict};
    RW_TRY(release_record_save(d, &r, &act, err));
    return release_record_answer(&r, out, err);
}

/* --- after a start --- */
struct jobs {
    struct release_check_job *at; /* owned */
    size_t count;
};

static void jobs_drop(struct jobs *j)
{
    rw_mem_free(j->at);
}

static RW_RC gather(struct release_domain *d, struct jobs *j, struct rw_err *err)
{
    for (size_t i = 0; i < d->index->count; i++) {
        if (d->index->at[i].state != RELEASE_CHECKING) { continue; }
        RW_AUTO(release) struct release r = release_make();
        RW_TRY(release_record_load(d, &d->index->at[i].id, &r, err));
        void *grown = rw_mem_grow(j->at, j->count + 1, sizeof(*j->at));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for checks"); }
        j->at = grown;
        fill_job(&r, &j->at[j->count++]);
    }
    return RW_OK;
}

RW_RC release_each_checking(struct release_domain *d,
                            RW_RC (*each)(void *arg, const struct release_check_job *job,
                                          struct rw_err *err),
                            void *arg, struct rw_err *err)
{
    RW_AUTO(jobs) struct jobs j = {.at = NULL};
    /* Gathered first: `each` may use the store. */
    RW_TRY(release_index_load(d->index, d->store, err));
    RW_TRY(gather(d, &j, err));
    for (size_t i = 0; i < j.count; i++) {
        RW_TRY(find_before(d, &j.at[i], err));
        RW_TRY(each(arg, &j.at[i], err));
    }
    return RW_OK;
}
