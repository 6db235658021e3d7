/* signer_lift.h: versions after a restore: above all that anybody can have seen, although they are not known here.
 *
 * `ringward-server restore` leaves the number of versions to step over in state/lift; the first renewal signs every
 * online role that much higher and removes the file. Twice after a crash in between does no harm.
 *
 * memory   of the signer
 * threads  one thread
 * source   docs/backup.md; TUF 5.4.3, 5.5.5 (clients refuse lower versions)
 */
#ifndef RINGWARD_SIGNER_LIFT_H
#define RINGWARD_SIGNER_LIFT_H

#include "server/signer/signer_state.h"

/* Reads state/lift into s->lift; 0 when there is none. Fails with RW_E_SYNTAX, RW_E_RANGE, RW_E_IO. */
RW_RC signer_lift_load(struct signer *s, struct rw_err *err);
/* Raises the floor of a role in memory by what was loaded. */
void signer_lift_raise(struct signer *s, const char *role, const char *keyid, int64_t published);
/* The raised floors are durable: forgets and removes the file. */
RW_RC signer_lift_done(struct signer *s, struct rw_err *err);

#endif
