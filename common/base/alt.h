/* alt.h: small state kept in two alternating copies on disk.
 *
 * "NAME.a" and "NAME.b" each carry a serial number and a checksum; the valid one with the higher serial
 * wins, so a crash at any point leaves the former state readable (INV-6).
 *
 * memory   gives what it reads in a rw_buf of the caller; payload up to 64 KiB
 * threads  no shared state; one writer per name
 * source   style guide 11: boot-critical state in two alternating versioned copies
 */
#ifndef RINGWARD_ALT_H
#define RINGWARD_ALT_H

#include "common/base/buf.h"

/* Fails with RW_E_NOT_FOUND when neither copy is valid, RW_E_IO when that cannot be told. */
RW_RC rw_alt_load(int dir, const char *name, struct rw_buf *into, uint64_t *serial_out,
                  struct rw_err *err);
/* Writes the copy that is not the newest one, with serial + 1; durable on RW_OK. A payload of always the same size
 * needs no room on the disk once both copies exist. Fails with RW_E_TOO_BIG, RW_E_FULL, RW_E_IO. */
RW_RC rw_alt_save(int dir, const char *name, struct rw_span payload, struct rw_err *err);

#endif
