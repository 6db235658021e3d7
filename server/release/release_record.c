#include "server/release/release_record.h"

#include "server/report/audit_log.h"

#include <stdio.h>

RW_RC release_record_unknown(const struct release_id *id, struct rw_err *err)
{
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "there is no release %s/%lld", id->family,
                      (long long)id->number),
              "hint");
    return rw_hint(err, "'ringward release list' lists the releases");
}

RW_RC release_record_load(struct release_domain *d, const struct release_id *id,
                          struct release *out, struct rw_err *err)
{
    char key[RELEASE_KEY_BYTES];
    int64_t generation = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORE_DOC_BYTES_MAX);
    release_id_key(id, key);
    struct rw_rc rc = store_doc_get(d->store, "release", key, &body, &generation, err);
    if (rc.code == RW_E_NOT_FOUND) { return release_record_unknown(id, err); }
    RW_TRY(rc);
    return release_read_stored(rw_buf_span(&body), generation, out, err);
}

RW_RC release_record_put(struct release_domain *d, const struct release *r,
                         const struct release_record_act *act, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(STORE_DOC_BYTES_MAX);
    char object[RELEASE_KEY_BYTES];
    struct store_doc doc = {.generation = r->generation + 1};
    RW_TRY(release_write_stored(r, &body, err));
    doc.body = rw_buf_span(&body);
    release_id_key(&r->id, doc.id);
    (void)snprintf(object, sizeof(object), "%s/%lld", r->id.family, (long long)r->id.number);
    const struct audit_log_entry entry = {.actor = act->actor,
                                          .action = act->action,
                                          .object = object,
                                          .reason = act->reason,
                                          .details = act->details};
    RW_TRY(store_doc_put(d->store, "release", &doc, err));
    RW_TRY(audit_log_append(d->store, &entry, rw_clock_wall(&d->clock), err));
    release_index_note(d->index, r); /* whoever ends the transaction badly has it forgotten */
    return RW_OK;
}

RW_RC release_record_save(struct release_domain *d, struct release *r,
                          const struct release_record_act *act, struct rw_err *err)
{
    RW_TRY(store_begin(d->store, err));
    struct rw_rc rc = release_record_put(d, r, act, err);
    if (rw_is_ok(rc)) { rc = store_commit(d->store, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(d->store);
        release_index_forget(d->index); /* nobody knows what was kept */
        return rc;
    }
    r->generation++;
    return RW_OK;
}

RW_RC release_record_answer(const struct release *r, struct rw_buf *out, struct rw_err *err)
{
    struct json_writer w = json_begin(out);
    release_put_public(&w, NULL, r);
    return json_done(&w, err);
}

RW_RC release_record_require(const struct release *r, bool wanted, const char *what,
                             struct rw_err *err)
{
    if (wanted) { return RW_OK; }
    return rw_fail(err, RW_E_POLICY, "release %s/%lld is %s: %s", r->id.family,
                   (long long)r->id.number, sm_name(&release_rule_states, r->state), what);
}

struct release_place release_record_place(const struct release_domain *d, const struct release *r,
                                          enum release_part part)
{
    return (struct release_place){.staging_dir = d->staging_dir,
                                  .id = r->id,
                                  .part = part,
                                  .declared = part == RELEASE_PAYLOAD ? r->payload : r->samples};
}
