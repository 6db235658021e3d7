/* agent_verify.h: looks at everything that the agent keeps on the disk and says what is wrong and what to do.
 *
 * Reads only, takes no lock: it may run beside the agent, and without one. Needs no network.
 *
 * memory   a report is plain values
 * threads  one
 * source   docs/architecture.md "Integrity of what is active"; INV-6, INV-12
 */
#ifndef RINGWARD_AGENT_VERIFY_H
#define RINGWARD_AGENT_VERIFY_H

#include "agent/activate/slot.h"
#include "agent/agent_conf.h"

#include <sys/types.h>

enum verify_level {
    VERIFY_OK,
    VERIFY_NOTE, /* worth knowing; nothing has to be done */
    VERIFY_BAD,
};

enum { VERIFY_FINDINGS_MAX = 64, VERIFY_TEXT_BYTES = 320, VERIFY_WHERE_BYTES = 32 };

struct verify_finding {
    enum verify_level level;
    char where[VERIFY_WHERE_BYTES]; /* "active set", "store", "trust" ... */
    char text[VERIFY_TEXT_BYTES];
    char hint[VERIFY_TEXT_BYTES]; /* what to do; "": nothing */
};

struct verify_report {
    struct verify_finding findings[VERIFY_FINDINGS_MAX];
    size_t count;
    size_t bad; /* also of those that found no place in the list */
    size_t notes;
};

/* Fails only when nothing can be looked at (RW_E_NOT_FOUND, RW_E_IO: no state directory). */
RW_RC agent_verify(const struct agent_conf *conf, struct rw_wall now, struct verify_report *out,
                   struct rw_err *err);
RW_RC agent_verify_write(const struct verify_report *r, struct rw_buf *into, struct rw_err *err);
void agent_verify_print(const struct verify_report *r);

/* --- for the files agent_verify*.c only --- */

struct verify_place {
    const struct agent_conf *conf;
    struct verify_report *report;
    int state;   /* borrowed */
    uid_t owner; /* of the state directory */
    struct rw_wall now;
    struct slot_state slots;
    bool has_slots;
    struct manifest active; /* count 0: none, or unreadable */
};

__attribute__((format(printf, 5, 6))) void agent_verify_say(struct verify_report *r,
                                                            enum verify_level level,
                                                            const char *where, const char *hint,
                                                            const char *fmt, ...);
void agent_verify_trust(struct verify_place *p);
void agent_verify_spool(struct verify_place *p);
void agent_verify_programs(struct verify_place *p);

#endif
