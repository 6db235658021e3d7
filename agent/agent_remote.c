#include "agent/agent_remote.h"

#include "common/base/log.h"

#include <string.h>

/* What operators have set. It can only delay, stop or go back (INV-7), so it needs no signature. */
void agent_remote_take(struct agent *a, const struct beacon_send *b)
{
    a->renew_token = b->renew;
    a->token_refused = false;
    if (!b->has_controls) { return; }
    bool same = b->control_count == a->remote_count;
    for (size_t i = 0; same && i < a->remote_count; i++) {
        char had[CONTROL_TEXT_BYTES];
        char now[CONTROL_TEXT_BYTES];
        control_codec_text(&a->remote[i], had);
        control_codec_text(&b->controls[i], now);
        same = strcmp(had, now) == 0 && a->remote[i].since.s == b->controls[i].since.s;
    }
    if (same) { return; }
    a->remote_count = b->control_count;
    rw_copy(a->remote, sizeof(a->remote), b->controls, sizeof(b->controls));
    a->poll_at = rw_clock_mono(&a->clock);
    rw_log(RW_LOG_INFO, "controls_changed", "by", "operator");
}
