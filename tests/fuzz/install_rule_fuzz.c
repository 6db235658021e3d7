/* Whatever pointer, content role and expedite say, and whatever the endpoint is: nothing installs without a content
 * entry that agrees, nothing before its bake but by a valid expedite, nothing below the hard minimum (INV-7).
 *
 * Input: STATE_BYTES of numbers for endpoint and clock, then JSON {"rings":{...},"signed":{"targets":{...},...},
 * "expedite":{...}} with the entries as they stand in metadata. The entries go through the codecs, as at endpoints. */
#include "common/policy/entry_list.h"

#include "common/policy/entry_codec.h"

#include <string.h>

enum { STATE_BYTES = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct install_rule_pointer p;
    struct install_rule_content c;
    struct install_rule_expedite x;
    struct install_rule_state s;
    struct rw_wall now;
};

static const char ring[] = "canary";
static const int64_t begin = 1795325656; /* the seeds' signed_at */

/* Small steps around the seeds' times find the edges. */
static void take_state(struct world *w, const uint8_t *b)
{
    w->now.s = begin + (int64_t)(b[0] | b[1] << 8) - 1000;
    w->s.installed = b[2] % 8;
    w->s.engine = b[3];
    w->s.min_bake_s = (int64_t)(b[4] | b[5] << 8) - 10;
    w->s.hard_min_s = (int64_t)(b[6] | b[7] << 8) - 10;
    w->s.expedite_longest_s = (int64_t)(b[8] | b[9] << 8);
    w->s.engine_skew_max = (int64_t)b[10] - 1;
    w->s.spread_s = (int64_t)(b[11] | b[12] << 8) - 10;
    w->s.held = (b[13] & 1) != 0;
    w->s.abandoned_count = b[13] >> 1 & 1;
    w->s.left_count = b[13] >> 2 & 1;
    w->x.expires.s = begin + (int64_t)(b[14] | b[15] << 8);
    memset(w->s.abandoned[0], b[16], INSTALL_HASH_BYTES);
    memset(w->s.left[0], b[17], INSTALL_HASH_BYTES);
    memcpy(w->s.ring, ring, sizeof(ring));
    memcpy(w->s.family, "yara", sizeof("yara"));
}

static const struct json *only_entry(const struct json *object)
{
    return object == NULL ? NULL : json_first(object);
}

static void take_content(struct world *w, const struct json *signed_part)
{
    struct rw_err err;
    struct tuf_target t;
    static struct entry_list list;
    char class_name[INSTALL_NAME_BYTES];
    const struct json *targets = signed_part == NULL ? NULL : json_find(signed_part, "targets");
    const struct json *entry = only_entry(targets);
    /* As at the endpoint: without the role's list there is no content. */
    if (entry == NULL || !rw_is_ok(entry_list_read(signed_part, "yara", &list, &err))) { return; }
    if (!rw_is_ok(tuf_target_read(entry, "content-yara", 1, &t, &err)) ||
        !rw_is_ok(entry_codec_read_content(&t, ring, "linux-x86_64", &w->c, class_name, &err))) {
        return;
    }
    entry_list_apply(&list, &w->c);
}

static bool take_pointer(struct world *w, const struct json *entry)
{
    struct rw_err err;
    struct tuf_target t;
    return entry != NULL && rw_is_ok(tuf_target_read(entry, "ring-canary", 1, &t, &err)) &&
           rw_is_ok(entry_codec_read_pointer(&t, &w->p, &err));
}

static void take_expedite(struct world *w, const struct json *entry)
{
    struct rw_err err;
    struct tuf_target t;
    struct entry_codec_expedite x;
    struct rw_wall expires = w->x.expires;
    if (entry == NULL || !rw_is_ok(tuf_target_read(entry, "expedite", 1, &t, &err)) ||
        !rw_is_ok(entry_codec_read_expedite(&t, &x, &err))) {
        return;
    }
    entry_codec_expedite_for_ring(&t, &x, ring, &w->x);
    w->x.expires = expires;
}

static void check(const struct world *w)
{
    const struct install_rule_result r = install_rule_decide(&w->p, &w->c, &w->x, &w->s, w->now);
    RW_ASSERT(r.reason[0] != '\0');
    if (r.decision != INSTALL_GO && r.decision != INSTALL_REVERT) { return; }
    /* Two offline signatures: without the entry that they are over there is no way in. */
    RW_ASSERT(w->c.listed && w->c.release == w->p.release && w->c.length == w->p.length);
    RW_ASSERT(memcmp(w->c.sha256, w->p.sha256, INSTALL_HASH_BYTES) == 0);
    RW_ASSERT(!w->c.withdrawn && w->c.release >= w->c.floor && w->c.platform_fits);
    RW_ASSERT(w->s.engine >= w->c.engine_min && w->s.engine <= w->c.engine_max);
    /* What failed here or was left here stays away, whatever an online key says. */
    RW_ASSERT(w->s.abandoned_count == 0 ||
              memcmp(w->c.sha256, w->s.abandoned[0], INSTALL_HASH_BYTES) != 0);
    RW_ASSERT(w->s.left_count == 0 || memcmp(w->c.sha256, w->s.left[0], INSTALL_HASH_BYTES) != 0);
    if (r.decision == INSTALL_REVERT) { RW_ASSERT(w->p.release < w->s.installed); }
    if (r.decision == INSTALL_REVERT && w->s.held) { return; }
    RW_ASSERT(w->c.has_not_before && w->c.signed_at.s > 0);
    if (r.decision == INSTALL_GO) { RW_ASSERT(!w->p.hold && w->p.release > w->s.installed); }
    bool baked = w->now.s >= w->c.not_before.s && w->now.s >= w->c.signed_at.s + w->s.min_bake_s;
    if (baked) { return; }
    RW_ASSERT(w->x.listed && w->x.names_ring && w->x.release == w->c.release);
    RW_ASSERT(w->now.s >= w->x.not_before.s && w->now.s < w->x.until.s);
    RW_ASSERT(w->now.s < w->x.expires.s);
    RW_ASSERT(w->now.s >= w->c.signed_at.s + w->s.hard_min_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct rw_err err;
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (size < STATE_BYTES) { return 0; }
    w = (struct world){.now = {0}};
    take_state(&w, data);
    if (!rw_is_ok(json_parse(rw_span_of(data + STATE_BYTES, size - STATE_BYTES),
                             &json_limits_metadata, &tree, &err))) {
        return 0;
    }
    take_content(&w, json_find(tree, "signed"));
    take_expedite(&w, only_entry(json_find(tree, "expedite")));
    if (!take_pointer(&w, only_entry(json_find(tree, "rings")))) {
        /* A pointer that cannot be read is none; one that agrees with everything is the worst case. */
        w.p = (struct install_rule_pointer){.release = w.c.release, .length = w.c.length};
        memcpy(w.p.ring, w.s.ring, sizeof(w.p.ring));
        memcpy(w.p.family, w.s.family, sizeof(w.p.family));
        memcpy(w.p.sha256, w.c.sha256, sizeof(w.p.sha256));
    }
    check(&w);
    return 0;
}
