/* fleet_wire.h: the requests of endpoints, made by the codecs that agent and server share, and what answers say.
 *
 * memory   a scratch owns the text of the request made last
 * threads  one scratch per thread
 * source   docs/protocol.md 7
 */
#ifndef RINGWARD_FLEET_WIRE_H
#define RINGWARD_FLEET_WIRE_H

#include "common/wire/beacon_codec.h"
#include "tests/fleet/fleet_book.h"
#include "tests/fleet/fleet_http.h"

enum fleet_kind { FLEET_ENROL, FLEET_POLL, FLEET_PERMIT, FLEET_BEACON, FLEET_KINDS };
enum { FLEET_CONFIRM = FLEET_KINDS }; /* beacons of which the first says healthy: load mode */

struct fleet_wire {
    const struct fleet_book *book; /* borrowed */
    struct rw_buf body;
    char token[FLEET_BOOK_TOKEN_BYTES];
};

struct fleet_wire fleet_wire_make(const struct fleet_book *book);
void fleet_wire_drop(struct fleet_wire *w);
const char *fleet_wire_name(enum fleet_kind kind);

/* Each fills *out, whose texts live until the next call. Fail with RW_E_NOMEM, RW_E_TOO_BIG. */
RW_RC fleet_wire_enrol(struct fleet_wire *w, const struct fleet_member *m,
                       struct fleet_request *out, struct rw_err *err);
/* `etag` may be "": unconditional. */
void fleet_wire_poll(const char *etag, struct fleet_request *out);
RW_RC fleet_wire_permit(struct fleet_wire *w, const struct fleet_member *m,
                        const struct beacon_permit_request *r, struct fleet_request *out,
                        struct rw_err *err);
RW_RC fleet_wire_beacons(struct fleet_wire *w, const struct fleet_member *m,
                         const struct beacon *beacons, size_t count, struct fleet_request *out,
                         struct rw_err *err);
/* An id that no other beacon of this fleet has. */
void fleet_wire_id(const struct fleet_member *m, uint32_t number,
                   uint8_t id[static BEACON_ID_BYTES]);
/* The poll interval that an answer to beacons asks for; 0: as configured. */
int64_t fleet_wire_poll_s(struct rw_span answer);

#endif
