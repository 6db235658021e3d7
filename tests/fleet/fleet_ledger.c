#include "tests/fleet/fleet_ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct fleet_ledger_release *fleet_ledger_of(struct fleet_ledger *l, int64_t release,
                                             const uint8_t sha256[static BEACON_HASH_BYTES])
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->releases[i].release == release) { return &l->releases[i]; }
    }
    if (l->count == FLEET_LEDGER_RELEASES_MAX) { return NULL; }
    struct fleet_ledger_release *r = &l->releases[l->count++];
    *r = (struct fleet_ledger_release){.release = release};
    rw_copy(r->sha256, sizeof(r->sha256), sha256, BEACON_HASH_BYTES);
    return r;
}

/* INV-1. Written down once more instead of calling the server's rule: a slip there must not hide itself here. */
static bool is_lawful(int64_t start, int64_t per_survivor_m, int64_t exposed, int64_t survivors)
{
    return (exposed - start) * 1000 <= (1000 + per_survivor_m) * survivors;
}

/* The first law alone gives places back. Of who was set aside as dark and confirms after all, the server takes the
 * place back again unless others were lost meanwhile; that is not asked for here. */
static bool is_first_kept(const struct ring_policy *p, const struct fleet_scope *s, int64_t start)
{
    return is_lawful(start, p->confirm_per_survivor_m, s->exposed - s->set_aside, s->survived);
}

static bool is_second_kept(const struct ring_policy *p, const struct fleet_scope *s)
{
    return is_lawful(p->alive_start, p->alive_per_survivor_m, s->exposed, s->aged);
}

static void judge(struct fleet_ledger_release *r, const struct ring_policy *p, const char *where,
                  const struct fleet_scope *s, int64_t confirm_start)
{
    bool first = is_first_kept(p, s, confirm_start);
    if (first && is_second_kept(p, s)) { return; }
    r->law_broken++;
    if (r->broken[0] != '\0') { return; }
    (void)snprintf(r->broken, sizeof(r->broken),
                   "%s: %" PRId64 " exposed with %" PRId64 " survivors, %" PRId64
                   " aged and %" PRId64 " set aside: the %s law",
                   where, s->exposed, s->survived, s->aged, s->set_aside,
                   first ? "second" : "first");
}

bool fleet_ledger_allows(const struct fleet_ledger_release *r, const struct ring_policy *p,
                         size_t ring, size_t cohort)
{
    struct fleet_scope whole = r->rings[ring];
    struct fleet_scope part = r->cohorts[ring][cohort];
    whole.exposed++;
    part.exposed++;
    return is_first_kept(p, &whole, p->confirm_start) && is_second_kept(p, &whole) &&
           is_first_kept(p, &part, p->cohort_start) && is_second_kept(p, &part);
}

void fleet_ledger_begin_anew(struct fleet_ledger_release *r)
{
    r->resumes = r->noted;
    for (size_t i = 0; i < RING_POLICY_RINGS_MAX; i++) {
        r->rings[i].set_aside = 0;
        for (size_t k = 0; k < FLEET_COHORTS; k++) {
            r->cohorts[i][k].set_aside = 0;
        }
    }
}

void fleet_ledger_set_aside(struct fleet_ledger_release *r, size_t ring, size_t cohort)
{
    r->rings[ring].set_aside++;
    r->cohorts[ring][cohort].set_aside++;
}

void fleet_ledger_exposed(struct fleet_ledger_release *r, const struct ring_policy *p, size_t ring,
                          size_t cohort, int32_t now_ms)
{
    r->rings[ring].exposed++;
    r->cohorts[ring][cohort].exposed++;
    if (r->first_permit_ms == 0) { r->first_permit_ms = now_ms; }
    r->last_permit_ms = now_ms;
    judge(r, p, p->rings[ring].name, &r->rings[ring], p->confirm_start);
    judge(r, p, "a cohort", &r->cohorts[ring][cohort], p->cohort_start);
}

void fleet_ledger_survived(struct fleet_ledger_release *r, size_t ring, size_t cohort)
{
    r->healthy++;
    r->rings[ring].survived++;
    r->cohorts[ring][cohort].survived++;
}

void fleet_ledger_aged(struct fleet_ledger_release *r, size_t ring, size_t cohort)
{
    r->rings[ring].aged++;
    r->cohorts[ring][cohort].aged++;
}

void fleet_ledger_harmed(struct fleet_ledger_release *r, enum fleet_effect e, int32_t now_ms)
{
    r->harmed[e]++;
    if (r->first_harm_ms == 0) { r->first_harm_ms = now_ms; }
    r->last_harm_ms = now_ms;
}

void fleet_ledger_stopped(struct fleet_ledger_release *r, int32_t now_ms)
{
    if (r->first_stop_ms == 0) { r->first_stop_ms = now_ms; }
}

void fleet_ledger_back(struct fleet_ledger_release *r, int32_t now_ms)
{
    r->reverted++;
    r->last_back_ms = now_ms;
}

int64_t fleet_ledger_sum_exposed(const struct fleet_ledger_release *r)
{
    int64_t n = 0;
    for (size_t i = 0; i < RING_POLICY_RINGS_MAX; i++) {
        n += r->rings[i].exposed;
    }
    return n;
}

/* What slowed down still works, and what the box refused never ran. */
int64_t fleet_ledger_sum_harmed(const struct fleet_ledger_release *r)
{
    return r->harmed[FLEET_EFFECT_CRASH] + r->harmed[FLEET_EFFECT_BRICK] +
           r->harmed[FLEET_EFFECT_STORM];
}

int64_t fleet_ledger_broken(const struct fleet_ledger *l)
{
    int64_t n = 0;
    for (size_t i = 0; i < l->count; i++) {
        n += l->releases[i].law_broken;
    }
    return n;
}

static double seconds(int32_t from_ms, int32_t to_ms)
{
    return from_ms == 0 || to_ms == 0 ? -1.0 : (double)(to_ms - from_ms) / 1000.0;
}

static void print_time(const char *what, int32_t from_ms, int32_t to_ms)
{
    if (from_ms != 0 && to_ms != 0) { printf(", %s %.1f s", what, seconds(from_ms, to_ms)); }
}

void fleet_ledger_print(const struct fleet_ledger *l, const struct ring_policy *p)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct fleet_ledger_release *r = &l->releases[i];
        printf("\nrelease %" PRId64 ": exposed %" PRId64 ", harmed %" PRId64 " (", r->release,
               fleet_ledger_sum_exposed(r), fleet_ledger_sum_harmed(r));
        for (size_t e = FLEET_EFFECT_CRASH; e < FLEET_EFFECTS; e++) {
            printf("%s%s %" PRId64, e == FLEET_EFFECT_CRASH ? "" : ", ",
                   fleet_fault_name((enum fleet_effect)e), r->harmed[e]);
        }
        printf("), healthy %" PRId64 ", failed %" PRId64 ", back %" PRId64
               "\n  permits: wait %" PRId64 ", refused %" PRId64,
               r->healthy, r->failed, r->reverted, r->waits, r->refusals);
        print_time("all within", r->first_permit_ms, r->last_permit_ms);
        print_time("first harm to halt", r->first_harm_ms, r->first_stop_ms);
        print_time("last permit behind first harm by", r->first_harm_ms, r->last_permit_ms);
        print_time("halt to last one back", r->first_stop_ms, r->last_back_ms);
        printf("\n ");
        for (size_t k = 0; k < p->ring_count; k++) {
            printf(" %s %" PRId64 "/%" PRId64, p->rings[k].name, r->rings[k].exposed,
                   r->rings[k].survived);
        }
        if (r->resumes > 0) { printf(", resumed %" PRId64 " times", r->resumes); }
        printf(" (exposed/survived)\n  window laws: %s%s\n",
               r->law_broken == 0 ? "kept by every permit" : "BROKEN: ", r->broken);
    }
}

static void write_ms(struct json_writer *w, const char *name, int32_t from_ms, int32_t to_ms)
{
    if (from_ms != 0 && to_ms != 0) { json_put_int(w, name, to_ms - from_ms); }
}

static void write_one(struct json_writer *w, const struct fleet_ledger_release *r,
                      const struct ring_policy *p)
{
    json_open_object(w, NULL);
    json_put_int(w, "release", r->release);
    json_put_int(w, "exposed", fleet_ledger_sum_exposed(r));
    json_put_int(w, "harmed", fleet_ledger_sum_harmed(r));
    json_open_object(w, "effects");
    for (size_t e = FLEET_EFFECT_CRASH; e < FLEET_EFFECTS; e++) {
        json_put_int(w, fleet_fault_name((enum fleet_effect)e), r->harmed[e]);
    }
    json_close_object(w);
    json_put_int(w, "healthy", r->healthy);
    json_put_int(w, "failed", r->failed);
    json_put_int(w, "reverted", r->reverted);
    json_put_int(w, "waits", r->waits);
    json_put_int(w, "refusals", r->refusals);
    json_put_int(w, "law_broken", r->law_broken);
    json_put_str(w, "broken", r->broken);
    json_put_int(w, "resumes", r->resumes);
    write_ms(w, "permits_ms", r->first_permit_ms, r->last_permit_ms);
    write_ms(w, "harm_to_halt_ms", r->first_harm_ms, r->first_stop_ms);
    write_ms(w, "harm_to_last_permit_ms", r->first_harm_ms, r->last_permit_ms);
    write_ms(w, "halt_to_back_ms", r->first_stop_ms, r->last_back_ms);
    json_open_array(w, "rings");
    for (size_t i = 0; i < p->ring_count; i++) {
        json_open_object(w, NULL);
        json_put_str(w, "ring", p->rings[i].name);
        json_put_int(w, "exposed", r->rings[i].exposed);
        json_put_int(w, "survived", r->rings[i].survived);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

void fleet_ledger_write(struct json_writer *w, const struct fleet_ledger *l,
                        const struct ring_policy *p)
{
    json_open_array(w, "releases");
    for (size_t i = 0; i < l->count; i++) {
        write_one(w, &l->releases[i], p);
    }
    json_close_array(w);
}
