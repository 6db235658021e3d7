/* webhook.h: sends the records of the audit log to the configured targets, in their order, at least once.
 *
 * The audit log is the outbox: a record is written in the transaction of its change (INV-9), so an event is lost with
 * its change or not at all. Per target a stored cursor tells which record was delivered last; it moves after delivery.
 *
 * memory   owns targets and senders until webhook_close; borrows the store
 * threads  the core thread; deliveries run in a thread per target
 * source   docs/server.md "Webhooks"
 */
#ifndef RINGWARD_WEBHOOK_H
#define RINGWARD_WEBHOOK_H

#include "common/base/clock.h"
#include "common/json/json_write.h"
#include "server/report/webhook_conf.h"
#include "server/store/store.h"

struct webhook;

struct webhook_settings {
    struct store *store;
    const struct webhook_conf *conf; /* copied */
    void (*wake)(void *ctx);         /* called from a sender's thread when a result waits */
    void *ctx;                       /* borrowed */
};

/* Starts the senders. A target that the store does not know begins behind the newest record.
 * Fails with RW_E_NOMEM, RW_E_PROCESS and as the store does. */
RW_RC webhook_open(const struct webhook_settings *settings, struct webhook **out,
                   struct rw_err *err);
void webhook_close(struct webhook **w); /* accepts NULL */

/* Another process has sent meanwhile: the next turn begins at the stored cursors. Accepts NULL. */
void webhook_again(struct webhook *w);

/* One turn: takes results, stores cursors, hands over what is due. Begins and commits transactions of its own; never
 * waits for a target. Fails as the store does: nothing is lost, the next turn tries again. What fails for one target
 * stops no other; the first failure is told, with its target. */
RW_RC webhook_turn(struct webhook *w, const struct rw_clock *clock, struct rw_err *err);

/* Writes {"webhooks":[{"name","url","events","state","waiting","delivered","dropped","failures","error"?}]}; no secret,
 * and of the URL only scheme and host: a path may hold one. */
void webhook_write(const struct webhook *w, struct json_writer *out);
/* Appends a string per target that is not reached to an open array. */
void webhook_write_alarms(const struct webhook *w, struct json_writer *out);
/* Appends Prometheus samples. */
RW_RC webhook_metrics(const struct webhook *w, struct rw_buf *into, struct rw_err *err);
/* Records a test event for this target, which takes the ordinary way. Fails with RW_E_NOT_FOUND. */
RW_RC webhook_test(struct webhook *w, const char *name, const char *actor, struct rw_wall now,
                   struct rw_err *err);

/* The lowest number of a record that some target of these has not taken yet; INT64_MAX: none waits. For whoever is
 * about to move records out of the store; any connection. Fails with the store's codes. */
RW_RC webhook_first_wanted(struct store *store, const struct webhook_conf *conf, int64_t *out,
                           struct rw_err *err);

#endif
