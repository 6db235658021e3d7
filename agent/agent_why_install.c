/* The install rule, rule by rule: what it has against the release, and its times. */
#include "agent/agent_why_say.h"

#include "common/base/num.h"

#include <string.h>

enum { SPAN_BYTES = 32 };

static bool goes_back(const struct poll_family *f)
{
    return f->has_pointer && f->pointer.release < f->state.installed;
}

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
        agent_why_say(l, t->rule, WHY_KEEP, -1, "%s", wrong);
    } else if (bar == INSTALL_BAR_ENGINE) {
        agent_why_say(l, t->rule, WHY_PASS, -1, "version %lld is within %lld to %lld",
                      (long long)x->state.engine, (long long)x->content.engine_min,
                      (long long)x->content.engine_max);
    } else if (bar == INSTALL_BAR_FLOOR) {
        agent_why_say(l, t->rule, WHY_PASS, -1, "release %lld, the floor is %lld",
                      (long long)x->content.release, (long long)x->content.floor);
    } else {
        agent_why_say(l, t->rule, WHY_PASS, -1, "%s", t->passes);
    }
}

static void say_bake(const struct why_facts *f, const struct install_rule_times *t,
                     struct why_list *l)
{
    char end[RW_TIME_TEXT_BYTES];
    char least[SPAN_BYTES];
    const struct poll_family *x = f->family;
    bool early = t->expedite && t->expedited.s < t->spread.s;
    rw_wall_format(end, t->bake);
    if (goes_back(x) && x->state.held) {
        agent_why_say(l, "bake", WHY_PASS, -1, "what ran here before comes back at once");
    } else if (!t->valid) {
        agent_why_say(l, "bake", WHY_KEEP, -1, "the release has no valid bake time for ring '%s'",
                      x->state.ring);
    } else if (f->now.s >= t->bake.s) {
        agent_why_say(l, "bake", WHY_PASS, -1, "over since %s", end);
    } else if (early) {
        agent_why_say(l, "bake", WHY_PASS, t->bake.s - f->now.s,
                      "until %s, shortened by an expedite", end);
    } else {
        rw_say_duration_s(least, sizeof(least), x->state.min_bake_s);
        agent_why_say(l, "bake", WHY_KEEP, t->bake.s - f->now.s,
                      "until %s, at least %s after signing", end, least);
    }
}

static void say_expedite(const struct why_facts *f, const struct install_rule_times *t,
                         struct why_list *l)
{
    char at[RW_TIME_TEXT_BYTES];
    const struct poll_family *x = f->family;
    char least[SPAN_BYTES];
    bool matters = t->valid && f->now.s < t->spread.s;
    rw_wall_format(at, t->expedited);
    if (!matters) {
        agent_why_say(l, "expedite", WHY_PASS, -1, "none is needed");
    } else if (t->expedite && f->now.s < t->expedited.s) {
        rw_say_duration_s(least, sizeof(least), x->state.hard_min_s);
        agent_why_say(l, "expedite", WHY_KEEP, t->expedited.s - f->now.s,
                      "begins at %s, not sooner than %s after signing", at, least);
    } else if (t->expedite) {
        rw_wall_format(at, x->expedite.until);
        agent_why_say(l, "expedite", WHY_PASS, x->expedite.until.s - f->now.s, "in force until %s",
                      at);
    } else if (x->expedite.listed) {
        agent_why_say(l, "expedite", WHY_PASS, -1, "one is listed, without effect here and now");
    } else if (strncmp(x->note, "no expedite", 11) == 0) {
        agent_why_say(l, "expedite", WHY_UNKNOWN, -1, "%s", x->note);
    } else {
        agent_why_say(l, "expedite", WHY_PASS, -1, "none is listed: the bake counts");
    }
}

static void say_spread(const struct why_facts *f, const struct install_rule_times *t,
                       struct why_list *l)
{
    char turn[RW_TIME_TEXT_BYTES];
    char mine[SPAN_BYTES];
    char whole[SPAN_BYTES];
    const struct poll_family *x = f->family;
    bool early = t->expedite && t->expedited.s < t->spread.s;
    struct rw_wall at = early ? t->expedited : t->spread;
    rw_wall_format(turn, at);
    rw_say_duration_s(mine, sizeof(mine), x->state.spread_s);
    rw_say_duration_s(whole, sizeof(whole), f->poll->ring_spread_s);
    if (goes_back(x)) {
        agent_why_say(l, "spread", WHY_PASS, -1, "a way back is not spread");
    } else if (!t->valid) {
        agent_why_say(l, "spread", WHY_UNKNOWN, -1,
                      "counted from the end of the bake, which is not known");
    } else if (f->now.s >= at.s) {
        agent_why_say(l, "spread", WHY_PASS, -1, "its turn came at %s, %s of %s", turn, mine,
                      whole);
    } else {
        agent_why_say(l, "spread", x->state.spread_s > 0 ? WHY_KEEP : WHY_PASS, at.s - f->now.s,
                      "its turn comes at %s, %s of %s%s", turn, mine, whole,
                      early ? ", an eighth of that when expedited" : "");
    }
}

/* Without the entry the rules about it have nothing to judge. */
void agent_why_say_install(const struct why_facts *f, struct why_list *l)
{
    static const char *const timed[] = {"bake", "expedite", "spread"};
    const struct poll_family *x = f->family;
    bool known = agent_why_is_read(f) && x->has_pointer && x->content.listed;
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
        if (bar == INSTALL_BAR_AGREES && agent_why_is_read(f) && x->has_pointer) {
            say_bar(f, INSTALL_BAR_AGREES, l);
        } else {
            agent_why_say(l, bar_texts[bar].rule, WHY_UNKNOWN, -1,
                          "there is no content entry to judge");
        }
    }
    for (size_t i = 0; i < RW_LEN(timed); i++) {
        agent_why_say(l, timed[i], WHY_UNKNOWN, -1, "there is no content entry to judge");
    }
}
