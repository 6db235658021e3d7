/* box_settings.h: what an installed validator says of itself: profile, program, arguments, limits asked for.
 *
 * A settings file beside the validator, named after it with ".conf"; a first-party validator needs none.
 * memory   plain values of fixed size
 * threads  no shared state
 * source   docs/validators.md
 */
#ifndef RINGWARD_BOX_SETTINGS_H
#define RINGWARD_BOX_SETTINGS_H

#include "agent/prove/box_phase.h"
#include "agent/prove/box_root.h"
#include "common/base/buf.h"

enum {
    BOX_SETTINGS_PATH_BYTES = 512,
    BOX_SETTINGS_WORDS_MAX = 32,
    BOX_SETTINGS_WORDS_BYTES = 1280
};

struct box_settings {
    char program[BOX_SETTINGS_PATH_BYTES]; /* "": the validator itself */
    char sha256[65];                       /* of the program; "": not recorded */
    char profile_name[16];
    char speaks[8]; /* "rwv1": one object on descriptor 5; "lines": prints what it found;
                                              "exit": a loader, all is in its exit status */
    char hit_word[32];
    char extension[BOX_ROOT_EXTENSION_BYTES]; /* "": the content type */
    char arguments[1024];                     /* "": validate TYPE */
    char soft_calls[512];
    int64_t memory_bytes;
    int64_t cpu_ms;
    int64_t wall_ms;
    /* derived */
    enum box_profile profile;
    bool lines;
    bool by_exit;
    int soft[BOX_PHASE_SOFT_MAX];
    size_t soft_count;
};

/* Without the file: the defaults. Fails with RW_E_CONFIG. */
RW_RC box_settings_load(const char *validator, const char *type, struct box_settings *out,
                        struct rw_err *err);
RW_RC box_settings_parse(const char *name, struct rw_span text, const char *type,
                         struct box_settings *out, struct rw_err *err);
/* The validator's argument vector: `name`, then the words of its settings or "validate TYPE", then NULL. The words are
 * cut in place in `words`. */
void box_settings_arguments(const struct box_settings *m, const char *name, const char *type,
                            char words[static BOX_SETTINGS_WORDS_BYTES],
                            char *argv[static BOX_SETTINGS_WORDS_MAX + 2]);

#endif
