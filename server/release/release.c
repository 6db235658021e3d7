#include "server/release/release.h"

#include "server/release/release_record.h"
#include "server/release/release_repo.h"

#include <stdio.h>
#include <string.h>

/* --- create --- */
/* Numbers rise strictly and are never used again, whatever became of the release before. */
static RW_RC next_number(struct release_domain *d, const struct release_repo *repo,
                         const char *family, int64_t *out, struct rw_err *err)
{
    struct release_id last = {.number = RELEASE_NUMBER_MAX + 1};
    int64_t newest = release_repo_newest(repo, family);
    RW_TRY(release_index_load(d->index, d->store, err));
    RW_TRY(rw_span_to_str(last.family, sizeof(last.family), rw_span_str(family), "family", err));
    size_t at = release_index_seek(d->index, &last);
    if (at > 0 && strcmp(d->index->at[at - 1].id.family, family) == 0 &&
        d->index->at[at - 1].id.number > newest) {
        newest = d->index->at[at - 1].id.number;
    }
    if (newest >= RELEASE_NUMBER_MAX) {
        return rw_fail(err, RW_E_RANGE, "family '%s' has used up its numbers", family);
    }
    *out = newest + 1;
    return RW_OK;
}

RW_RC release_create(struct release_domain *d, const char *author, struct rw_span body,
                     struct rw_buf *out, struct rw_err *err)
{
    size_t class_index = 0;
    RW_AUTO(release) struct release r = release_make();
    struct release_repo repo;
    RW_TRY(release_read_request(body, &r, err));
    RW_TRY(rw_span_to_str(r.author, sizeof(r.author), rw_span_str(author), "author", err));
    RW_TRY(release_repo_read(d->repo_dir, r.id.family, &repo, err));
    struct rw_rc rc = next_number(d, &repo, r.id.family, &r.id.number, err);
    if (rw_is_ok(rc)) {
        rc = ring_policy_find_class(&repo.policy, r.class_name, &class_index, err);
        if (!rw_is_ok(rc)) {
            rc = rw_fail(err, RW_E_RANGE, "class: the policy has no class '%.40s'", r.class_name);
        }
    }
    r.threshold = repo.authority.threshold;
    release_repo_drop(&repo);
    RW_TRY(rc);
    r.state = RELEASE_DRAFT;
    r.created = rw_clock_wall(&d->clock);
    RW_TRY(release_stage_make(d->staging_dir, &r.id, err));
    const struct release_record_act act = {
        .actor = author, .action = "release.create", .reason = r.reason};
    RW_TRY(release_record_save(d, &r, &act, err));
    return release_record_answer(&r, out, err);
}

/* --- upload --- */
static RW_RC after_upload(struct release *r, bool *check_wanted_out, struct rw_err *err)
{
    *check_wanted_out = false;
    if (!r->payload.here || (r->samples.declared && !r->samples.here)) { return RW_OK; }
    /* Left unchecked: visible everywhere, and the endpoints' own boxes still run. */
    if (r->unchecked) { return sm_move(&release_rule_states, &r->state, RELEASE_CHECKED, err); }
    RW_TRY(sm_move(&release_rule_states, &r->state, RELEASE_CHECKING, err));
    *check_wanted_out = true;
    return RW_OK;
}

static struct release_file *file_of(struct release *r, enum release_part part)
{
    return part == RELEASE_PAYLOAD ? &r->payload : &r->samples;
}

static RW_RC load_open(struct release_domain *d, const struct release_id *id,
                       enum release_part part, struct release *r, struct rw_err *err)
{
    RW_TRY(release_record_load(d, id, r, err));
    RW_TRY(release_record_require(r, r->state == RELEASE_DRAFT, "files go to drafts only", err));
    return release_record_require(r, file_of(r, part)->declared, "no samples were declared", err);
}

RW_RC release_upload_place(struct release_domain *d, const struct release_id *id,
                           enum release_part part, struct release_place *out, struct rw_err *err)
{
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(load_open(d, id, part, &r, err));
    *out = release_record_place(d, &r, part);
    return release_stage_make(d->staging_dir, id, err);
}

RW_RC release_upload_take(struct release_domain *d, const struct release_place *at,
                          bool *check_wanted_out, struct rw_buf *out, struct rw_err *err)
{
    bool wanted = false;
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(load_open(d, &at->id, at->part, &r, err));
    file_of(&r, at->part)->here = true;
    RW_TRY(after_upload(&r, &wanted, err));
    const struct release_record_act act = {
        .actor = r.author,
        .action = at->part == RELEASE_PAYLOAD ? "release.payload" : "release.samples",
        .reason = r.state == RELEASE_CHECKED ? r.reason : ""};
    RW_TRY(release_record_save(d, &r, &act, err));
    RW_TRY(release_record_answer(&r, out, err));
    *check_wanted_out = wanted;
    return RW_OK;
}

/* --- giving up --- */
RW_RC release_abandon(struct release_domain *d, const struct release_id *id, const char *by,
                      const char *reason, struct rw_buf *out, struct rw_err *err)
{
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(release_record_load(d, id, &r, err));
    if (reason[0] == '\0') { return rw_fail(err, RW_E_SCHEMA, "reason: say why"); }
    RW_TRY(release_record_require(&r, r.state != RELEASE_PUBLISHED,
                                  "what agents may have is rolled back, not given up", err));
    RW_TRY(sm_move(&release_rule_states, &r.state, RELEASE_WITHDRAWN, err));
    const struct release_record_act act = {
        .actor = by, .action = "release.abandon", .reason = reason};
    RW_TRY(release_record_save(d, &r, &act, err));
    return release_record_answer(&r, out, err);
}

/* --- views --- */
/* INV-11: to a tenant's token what is not published is not there, whatever its state. */
static RW_RC load_view(struct release_domain *d, const struct release_id *id, bool published,
                       struct release *r, struct rw_err *err)
{
    RW_TRY(release_record_load(d, id, r, err));
    return published && r->state != RELEASE_PUBLISHED ? release_record_unknown(id, err) : RW_OK;
}

RW_RC release_show(struct release_domain *d, const struct release_id *id, bool published,
                   struct rw_buf *out, struct rw_err *err)
{
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(load_view(d, id, published, &r, err));
    return release_record_answer(&r, out, err);
}

/* --- lists --- */
struct listing {
    const struct release_page *page;
    const struct release_index *index;
    size_t next; /* in the order of the page; one above the entry when the newest come first */
    int64_t written;
};

/* The next release that is wanted; NULL: there is none. */
static const struct release_index_entry *step(struct listing *l)
{
    const struct release_page *p = l->page;
    while (p->newest_first ? l->next > 0 : l->next < l->index->count) {
        const struct release_index_entry *e =
            p->newest_first ? &l->index->at[--l->next] : &l->index->at[l->next++];
        bool family = p->family[0] == '\0' || strcmp(e->id.family, p->family) == 0;
        bool seen = !p->published || e->state == RELEASE_PUBLISHED;
        if (family && seen && (p->state < 0 || e->state == p->state)) { return e; }
    }
    return NULL;
}

static void seek(struct listing *l)
{
    struct release_id from = l->page->after;
    if (from.number == 0) {
        l->next = l->page->newest_first ? l->index->count : 0;
        return;
    }
    if (!l->page->newest_first) { from.number++; }
    l->next = release_index_seek(l->index, &from);
}

static RW_RC put_releases(struct release_domain *d, struct listing *l, const struct rw_buf *out,
                          struct json_writer *w, struct rw_err *err)
{
    struct release_id last = l->page->after;
    const struct release_index_entry *e = step(l);
    for (; e != NULL && l->written < l->page->limit && out->n < RELEASE_PAGE_BYTES; e = step(l)) {
        RW_AUTO(release) struct release r = release_make();
        RW_TRY(release_record_load(d, &e->id, &r, err));
        release_put_public(w, NULL, &r);
        l->written++;
        last = e->id;
    }
    json_close_array(w);
    if (e == NULL) { return RW_OK; }
    char next[RELEASE_KEY_BYTES];
    (void)snprintf(next, sizeof(next), "%s/%lld", last.family, (long long)last.number);
    json_put_str(w, "next", next);
    return RW_OK;
}

RW_RC release_list(struct release_domain *d, const struct release_page *page, struct rw_buf *out,
                   struct rw_err *err)
{
    RW_ASSERT(page->limit >= 1 && page->limit <= RELEASE_PAGE_MAX);
    RW_TRY(release_index_load(d->index, d->store, err));
    struct listing l = {.page = page, .index = d->index};
    struct json_writer w = json_begin(out);
    seek(&l);
    json_open_object(&w, NULL);
    json_open_array(&w, "releases");
    RW_TRY(put_releases(d, &l, out, &w, err));
    json_close_object(&w);
    return json_done(&w, err);
}

RW_RC release_take(struct release_domain *d, const struct store_doc *doc, struct rw_err *err)
{
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(release_read_stored(doc->body, doc->generation, &r, err));
    release_index_note(d->index, &r);
    return RW_OK;
}

RW_RC release_find(struct release_domain *d, const struct release_id *id,
                   struct release_facts *facts_out, struct rw_err *err)
{
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(release_record_load(d, id, &r, err));
    *facts_out = (struct release_facts){
        .state = r.state, .bytes = r.payload.bytes, .unchecked = r.unchecked};
    rw_copy(facts_out->class_name, sizeof(facts_out->class_name), r.class_name,
            sizeof(r.class_name));
    rw_copy(facts_out->sha256, sizeof(facts_out->sha256), r.payload.sha256,
            sizeof(r.payload.sha256));
    return RW_OK;
}

RW_RC release_payload_place(struct release_domain *d, const struct release_id *id, bool published,
                            struct release_place *out, struct rw_err *err)
{
    RW_AUTO(release) struct release r = release_make();
    RW_TRY(load_view(d, id, published, &r, err));
    if (!r.payload.here) {
        return rw_fail(err, RW_E_NOT_FOUND, "the payload of %s/%lld was not sent yet", id->family,
                       (long long)id->number);
    }
    *out = release_record_place(d, &r, RELEASE_PAYLOAD);
    return RW_OK;
}

RW_RC release_count(struct release_domain *d, bool published, int64_t *out, struct rw_err *err)
{
    int64_t n = 0;
    RW_TRY(release_index_load(d->index, d->store, err));
    for (size_t i = 0; i < d->index->count; i++) {
        n += !published || d->index->at[i].state == RELEASE_PUBLISHED;
    }
    *out = n;
    return RW_OK;
}
