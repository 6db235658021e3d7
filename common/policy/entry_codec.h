/* entry_codec.h: the "custom" members of content, ring and expedite entries, both directions.
 *
 * memory   reads into plain values; writes into a buffer of the caller
 * threads  no shared state
 * source   docs/protocol.md 2
 */
#ifndef RINGWARD_ENTRY_CODEC_H
#define RINGWARD_ENTRY_CODEC_H

#include "common/json/json_write.h"
#include "common/policy/install_rule.h"
#include "common/policy/ring_policy.h"
#include "common/tuf/tuf_client.h"

enum { ENTRY_CODEC_REASON_BYTES = 401 };

/* What a content entry says beyond one ring's view. */
struct entry_codec_content {
    char family[INSTALL_NAME_BYTES];
    char class_name[INSTALL_NAME_BYTES];
    int64_t release;
    struct rw_wall signed_at;
    struct rw_wall not_before[RING_POLICY_RINGS_MAX]; /* in the policy's order of rings */
    int64_t engine_min;
    int64_t engine_max;
    char platforms[4][INSTALL_NAME_BYTES];
    size_t platform_count;
    bool drill;
};

/* What an expedite entry says beyond one ring's view. */
struct entry_codec_expedite {
    char family[INSTALL_NAME_BYTES];
    int64_t release;
    char rings[RING_POLICY_RINGS_MAX][INSTALL_NAME_BYTES];
    size_t ring_count; /* >= 1 */
    struct rw_wall not_before;
    struct rw_wall until;
    char reason[ENTRY_CODEC_REASON_BYTES];
};

/* "content/FAMILY/RELEASE.rwc", "rings/RING/FAMILY" and "expedite/FAMILY/RELEASE". */
RW_RC entry_codec_content_path(const char *family, int64_t release, char dst[static TUF_PATH_BYTES],
                               struct rw_err *err);
RW_RC entry_codec_pointer_path(const char *ring, const char *family,
                               char dst[static TUF_PATH_BYTES], struct rw_err *err);
RW_RC entry_codec_expedite_path(const char *family, int64_t release,
                                char dst[static TUF_PATH_BYTES], struct rw_err *err);

/* Reads a ring entry. Fails with RW_E_SCHEMA; an unknown format says that the agent is too old. */
RW_RC entry_codec_read_pointer(const struct tuf_target *t, struct install_rule_pointer *out,
                               struct rw_err *err);
/* Reads a content entry as one ring sees it; *class_out receives the class name. */
RW_RC entry_codec_read_content(const struct tuf_target *t, const char *ring, const char *platform,
                               struct install_rule_content *out,
                               char class_out[static INSTALL_NAME_BYTES], struct rw_err *err);
/* Reads an expedite entry whole, and as one ring sees it (`expires` of the role is the caller's to set). Both refuse
 * an entry without a ring, without times or with `until` not after `not_before`. */
RW_RC entry_codec_read_expedite(const struct tuf_target *t, struct entry_codec_expedite *out,
                                struct rw_err *err);
void entry_codec_expedite_for_ring(const struct tuf_target *t, const struct entry_codec_expedite *x,
                                   const char *ring, struct install_rule_expedite *out);
/* Write the whole entry {"custom","hashes","length"} as member `path` of an open "targets" object. */
void entry_codec_write_content(struct json_writer *w, const char *path,
                               const struct entry_codec_content *c,
                               const struct ring_policy *policy, int64_t length,
                               const char *sha256_hex);
void entry_codec_write_pointer(struct json_writer *w, const char *path,
                               const struct install_rule_pointer *p);

void entry_codec_write_expedite(struct json_writer *w, const char *path,
                                const struct entry_codec_expedite *x, int64_t length,
                                const char *sha256_hex);

#endif
