#include "server/api/api_node.h"

#include "common/base/log.h"
#include "common/crypto/digest.h"
#include "server/api/api_core.h"
#include "server/api/api_token.h"
#include "server/rollout/lease_rule.h"

#include <string.h>

/* Longer than a statement may take, so that one late answer costs no change of controller. */
enum { LEASE_MS = 5000, HOLDER_RANDOM_BYTES = 16 };

/* --- following --- */

struct changes {
    struct api_core *c;
    bool rollouts;
    bool tokens;
};

static RW_RC take_change(void *arg, const char *kind, const struct store_doc *doc,
                         struct rw_err *err)
{
    struct changes *changes = arg;
    changes->tokens = changes->tokens || strcmp(kind, "token") == 0;
    changes->c->controls_stale = changes->c->controls_stale || strcmp(kind, "control") == 0;
    if (strcmp(kind, "order") == 0) {
        release_order_told_forget(&changes->c->releases.index->orders);
    }
    if (strcmp(kind, "release") == 0) {
        changes->c->renew_wanted = true;
        RW_TRY(release_take(&changes->c->releases, doc, err));
    }
    return rollout_run_take(changes->c->rollouts, kind, doc, &changes->rollouts, err);
}

static RW_RC follow_documents(struct api_core *c, struct rw_err *err)
{
    struct changes changes = {.c = c};
    size_t count = 0;
    int64_t change = c->store->now.change;
    if (c->node->change == change || c->rollouts == NULL) { return RW_OK; }
    RW_TRY(store_doc_changed(c->store, c->node->change, take_change, &changes, err));
    if (changes.tokens) {
        RW_TRY(api_token_load(c->store, c->auth, rw_clock_wall(&c->clock), &count, err));
    }
    if (changes.rollouts) {
        RW_TRY(rollout_run_follow(c->rollouts, rw_clock_wall(&c->clock), err));
        c->tick_wanted = true;
    }
    c->node->change = change;
    return RW_OK;
}

/* INV-1, INV-2: in each new transaction, and nobody else writes until it ends. */
static RW_RC follow(void *arg, struct rw_err *err)
{
    struct api_core *c = arg;
    struct rw_rc rc = fleet_state_follow(c->fleet, err);
    if (!rw_is_ok(rc)) {
        c->fleet_stale = true;
        return rc;
    }
    rc = follow_documents(c, err);
    if (!rw_is_ok(rc)) { c->rollouts_stale = true; }
    return rc;
}

RW_RC api_node_settle(struct api_core *c, struct rw_err *err)
{
    struct rollout_control_set *fresh = NULL;
    if (!c->controls_stale) { return RW_OK; }
    RW_TRY(rollout_control_open(c->store, &fresh, err));
    rollout_control_drop(&c->controls);
    c->controls = fresh;
    c->controls_stale = false;
    return RW_OK;
}

RW_RC api_node_begin(struct api_core *c, struct rw_err *err)
{
    uint8_t random[HOLDER_RANDOM_BYTES];
    if (c->node == NULL) { return RW_OK; }
    RW_TRY(digest_random(random, sizeof(random), err));
    rw_hex_encode(c->node->holder, sizeof(c->node->holder), random, sizeof(random));
    RW_TRY(store_look(c->store, err));
    c->node->change = c->store->now.change;
    c->store->follow = follow;
    c->store->follow_arg = c;
    return RW_OK;
}

/* --- the lease --- */

bool api_node_controls(const struct api_core *c)
{
    return c->node == NULL || c->node->controller;
}

static void log_lease(enum rw_log_level level, const char *event, const struct store_lease *l,
                      const char *why)
{
    struct rw_log_line line;
    rw_log_begin(&line, level, event);
    rw_log_i64(&line, "term", l->term);
    if (why != NULL) { rw_log_str(&line, "why", why); }
    rw_log_end(&line);
}

void api_node_leave(struct api_core *c, const char *why)
{
    struct api_node *n = c->node;
    if (n == NULL || !n->controller) { return; }
    n->controller = n->took_over = false;
    c->store->term = 0;
    c->signer_answers = false;
    c->signer_alarm[0] = '\0';
    n->leave(n->ctx);
    log_lease(RW_LOG_WARN, "controller_no_more", &n->lease, why);
}

static void note_lease(struct api_core *c, bool mine)
{
    struct api_node *n = c->node;
    if (!mine) {
        api_node_leave(c, n->stopping ? "stopping" : "another node has the lease");
        return;
    }
    c->store->term = n->lease.term;
    if (n->controller) { return; }
    n->controller = n->took_over = true;
    n->takeovers++;
    log_lease(RW_LOG_INFO, "controller", &n->lease, NULL);
}

/* The lease as it will be; the term rises with the holder. */
static struct store_lease next_lease(const struct api_node *n, const struct store_lease *now,
                                     enum lease_rule_move move)
{
    struct store_lease next = *now;
    if (move == LEASE_GIVE_BACK) {
        next.holder[0] = next.node[0] = '\0';
        next.left_ms = 0;
        return next;
    }
    next.term += move == LEASE_TAKE ? 1 : 0;
    next.left_ms = LEASE_MS;
    rw_copy(next.holder, sizeof(next.holder), n->holder, sizeof(n->holder));
    rw_copy(next.node, sizeof(next.node), n->name, sizeof(n->name));
    return next;
}

static RW_RC look_at_lease(struct api_core *c, struct store_lease *next, bool *mine_out,
                           struct rw_err *err)
{
    struct api_node *n = c->node;
    struct store_lease now;
    RW_TRY(store_lease_get(c->store, &now, err));
    const struct lease_rule_input in = {
        .mine = strcmp(now.holder, n->holder) == 0,
        .given_back = now.holder[0] == '\0',
        .left_ms = now.left_ms,
        .may = n->may_control,
        .stopping = n->stopping,
    };
    enum lease_rule_move move = lease_rule_decide(&in);
    *mine_out = move == LEASE_TAKE || move == LEASE_RENEW;
    *next = now;
    if (move == LEASE_FOLLOW) { return RW_OK; }
    *next = next_lease(n, &now, move);
    return store_lease_put(c->store, next, err);
}

RW_RC api_node_turn(struct api_core *c, struct rw_err *err)
{
    struct store_lease next;
    bool mine = false;
    if (c->node == NULL) { return RW_OK; }
    c->store->term = 0; /* whoever asks is not controller yet */
    struct rw_rc rc = store_begin(c->store, err);
    if (rw_is_ok(rc)) {
        rc = look_at_lease(c, &next, &mine, err);
        if (rw_is_ok(rc)) { rc = store_commit(c->store, err); }
        store_rollback(c->store);
    }
    if (!rw_is_ok(rc)) {
        api_node_leave(c, err->text);
        return rc;
    }
    c->node->lease = next;
    note_lease(c, mine);
    return RW_OK;
}

RW_RC api_node_extend(struct api_core *c, struct rw_err *err)
{
    if (c->node == NULL || !c->node->controller) { return RW_OK; }
    struct store_lease next = next_lease(c->node, &c->node->lease, LEASE_RENEW);
    return store_lease_put(c->store, &next, err);
}

void api_node_stop(struct api_core *c)
{
    struct rw_err err;
    if (c->node == NULL) { return; }
    c->node->stopping = true;
    c->node->leave(c->node->ctx); /* first: whoever takes the lease finds the signer free */
    RW_IGNORE(api_node_turn(c, &err), "the lease ends by itself");
}

RW_RC api_node_must_control(const struct api_core *c, struct rw_err *err)
{
    if (api_node_controls(c)) { return RW_OK; }
    const char *who = c->node->lease.node;
    if (who[0] == '\0') {
        return rw_fail(err, RW_E_BUSY, "this node is not the controller, and there is none now");
    }
    RW_IGNORE(rw_fail(err, RW_E_BUSY, "this node is not the controller: %.100s is", who),
              "hint follows");
    return rw_hint(err, "send it there; GET /readyz/controller answers 200 on that node only");
}

void api_node_write(const struct api_core *c, struct json_writer *w)
{
    const struct api_node *n = c->node;
    if (n == NULL) { return; }
    json_open_object(w, "node");
    json_put_str(w, "name", n->name);
    json_put_bool(w, "controller", n->controller);
    json_put_str(w, "controller_name", n->lease.node);
    json_put_int(w, "term", n->lease.term);
    json_close_object(w);
}
