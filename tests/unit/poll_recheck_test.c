/* Goal: INV-7: between the decision and the switch time has passed; bake, expiry and decision are looked at again at
 * that very moment, and the switch does not happen when one of them no longer holds. */
#include "agent/poll/poll.h"
#include "tests/harness.h"

enum { NOW_S = 1800000000, HOUR_S = 3600 };

static struct poll_family good(void)
{
    struct poll_family f = {.family = "yara", .action = POLL_ACTIVATE, .has_pointer = true};
    f.pointer = (struct install_rule_pointer){
        .ring = "canary", .family = "yara", .release = 2, .length = 10, .sha256 = {7}};
    f.content = (struct install_rule_content){.listed = true,
                                              .family = "yara",
                                              .release = 2,
                                              .length = 10,
                                              .sha256 = {7},
                                              .signed_at = {NOW_S - 2 * HOUR_S},
                                              .has_not_before = true,
                                              .not_before = {NOW_S - HOUR_S},
                                              .engine_max = 9,
                                              .platform_fits = true};
    f.state = (struct install_rule_state){.ring = "canary",
                                          .family = "yara",
                                          .installed = 1,
                                          .engine = 5,
                                          .min_bake_s = HOUR_S,
                                          .engine_skew_max = -1};
    return f;
}

struct moment {
    struct poll_family f;
    struct poll_output o;
    struct rw_wall now;
};

static void as_decided(struct moment *m)
{
    (void)m;
}
static void metadata_end_now(struct moment *m)
{
    m->o.expires = m->now;
}
static void clock_was_set_back_behind_the_end(struct moment *m)
{
    m->o.floor.s = m->o.expires.s; /* that time has certainly passed, whatever the clock says */
    m->now.s -= 24 * HOUR_S;
}
static void clock_was_set_back_before_the_bake(struct moment *m)
{
    m->now.s = m->f.content.not_before.s - 1;
}
static void ring_went_on_hold(struct moment *m)
{
    m->f.pointer.hold = true;
}
static void content_is_another(struct moment *m)
{
    m->f.content.sha256[0] ^= 1;
}
static void content_left_the_list(struct moment *m)
{
    m->f.content.listed = false;
}
static void it_failed_here_meanwhile(struct moment *m)
{
    m->f.state.abandoned[0][0] = 7;
    m->f.state.abandoned_count = 1;
}
static void nothing_was_decided(struct moment *m)
{
    m->f.action = POLL_NONE;
}
static void a_way_back_was_decided(struct moment *m)
{
    m->f.action = POLL_REVERT;
}
static void a_removal_was_decided(struct moment *m)
{
    m->f.action = POLL_REMOVE;
}
static void a_removal_by_expired_metadata(struct moment *m)
{
    m->f.action = POLL_REMOVE;
    m->o.expires = m->now;
}

static const struct changed {
    const char *id;
    void (*apply)(struct moment *m);
    enum rw_code code;
} changes[] = {
    {"as it was decided", as_decided, RW_E_NONE},
    {"the metadata end at this moment", metadata_end_now, RW_E_TUF_EXPIRED},
    {"the clock was set back behind their end", clock_was_set_back_behind_the_end,
     RW_E_TUF_EXPIRED},
    {"the clock was set back before the bake", clock_was_set_back_before_the_bake, RW_E_POLICY},
    {"the ring went on hold", ring_went_on_hold, RW_E_POLICY},
    {"the content is another", content_is_another, RW_E_POLICY},
    {"the content left the list", content_left_the_list, RW_E_POLICY},
    {"it failed here meanwhile", it_failed_here_meanwhile, RW_E_POLICY},
    {"nothing was decided", nothing_was_decided, RW_E_POLICY},
    {"a way back was decided, and it is none", a_way_back_was_decided, RW_E_POLICY},
    {"a removal was decided", a_removal_was_decided, RW_E_NONE},
    {"a removal by metadata that ended", a_removal_by_expired_metadata, RW_E_TUF_EXPIRED},
};

TEST_EACH(the_switch_happens_only_when_everything_still_holds, changes)
{
    struct rw_err err = {0};
    struct moment *m = rw_mem_new(sizeof(*m));
    assert_non_null(m);
    m->f = good();
    m->o.expires.s = NOW_S + HOUR_S;
    m->now.s = NOW_S;
    it->apply(m);
    struct rw_rc rc = poll_recheck(&m->f, &m->o, m->now, &err);
    rw_mem_free(m);
    if (rc.code != it->code) { fail_msg("code %x: %s", (unsigned)rc.code, err.text); }
}

RUN_TESTS(cmocka_unit_test(the_switch_happens_only_when_everything_still_holds))
