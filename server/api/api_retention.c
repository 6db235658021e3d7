#include "server/api/api_retention.h"

#include <string.h>

void api_retention_add(struct api_retention *r, const char *kind, uint64_t count, uint64_t bytes)
{
    for (size_t i = 0; i < API_RETENTION_KINDS_MAX; i++) {
        struct api_retention_sum *s = &r->sums[i];
        if (s->kind != NULL && strcmp(s->kind, kind) != 0) { continue; }
        s->kind = kind;
        s->count += count;
        s->bytes += bytes;
        return;
    }
    RW_ASSERT(false); /* kinds are our own, and few */
}

static RW_RC put_sums(const struct api_retention *r, struct rw_buf *into, struct rw_err *err)
{
    RW_TRY(rw_buf_append_str(into,
                             "# HELP ringward_retention_removed_total What the automatic removal "
                             "took away.\n# TYPE ringward_retention_removed_total counter\n",
                             err));
    for (size_t i = 0; i < API_RETENTION_KINDS_MAX && r->sums[i].kind != NULL; i++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_retention_removed_total{kind=\"%s\"} %llu\n",
                              r->sums[i].kind, (unsigned long long)r->sums[i].count));
    }
    RW_TRY(rw_buf_append_str(into,
                             "# HELP ringward_retention_removed_bytes_total The same in bytes.\n"
                             "# TYPE ringward_retention_removed_bytes_total counter\n",
                             err));
    for (size_t i = 0; i < API_RETENTION_KINDS_MAX && r->sums[i].kind != NULL; i++) {
        RW_TRY(rw_buf_appendf(into, err,
                              "ringward_retention_removed_bytes_total{kind=\"%s\"} %llu\n",
                              r->sums[i].kind, (unsigned long long)r->sums[i].bytes));
    }
    return RW_OK;
}

RW_RC api_retention_metrics(const struct api_retention *r, struct rw_buf *into, struct rw_err *err)
{
    if (!r->on) { return RW_OK; }
    RW_TRY(rw_buf_appendf(
        into, err,
        "# HELP ringward_retention_runs_total Runs of the automatic removal by how they ended.\n"
        "# TYPE ringward_retention_runs_total counter\n"
        "ringward_retention_runs_total{result=\"done\"} %llu\n"
        "ringward_retention_runs_total{result=\"failed\"} %llu\n"
        "# HELP ringward_retention_last_success_seconds When the last run that ended as it should "
        "did; 0: none since the start.\n"
        "# TYPE ringward_retention_last_success_seconds gauge\n"
        "ringward_retention_last_success_seconds %lld\n",
        (unsigned long long)r->runs, (unsigned long long)r->failures, (long long)r->last.s));
    return put_sums(r, into, err);
}
