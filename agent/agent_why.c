#include "agent/agent_why.h"

#include "agent/activate/activate.h"
#include "agent/agent_why_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *agent_why_state_name(enum why_state s)
{
    static const char *const names[] = {"pass", "keep", "unknown"};
    return names[s];
}

void agent_why_say(struct why_list *l, const char *rule, enum why_state state, int64_t left_s,
                   const char *fmt, ...)
{
    va_list ap;
    if (l->count == WHY_LINES_MAX) { return; }
    struct why_line *line = &l->lines[l->count++];
    *line = (struct why_line){.rule = rule, .state = state, .left_s = left_s};
    va_start(ap, fmt);
    (void)vsnprintf(line->reason, sizeof(line->reason), fmt, ap);
    va_end(ap);
}

static bool is_active(const struct poll_family *f)
{
    return f->has_pointer && f->result.decision == INSTALL_NOTHING;
}

/* --- the endpoint --- */

static void say_enrolment(const struct why_facts *f, struct why_list *l)
{
    if (f->token_refused) {
        agent_why_say(l, "enrolment", WHY_KEEP, -1,
                      "the server does not accept this endpoint's token");
    } else if (f->poll->token[0] == '\0') {
        agent_why_say(l, "enrolment", WHY_KEEP, -1,
                      "this endpoint is not enrolled: no permit without it");
    } else {
        agent_why_say(l, "enrolment", WHY_PASS, -1, "this endpoint is enrolled");
    }
}

static void say_metadata(const struct why_facts *f, struct why_list *l)
{
    char until[RW_TIME_TEXT_BYTES];
    const struct poll_output *p = f->poll;
    struct rw_wall now = clock_rule_now(f->now, p->floor);
    if (!f->polled) {
        agent_why_say(l, "metadata", WHY_UNKNOWN, f->next_poll_s, "no poll has ended yet");
        return;
    }
    rw_wall_format(until, p->expires);
    if (!p->ok) {
        agent_why_say(l, "metadata", WHY_KEEP, f->next_poll_s, "the last poll failed: %.240s",
                      p->err.text);
    } else if (p->expires.s <= now.s) {
        agent_why_say(l, "metadata", WHY_KEEP, -1, "trust is %s: expired at %s", p->trust, until);
    } else {
        agent_why_say(l, "metadata", WHY_PASS, p->expires.s - now.s, "trust is %s, valid until %s",
                      p->trust, until);
    }
}

static void say_clock(const struct why_facts *f, struct why_list *l)
{
    char floor[RW_TIME_TEXT_BYTES];
    rw_wall_format(floor, f->poll->floor);
    switch (f->poll->clock) {
    case CLOCK_RULE_OK:
        agent_why_say(l, "clock", f->polled ? WHY_PASS : WHY_UNKNOWN, -1, "%s",
                      f->polled ? "nothing speaks against this host's clock"
                                : "no poll has ended yet");
        return;
    case CLOCK_RULE_BEHIND:
        agent_why_say(l, "clock", WHY_KEEP, -1,
                      "behind %s, which has passed: bakes and delays last longer", floor);
        return;
    case CLOCK_RULE_AHEAD:
        agent_why_say(l, "clock", WHY_KEEP, -1,
                      "ahead of what the server signs: all looks expired");
        return;
    }
}

static void say_polls(const struct why_facts *f, struct why_list *l)
{
    if (f->failures == 0) {
        agent_why_say(l, "back-off", WHY_PASS, f->next_poll_s,
                      "none: the next poll comes in its turn");
        return;
    }
    agent_why_say(l, "back-off", WHY_KEEP, f->next_poll_s,
                  "%lld polls failed in a row: the next one waits", (long long)f->failures);
}

static void say_ring(const struct why_facts *f, struct why_list *l)
{
    const struct poll_output *p = f->poll;
    if (p->ring[0] == '\0') {
        agent_why_say(l, "ring", WHY_UNKNOWN, -1, "no policy yet: bucket %lld has no ring",
                      (long long)f->bucket);
    } else if (p->ring_configured) {
        agent_why_say(l, "ring", WHY_PASS, -1, "'%s' by configuration (bucket %lld does not count)",
                      p->ring, (long long)f->bucket);
    } else {
        agent_why_say(l, "ring", WHY_PASS, -1, "'%s' by bucket %lld, range %lld to %lld", p->ring,
                      (long long)f->bucket, (long long)p->bucket_lo, (long long)p->bucket_hi - 1);
    }
}

/* --- pointer and controls --- */

static void say_release(const struct why_facts *f, struct why_list *l)
{
    const struct poll_family *x = f->family;
    if (!agent_why_is_read(f)) {
        agent_why_say(l, "pointer", WHY_UNKNOWN, -1, "the metadata of the family were not read");
    } else if (!x->has_pointer) {
        agent_why_say(l, "pointer", WHY_KEEP, -1, "%s", x->result.reason);
    } else if (is_active(x)) {
        agent_why_say(l, "pointer", WHY_PASS, -1, "release %lld is active: nothing to install",
                      (long long)x->state.installed);
    } else if (x->pointer.release != x->offered) {
        agent_why_say(l, "pointer", WHY_PASS, -1,
                      "the ring points at %lld, controls allow %lld, active: %lld",
                      (long long)x->offered, (long long)x->pointer.release,
                      (long long)x->state.installed);
    } else {
        agent_why_say(l, "pointer", WHY_PASS, -1, "the ring points at %lld, active: %lld",
                      (long long)x->offered, (long long)x->state.installed);
    }
}

static void say_control(const struct why_facts *f, size_t i, struct why_list *l)
{
    struct rw_wall ends;
    const struct control *c = &f->poll->controls[i];
    const struct control_result *r = &f->family->control;
    const char *kind = control_rule_kind_name(c->kind);
    const char *who = c->by_operator ? "operator" : "administrator";
    struct rw_wall passed = clock_rule_now(f->now, f->poll->floor);
    enum control_life life = control_rule_life(c, &f->poll->limits, passed, &ends);
    int64_t left_s = ends.s > passed.s ? ends.s - passed.s : -1;
    if (c->kind == CONTROL_DELAY && r->not_before.s > f->now.s) {
        left_s = r->not_before.s - f->now.s;
    }
    if (life != CONTROL_IN_FORCE) {
        agent_why_say(l, kind, WHY_PASS, -1, "of the %s: %s", who, control_rule_life_name(life));
    } else if (r->effect != CONTROL_FOLLOW && r->by == i) {
        agent_why_say(l, kind, WHY_KEEP, left_s, "%s", r->reason);
    } else if (r->effect == CONTROL_FOLLOW && r->reason[0] != '\0') {
        agent_why_say(l, kind, WHY_PASS, left_s, "%s", r->reason);
    } else {
        agent_why_say(l, kind, WHY_PASS, left_s, "of the %s: keeps nothing at present", who);
    }
}

static void say_controls(const struct why_facts *f, struct why_list *l)
{
    size_t concern = 0;
    for (size_t i = 0; i < f->poll->control_count && f->poll->has_limits; i++) {
        const char *family = f->poll->controls[i].family;
        if (family[0] != '\0' && strcmp(family, f->family->family) != 0) { continue; }
        concern++;
        say_control(f, i, l);
    }
    if (concern > 0) { return; }
    bool known = f->polled && f->poll->has_limits;
    agent_why_say(l, "control", known ? WHY_PASS : WHY_UNKNOWN, -1, "%s",
                  known ? "no delay, hold, pin or pause is set"
                        : "controls are judged by a poll with a policy");
}

/* --- what stands between the decision and the switch --- */

static void say_change(const struct why_facts *f, struct why_list *l)
{
    const struct slot_trial *t = f->change;
    if (t->change != SLOT_NO_CHANGE) {
        agent_why_say(
            l, "change", WHY_KEEP, -1, "%s of %s/%lld is under way (%s, probation %lld s)",
            slot_change_name(t->change), t->to.release > 0 ? t->to.family : t->left.family,
            (long long)t->to.release, f->phase, (long long)t->probation_s);
    } else if (f->link_owed) {
        agent_why_say(l, "change", WHY_KEEP, -1, "%s", ACTIVATE_LINK_STUCK);
    } else if (!f->idle) {
        agent_why_say(l, "change", WHY_KEEP, -1, "the active set is not settled: %s", f->phase);
    } else {
        agent_why_say(l, "change", WHY_PASS, -1, "no other change is under way");
    }
}

static void say_download(const struct why_facts *f, struct why_list *l)
{
    const struct poll_family *x = f->family;
    bool failed = x->stage == POLL_STAGE_FETCH || strncmp(x->note, "fetch:", 6) == 0;
    if (!f->polled) {
        agent_why_say(l, "disk", WHY_UNKNOWN, -1, "no poll has ended yet");
    } else if (f->poll->store_full) {
        agent_why_say(l, "disk", WHY_KEEP, -1, "a download waits for room");
    } else {
        agent_why_say(l, "disk", WHY_PASS, -1, "no download waits for room");
    }
    if (failed) {
        agent_why_say(l, "download", WHY_KEEP, f->next_poll_s, "%s", x->note);
    } else if (is_active(x) || x->stage > POLL_STAGE_FETCH) {
        agent_why_say(l, "download", WHY_PASS, -1, "the content is in the store");
    } else if (x->result.decision == INSTALL_WAIT && x->note[0] == '\0') {
        agent_why_say(l, "download", WHY_PASS, -1, "fetched ahead");
    } else {
        agent_why_say(l, "download", WHY_UNKNOWN, -1, "not asked: another rule comes first");
    }
}

static void say_sandbox(const struct why_facts *f, struct why_list *l)
{
    const char *missing = f->family->missing;
    bool none = strcmp(f->grade, "none") == 0;
    bool weak = strcmp(f->grade, "weak") == 0;
    if (f->grade[0] == '\0') {
        agent_why_say(l, "sandbox", WHY_UNKNOWN, -1, "its self-test has not ended yet");
    } else if (none || (weak && !f->allow_weak)) {
        agent_why_say(l, "sandbox", WHY_KEEP, -1, "grade %s: nothing new is proven%s%.200s",
                      f->grade, missing[0] != '\0' ? "; missing: " : "", missing);
    } else {
        agent_why_say(l, "sandbox", WHY_PASS, -1, "grade %s%s%.200s", f->grade,
                      missing[0] != '\0' ? "; missing: " : "", missing);
    }
}

/* `own`: the verdict of this stage is by the rule in question. */
static void say_verdict(const struct why_facts *f, const char *rule, bool own, struct why_list *l)
{
    const struct poll_family *x = f->family;
    if (x->stage == POLL_STAGE_PROVE && own) {
        agent_why_say(l, rule, WHY_KEEP, -1, "%s", x->verdict[0] != '\0' ? x->verdict : x->note);
    } else if (is_active(x) || x->stage > POLL_STAGE_PROVE) {
        agent_why_say(l, rule, WHY_PASS, -1, "accepted, or active here before");
    } else if (x->verdict[0] != '\0') {
        agent_why_say(l, rule, WHY_UNKNOWN, -1, "not asked in this poll; last: %.260s", x->verdict);
    } else {
        agent_why_say(l, rule, WHY_UNKNOWN, -1, "not asked: another rule comes first");
    }
}

static void say_proofs(const struct why_facts *f, struct why_list *l)
{
    bool by_loader = strstr(f->family->verdict, "dry run") != NULL;
    say_verdict(f, "box", !by_loader, l);
    if (f->loader) {
        say_verdict(f, "loader", by_loader, l);
        return;
    }
    agent_why_say(l, "loader", WHY_UNKNOWN, -1, "%s", POLL_NO_LOADER);
}

/* The window is the server's: it speaks by the permit's answer. */
static void say_permit(const struct why_facts *f, struct why_list *l)
{
    const struct poll_family *x = f->family;
    if (x->stage == POLL_STAGE_PERMIT) {
        agent_why_say(l, "permit", WHY_KEEP, x->retry_after_s, "%s", x->note);
    } else if (is_active(x)) {
        agent_why_say(l, "permit", WHY_PASS, -1, "none is needed: nothing begins");
    } else if (x->stage == POLL_STAGE_READY) {
        agent_why_say(l, "permit", WHY_PASS, -1, "%s",
                      x->action == POLL_REVERT ? "a way back needs none" : "granted");
    } else {
        agent_why_say(l, "permit", WHY_UNKNOWN, -1,
                      "the server is asked when every other rule lets it begin");
    }
}

void agent_why_list(const struct why_facts *f, struct why_list *out)
{
    *out = (struct why_list){.count = 0};
    say_enrolment(f, out);
    say_metadata(f, out);
    say_clock(f, out);
    say_polls(f, out);
    say_ring(f, out);
    say_release(f, out);
    say_controls(f, out);
    agent_why_say_install(f, out);
    say_change(f, out);
    say_download(f, out);
    say_sandbox(f, out);
    say_proofs(f, out);
    say_permit(f, out);
}
