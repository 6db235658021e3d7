/* Controls of administrator and operators on the way of a poll: gathered, dated, asked of control_rule. */
#include "agent/poll/poll_state.h"

#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

static struct rw_wall passed(const struct poll *p)
{
    return clock_rule_now(rw_clock_wall(&p->o.clock), p->floor.at);
}

void poll_control_begin(struct poll *p, const struct poll_input *in)
{
    struct rw_err err;
    p->control_count = 0;
    for (size_t i = 0; i < p->o.control_count && i < CONTROL_MAX; i++) {
        p->controls[p->control_count++] = p->o.controls[i];
    }
    control_book_date(&p->book, p->controls, p->control_count, passed(p));
    for (size_t i = 0; i < in->remote_count && p->control_count < CONTROL_MAX; i++) {
        p->controls[p->control_count] = in->remote[i];
        p->controls[p->control_count++].by_operator = true;
    }
    if (!rw_is_ok(control_book_save(&p->book, &err))) {
        rw_log(RW_LOG_WARN, "controls_not_saved", "text", err.text);
    }
}

static bool is_in(const uint8_t (*list)[DIGEST_BYTES], size_t count, const uint8_t *sha256)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(list[i], sha256, DIGEST_BYTES) == 0) { return true; }
    }
    return false;
}

/* No place to stay at: withdrawn, not listed any more, below the floor, failed or left here. */
static bool is_bad(const struct poll_input *in, const struct entry_list *list, int64_t release,
                   const uint8_t *sha256)
{
    return release < list->floor || entry_list_is_withdrawn(list, sha256) ||
           !entry_list_has(list, release, sha256) ||
           is_in(in->abandoned, in->abandoned_count, sha256) ||
           is_in(in->left, in->left_count, sha256);
}

static void judge_offers(const struct poll_input *in, const struct entry_list *list,
                         const struct control_book_family *from,
                         struct control_offer offers[static CONTROL_OFFERS_MAX])
{
    for (size_t i = 0; i < from->count; i++) {
        const struct control_book_offer *o = &from->offers[i];
        offers[i] = (struct control_offer){
            .release = o->release, .at = o->at, .bad = is_bad(in, list, o->release, o->sha256)};
    }
}

/* What the ring offered earlier, in the form that the install rule asks for: the ring's hold stays in force. */
static void lag_behind(struct poll_family *f, const struct control_book_family *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct control_book_offer *o = &from->offers[i];
        if (o->release != f->control.release) { continue; }
        f->pointer.release = o->release;
        f->pointer.length = o->length;
        rw_copy(f->pointer.sha256, INSTALL_HASH_BYTES, o->sha256, INSTALL_HASH_BYTES);
    }
}

RW_RC poll_control_apply(struct poll *p, size_t ring, const struct poll_input *in,
                         const struct entry_list *list, struct poll_family *f, struct rw_err *err)
{
    struct control_offer offers[CONTROL_OFFERS_MAX];
    size_t class_index = 0;
    const struct manifest_entry *active = manifest_find(&in->active, f->family);
    bool agree = f->content.release == f->pointer.release &&
                 f->content.length == f->pointer.length &&
                 memcmp(f->content.sha256, f->pointer.sha256, INSTALL_HASH_BYTES) == 0;
    if (!agree) { return RW_OK; } /* the install rule refuses; it was no offer */
    RW_TRY(ring_policy_find_class(&p->policy, f->class_name, &class_index, err));
    const struct ring_policy_class *class = &p->policy.classes[class_index];
    const struct control_book_family *from =
        control_book_offer(&p->book, &f->pointer, rw_clock_wall(&p->o.clock));
    RW_TRY(control_book_save(&p->book, err));
    judge_offers(in, list, from, offers);
    const struct control_facts facts = {
        .controls = p->controls,
        .count = p->control_count,
        .limits = p->policy.controls,
        .family = f->family,
        .class_name = f->class_name,
        .unpausable = class->unpausable,
        .policy_line = class->unpausable_line,
        .offers = offers,
        .offer_count = from->count,
        .installed = f->state.installed,
        .installed_bad = active != NULL && is_bad(in, list, active->release, active->sha256),
        .now = rw_clock_wall(&p->o.clock),
        .passed = passed(p),
    };
    f->control = control_rule_decide(&facts);
    if (f->control.effect != CONTROL_LAG) { return RW_OK; }
    lag_behind(f, from);
    return poll_entries_content(p, ring, in, list, f, err);
}

void poll_control_keep(struct poll_family *f)
{
    bool forward = f->result.decision == INSTALL_GO || f->result.decision == INSTALL_WAIT;
    bool keeps = f->control.effect == CONTROL_STAY || f->control.effect == CONTROL_WAIT;
    if (!forward || !keeps) { return; }
    f->result.decision = f->control.effect == CONTROL_WAIT ? INSTALL_WAIT : INSTALL_HOLD;
    if (f->control.not_before.s > f->result.not_before.s || f->control.effect == CONTROL_STAY) {
        f->result.not_before = f->control.not_before;
    }
    (void)snprintf(f->result.reason, sizeof(f->result.reason), "%s", f->control.reason);
}
