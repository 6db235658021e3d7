/* sensor_load.h: reads an active set (manifest and content) and compiles all of it.
 *
 * memory   a set owns its compiled rules and templates until sensor_set_drop
 * threads  one thread
 * source   docs/protocol.md 9 and 10
 */
#ifndef RINGWARD_SENSOR_LOAD_H
#define RINGWARD_SENSOR_LOAD_H

#include "agent/sensor/sensor_whole.h"
#include "common/template/template_set.h"
#include "common/wire/sensor_codec.h"
#include "common/yara/yara_engine.h"

enum { SENSOR_FAMILIES_MAX = 32 };

struct sensor_family {
    char name[SENSOR_FAMILY_BYTES];
    int64_t release;
    uint8_t sha256[32];            /* of the bytes that were compiled */
    struct yara_rules *rules;      /* NULL: the family holds templates */
    struct template_set templates; /* empty: the family holds rules */
};

struct sensor_set {
    int64_t number;
    char trial[SENSOR_FAMILY_BYTES]; /* family on trial; "": none */
    int dir; /* owned: of the set, so that what is read of it later is of this one; 0: none */
    struct sensor_family at[SENSOR_FAMILIES_MAX];
    size_t count; /* 0: the empty set */
};

/* Loads the whole set or nothing of it. `active` may be a link; it is opened once, so a switch meanwhile
 * cannot mix two sets. Templates are compared with what this sensor supplies, although the box did that too: it may
 * have judged for another version of it. Fails with RW_E_NOT_FOUND, RW_E_TUF_HASH (content differs from the manifest),
 * RW_E_SYNTAX, RW_E_SCHEMA and the like, naming the family; with RW_E_SCHEMA for one name in two families and
 * RW_E_TOO_BIG above SENSOR_RULES_MAX. */
RW_RC sensor_load_set(const char *active, struct sensor_set *out, struct rw_err *err);
/* A family's name becomes part of file names. Fails with RW_E_SCHEMA. */
RW_RC sensor_load_check_name(const char *name, struct rw_err *err);
void sensor_set_drop(struct sensor_set *s);
/* Rules and templates of all families. */
int64_t sensor_set_rules(const struct sensor_set *s);

#endif
