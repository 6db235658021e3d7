#include "agent/why_rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *why_rule_state_name(enum why_state s)
{
    static const char *const names[] = {"pass", "keep", "unknown"};
    return names[s];
}

__attribute__((format(printf, 5, 6))) static void say(struct why_list *l, const char *rule,
                                                      enum why_state state, int64_t left_s,
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

static bool is_read(const struct why_facts *f)
{
    return f->family->state.ring[0] != '\0';
}

static bool goes_back(const struct poll_family *f)
{
    return f->has_pointer && f->pointer.release < f->state.installed;
}

static bool is_active(const struct poll_family *f)
{
    return f->has_pointer && f->result.decision == INSTALL_NOTHING;
}

/* --- the endpoint --- */

static void say_enrolment(const struct why_facts *f, struct why_list *l)
{
    if (f->token_refused) {
        say(l, "enrolment", WHY_KEEP, -1, "the server does not accept this endpoint's token");
    } else if (f->poll->token[0] == '\0') {
        say(l, "enrolment", WHY_KEEP, -1, "this endpoint is not enrolled: no permit without it");
    } else {
        say(l, "enrolment", WHY_PASS, -1, "this endpoint is enrolled");
    }
}

static void say_metadata(const struct why_facts *f, struct why_list *l)
{
    char until[RW_TIME_TEXT_BYTES];
    const struct poll_output *p = f->poll;
    struct rw_wall now = clock_rule_now(f->now, p->floor);
    if (!f->polled) {
        say(l, "metadata", WHY_UNKNOWN, f->next_poll_s, "no poll has ended yet");
        return;
    }
    rw_wall_format(until, p->expires);
    if (!p->ok) {
        say(l, "metadata", WHY_KEEP, f->next_poll_s, "the last poll failed: %.240s", p->err.text);
    } else if (p->expires.s <= now.s) {
        say(l, "metadata", WHY_KEEP, -1, "trust is %s: expired at %s", p->trust, until);
    } else {
        say(l, "metadata", WHY_PASS, p->expires.s - now.s, "trust is %s, valid until %s", p->trust,
            until);
    }
}

static void say_clock(const struct why_facts *f, struct why_list *l)
{
    char floor[RW_TIME_TEXT_BYTES];
    rw_wall_format(floor, f->poll->floor);
    switch (f->poll->clock) {
    case CLOCK_RULE_OK:
        say(l, "clock", f->polled ? WHY_PASS : WHY_UNKNOWN, -1, "%s",
            f->polled ? "nothing speaks against this host's clock" : "no poll has ended yet");
        return;
    case CLOCK_RULE_BEHIND:
        say(l, "clock", WHY_KEEP, -1, "behind %s, which has passed: bakes and delays last longer",
            floor);
        return;
    case CLOCK_RULE_AHEAD:
        say(l, "clock", WHY_KEEP, -1, "ahead of what the server signs: all looks expired");
        return;
    }
}

static void say_polls(const struct why_facts *f, struct why_list *l)
{
    if (f->failures == 0) {
        say(l, "back-off", WHY_PASS, f->next_poll_s, "none: the next poll comes in its turn");
        return;
    }
    say(l, "back-off", WHY_KEEP, f->next_poll_s, "%lld polls failed in a row: the next one waits",
        (long long)f->failures);
}

static void say_ring(const struct why_facts *f, struct why_list *l)
{
    const struct poll_output *p = f->poll;
    if (p->ring[0] == '\0') {
        say(l, "ring", WHY_UNKNOWN, -1, "no policy yet: bucket %lld has no ring",
            (long long)f->bucket);
    } else if (p->ring_configured) {
        say(l, "ring", WHY_PASS, -1, "'%s' by configuration (bucket %lld does not count)", p->ring,
            (long long)f->bucket);
    } else {
        say(l, "ring", WHY_PASS, -1, "'%s' by bucket %lld, range %lld to %lld", p->ring,
            (long long)f->bucket, (long long)p->bucket_lo, (long long)p->bucket_hi - 1);
    }
}

/* --- pointer and controls --- */

static void say_release(const struct why_facts *f, struct why_list *l)
{
    const struct poll_family *x = f->family;
    if (!is_read(f)) {
        say(l, "pointer", WHY_UNKNOWN, -1, "the metadata of the family were not read");
    } else if (!x->has_pointer) {
        say(l, "pointer", WHY_KEEP, -1, "%s", x->result.reason);
    } else if (is_active(x)) {
        say(l, "pointer", WHY_PASS, -1, "release %lld is active: nothing to install",
            (long long)x->state.installed);
    } else if (x->pointer.release != x->offered) {
        say(l, "pointer", WHY_PASS, -1,
            "the ring points at %lld, controls allow %lld, active: %lld", (long long)x->offered,
            (long long)x->pointer.release, (long long)x->state.installed);
    } else {
        say(l, "pointer", WHY_PASS, -1, "the ring points at %lld, active: %lld",
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
        say(l, kind, WHY_PASS, -1, "of the %s: %s", who, control_rule_life_name(life));
    } else if (r->effect != CONTROL_FOLLOW && r->by == i) {
        say(l, kind, WHY_KEEP, left_s, "%s", r->reason);
    } else if (r->effect == CONTROL_FOLLOW && r->reason[0] != '\0') {
        say(l, kind, WHY_PASS, left_s, "%s", r->reason);
    } else {
        say(l, kind, WHY_PASS, left_s, "of the %s: keeps nothing at present", who);
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
    say(l, "control", known ? WHY_PASS : WHY_UNKNOWN, -1, "%s",
        known ? "no delay, hold, pin or pause is set"
              : "controls are judged by a poll with a policy");
}

/* --- the install rule, rule by rule --- */

static const struct bar_text {
    const char *rule;
    const char *passes;
} bar_texts[INSTALL_BAR_COUNT] = {
    [INSTALL_BAR_AGREES] = {"agreement", "pointer and content entry say the same"},
    [INSTALL_BAR_PLATFORM] = {"platform", "the release is for this platform"},
    [INSTALL_BAR_ENGINE] = {"engine", "the release is for this engine version"},
    [INSTALL_BAR_FLOOR] = {"floor", "the release is not below the floor"},
    [INSTALL_BAR_WITHDRAWN] = {"withdrawal", "the content was not withdrawn"},
    [INSTALL_BAR_BAD_LIST] = {"bad-list", "the content has not failed here"},
    [INSTALL_BAR_LEFT] = {"left-list", "this endpoint has not left the content"},
    [INSTALL_BAR_DRILL] = {"drill",
                           "the release is no drill, or one that this endpoint takes part in"},
    [INSTALL_BAR_HOLD] = {"ring hold", "the ring is not on hold, or points back"},
    [INSTALL_BAR_SIGNED] = {"signing date", "not before that of an earlier release"},
};

static void say_bar(const struct why_facts *f, enum install_rule_bar bar, struct why_list *l)
{
    const struct poll_family *x = f->family;
    const struct bar_text *t = &bar_texts[bar];
    const char *wrong = install_rule_barred_by(bar, &x->pointer, &x->content, &x->state, f->now);
    if (bar == INSTALL_BAR_AGREES && wrong != NULL && x->result.reason[0] != '\0') {
        wrong = x->result.reason; /* it may tell why the entry could not be read */
    }
    if (wrong != NULL) {
        say(l, t->rule, WHY_KEEP, -1, "%s", wrong);
    } else if (bar == INSTALL_BAR_ENGINE) {
        say(l, t->rule, WHY_PASS, -1, "version %lld is within %lld to %lld",
            (long long)x->state.engine, (long long)x->content.engine_min,
            (long long)x->content.engine_max);
    } else if (bar == INSTALL_BAR_FLOOR) {
        say(l, t->rule, WHY_PASS, -1, "release %lld, the floor is %lld",
            (long long)x->content.release, (long long)x->content.floor);
    } else {
        say(l, t->rule, WHY_PASS, -1, "%s", t->passes);
    }
}

static void say_bake(const struct why_facts *f, const struct install_rule_times *t,
                     struct why_list *l)
{
    char end[RW_TIME_TEXT_BYTES];
    const struct poll_family *x = f->family;
    bool early = t->expedite && t->expedited.s < t->spread.s;
    rw_wall_format(end, t->bake);
    if (goes_back(x) && x->state.held) {
        say(l, "bake", WHY_PASS, -1, "what ran here before comes back at once");
    } else if (!t->valid) {
        say(l, "bake", WHY_KEEP, -1, "the release has no valid bake time for ring '%s'",
            x->state.ring);
    } else if (f->now.s >= t->bake.s) {
        say(l, "bake", WHY_PASS, -1, "over since %s", end);
    } else if (early) {
        say(l, "bake", WHY_PASS, t->bake.s - f->now.s, "until %s, shortened by an expedite", end);
    } else {
        say(l, "bake", WHY_KEEP, t->bake.s - f->now.s, "until %s, at least %lld s after signing",
            end, (long long)x->state.min_bake_s);
    }
}

static void say_expedite(const struct why_facts *f, const struct install_rule_times *t,
                         struct why_list *l)
{
    char at[RW_TIME_TEXT_BYTES];
    const struct poll_family *x = f->family;
    bool matters = t->valid && f->now.s < t->spread.s;
    rw_wall_format(at, t->expedited);
    if (!matters) {
        say(l, "expedite", WHY_PASS, -1, "none is needed");
    } else if (t->expedite && f->now.s < t->expedited.s) {
        say(l, "expedite", WHY_KEEP, t->expedited.s - f->now.s,
            "begins at %s, not sooner than %lld s after signing", at,
            (long long)x->state.hard_min_s);
    } else if (t->expedite) {
        rw_wall_format(at, x->expedite.until);
        say(l, "expedite", WHY_PASS, x->expedite.until.s - f->now.s, "in force until %s", at);
    } else if (x->expedite.listed) {
        say(l, "expedite", WHY_PASS, -1, "one is listed, without effect here and now");
    } else if (strncmp(x->note, "no expedite", 11) == 0) {
        say(l, "expedite", WHY_UNKNOWN, -1, "%s", x->note);
    } else {
        say(l, "expedite", WHY_PASS, -1, "none is listed: the bake counts");
    }
}

static void say_spread(const struct why_facts *f, const struct install_rule_times *t,
                       struct why_list *l)
{
    char turn[RW_TIME_TEXT_BYTES];
    const struct poll_family *x = f->family;
    bool early = t->expedite && t->expedited.s < t->spread.s;
    struct rw_wall at = early ? t->expedited : t->spread;
    rw_wall_format(turn, at);
    if (goes_back(x)) {
        say(l, "spread", WHY_PASS, -1, "a way back is not spread");
    } else if (!t->valid) {
        say(l, "spread", WHY_UNKNOWN, -1, "counted from the end of the bake, which is not known");
    } else if (f->now.s >= at.s) {
        say(l, "spread", WHY_PASS, -1, "its turn came at %s, %lld s of %lld s", turn,
            (long long)x->state.spread_s, (long long)f->poll->ring_spread_s);
    } else {
        say(l, "spread", x->state.spread_s > 0 ? WHY_KEEP : WHY_PASS, at.s - f->now.s,
            "its turn comes at %s, %lld s of %lld s%s", turn, (long long)x->state.spread_s,
            (long long)f->poll->ring_spread_s, early ? ", an eighth of that when expedited" : "");
    }
}

/* Without the entry the rules about it have nothing to judge. */
static void say_install(const struct why_facts *f, struct why_list *l)
{
    static const char *const timed[] = {"bake", "expedite", "spread"};
    const struct poll_family *x = f->family;
    bool known = is_read(f) && x->has_pointer && x->content.listed;
    if (known) {
        const struct install_rule_times t =
            install_rule_times(&x->content, &x->expedite, &x->state, f->now);
        for (int bar = 0; bar < INSTALL_BAR_COUNT; bar++) {
            say_bar(f, (enum install_rule_bar)bar, l);
        }
        say_bake(f, &t, l);
        say_expedite(f, &t, l);
        say_spread(f, &t, l);
        return;
    }
    for (int bar = 0; bar < INSTALL_BAR_COUNT; bar++) {
        if (bar == INSTALL_BAR_AGREES && is_read(f) && x->has_pointer) {
            say_bar(f, INSTALL_BAR_AGREES, l);
        } else {
            say(l, bar_texts[bar].rule, WHY_UNKNOWN, -1, "there is no content entry to judge");
        }
    }
    for (size_t i = 0; i < RW_LEN(timed); i++) {
        say(l, timed[i], WHY_UNKNOWN, -1, "there is no content entry to judge");
    }
}

/* --- what stands between the decision and the switch --- */

static void say_change(const struct why_facts *f, struct why_list *l)
{
    const struct slot_trial *t = f->change;
    if (t->change != SLOT_NO_CHANGE) {
        say(l, "change", WHY_KEEP, -1, "%s of %s/%lld is under way (%s, probation %lld s)",
            slot_change_name(t->change), t->to.release > 0 ? t->to.family : t->left.family,
            (long long)t->to.release, f->phase, (long long)t->probation_s);
    } else if (!f->idle) {
        say(l, "change", WHY_KEEP, -1, "the active set is not settled: %s", f->phase);
    } else {
        say(l, "change", WHY_PASS, -1, "no other change is under way");
    }
}

static void say_download(const struct why_facts *f, struct why_list *l)
{
    const struct poll_family *x = f->family;
    bool failed = x->stage == POLL_STAGE_FETCH || strncmp(x->note, "fetch:", 6) == 0;
    if (!f->polled) {
        say(l, "disk", WHY_UNKNOWN, -1, "no poll has ended yet");
    } else if (f->poll->store_full) {
        say(l, "disk", WHY_KEEP, -1, "a download waits for room");
    } else {
        say(l, "disk", WHY_PASS, -1, "no download waits for room");
    }
    if (failed) {
        say(l, "download", WHY_KEEP, f->next_poll_s, "%s", x->note);
    } else if (is_active(x) || x->stage > POLL_STAGE_FETCH) {
        say(l, "download", WHY_PASS, -1, "the content is in the store");
    } else if (x->result.decision == INSTALL_WAIT && x->note[0] == '\0') {
        say(l, "download", WHY_PASS, -1, "fetched ahead");
    } else {
        say(l, "download", WHY_UNKNOWN, -1, "not asked: another rule comes first");
    }
}

static void say_sandbox(const struct why_facts *f, struct why_list *l)
{
    const char *missing = f->family->missing;
    bool none = strcmp(f->grade, "none") == 0;
    bool weak = strcmp(f->grade, "weak") == 0;
    if (f->grade[0] == '\0') {
        say(l, "sandbox", WHY_UNKNOWN, -1, "its self-test has not ended yet");
    } else if (none || (weak && !f->allow_weak)) {
        say(l, "sandbox", WHY_KEEP, -1, "grade %s: nothing new is proven%s%.200s", f->grade,
            missing[0] != '\0' ? "; missing: " : "", missing);
    } else {
        say(l, "sandbox", WHY_PASS, -1, "grade %s%s%.200s", f->grade,
            missing[0] != '\0' ? "; missing: " : "", missing);
    }
}

/* `own`: the verdict of this stage is by the rule in question. */
static void say_verdict(const struct why_facts *f, const char *rule, bool own, struct why_list *l)
{
    const struct poll_family *x = f->family;
    if (x->stage == POLL_STAGE_PROVE && own) {
        say(l, rule, WHY_KEEP, -1, "%s", x->verdict[0] != '\0' ? x->verdict : x->note);
    } else if (is_active(x) || x->stage > POLL_STAGE_PROVE) {
        say(l, rule, WHY_PASS, -1, "accepted, or active here before");
    } else if (x->verdict[0] != '\0') {
        say(l, rule, WHY_UNKNOWN, -1, "not asked in this poll; last: %.260s", x->verdict);
    } else {
        say(l, rule, WHY_UNKNOWN, -1, "not asked: another rule comes first");
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
    say(l, "loader", WHY_UNKNOWN, -1, "%s", POLL_NO_LOADER);
}

/* The window is the server's: it speaks by the permit's answer. */
static void say_permit(const struct why_facts *f, struct why_list *l)
{
    const struct poll_family *x = f->family;
    if (x->stage == POLL_STAGE_PERMIT) {
        say(l, "permit", WHY_KEEP, x->retry_after_s, "%s", x->note);
    } else if (is_active(x)) {
        say(l, "permit", WHY_PASS, -1, "none is needed: nothing begins");
    } else if (x->stage == POLL_STAGE_READY) {
        say(l, "permit", WHY_PASS, -1, "%s",
            x->action == POLL_REVERT ? "a way back needs none" : "granted");
    } else {
        say(l, "permit", WHY_UNKNOWN, -1,
            "the server is asked when every other rule lets it begin");
    }
}

void why_rule_list(const struct why_facts *f, struct why_list *out)
{
    *out = (struct why_list){.count = 0};
    say_enrolment(f, out);
    say_metadata(f, out);
    say_clock(f, out);
    say_polls(f, out);
    say_ring(f, out);
    say_release(f, out);
    say_controls(f, out);
    say_install(f, out);
    say_change(f, out);
    say_download(f, out);
    say_sandbox(f, out);
    say_proofs(f, out);
    say_permit(f, out);
}
