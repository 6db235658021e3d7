/* Resumes, as the person who asked for them notes them down. */
#include "tests/fleet/fleet_resume.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <sys/stat.h>

enum { FILE_BYTES_MAX = 65536, ROUNDING_MS = 1000 };

static void count(struct fleet_run *f, int64_t release)
{
    for (size_t i = 0; i < f->ledger.count; i++) {
        struct fleet_ledger_release *r = &f->ledger.releases[i];
        if (r->release == release) { r->noted++; }
    }
}

/* A last line without its end is being written. */
static RW_RC count_lines(struct fleet_run *f, struct rw_span text, struct rw_err *err)
{
    size_t begin = 0;
    for (size_t i = 0; i < text.n; i++) {
        int64_t release = 0;
        if (text.p[i] != '\n') { continue; }
        const struct rw_span line = {text.p + begin, i - begin};
        RW_TRY(rw_parse_i64(line, 1, INT64_MAX, "release in the file of resumes", &release, err));
        count(f, release);
        begin = i + 1;
    }
    return RW_OK;
}

RW_RC fleet_resume_look(struct fleet_run *f, struct rw_err *err)
{
    struct stat st;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES_MAX);
    if (f->o->resumes_file == NULL || stat(f->o->resumes_file, &st) != 0) { return RW_OK; }
    if (st.st_size == f->resumes_bytes) { return RW_OK; }
    RW_TRY(rw_file_read(f->o->resumes_file, FILE_BYTES_MAX, &text, err));
    f->resumes_bytes = st.st_size;
    for (size_t i = 0; i < f->ledger.count; i++) {
        f->ledger.releases[i].noted = 0;
    }
    return count_lines(f, rw_buf_span(&text), err);
}

/* Exposed, neither survived nor waited for, by what the server can know at the earliest. */
static bool is_lost(const struct fleet_run *f, const struct fleet_life *l, uint16_t release)
{
    const int64_t deadline_ms = fleet_view_policy(f->view)->confirm_deadline_s * 1000 - ROUNDING_MS;
    if (l->exposed_to != release || l->survived_with == release) { return false; }
    return l->told_against == release || f->now_ms - l->exposed_at >= deadline_ms;
}

void fleet_resume_before(struct fleet_run *f, uint32_t who, uint16_t release)
{
    const struct fleet_life *l = &f->lives[who];
    struct fleet_ledger_release *r = &f->ledger.releases[release - 1];
    const struct ring_policy *p = fleet_view_policy(f->view);
    if (r->noted <= r->resumes) { return; }
    /* One that was asked for before, and is within the laws as they were, may have been granted before. */
    if (l->asked_noted <= r->resumes && fleet_ledger_allows(r, p, l->ring, l->cohort)) { return; }
    fleet_ledger_begin_anew(r);
    for (size_t i = 0; i < f->book->count; i++) {
        const struct fleet_life *lost = &f->lives[i];
        if (is_lost(f, lost, release)) { fleet_ledger_set_aside(r, lost->ring, lost->cohort); }
    }
}
