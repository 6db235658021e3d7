/* fleet_options.h: what every subcommand of ringward-fleet takes, and what it needs before it can begin.
 *
 * memory   plain values that borrow from argv; a set-up owns what it opened until fleet_setup_drop
 * threads  no shared state
 * source   docs/fleet.md
 */
#ifndef RINGWARD_FLEET_OPTIONS_H
#define RINGWARD_FLEET_OPTIONS_H

#include "common/base/opt.h"
#include "tests/fleet/fleet_enrol.h"
#include "tests/fleet/fleet_view.h"

enum { FLEET_OPTIONS_SHARED = 9, FLEET_OPTIONS_PATH_BYTES = 4096 };

/* As typed. */
struct fleet_options {
    const char *server;      /* URL */
    const char *dir;         /* the server's directory: root.json, tls/ca.pem, tokens/enrol.token */
    const char *endpoints;   /* number; NULL: the subcommand's default */
    const char *connections; /* number; NULL: 256 */
    const char *seed;
    const char *family;
    const char *timeout; /* duration */
    const char *output;  /* table or json */
    bool own;            /* one connection per endpoint */
};

/* The rows that all subcommands share. */
void fleet_options_fill(struct fleet_options *o, struct opt rows[static FLEET_OPTIONS_SHARED]);
/* A number of an option; NULL: `otherwise`. Fails with RW_E_USAGE. */
RW_RC fleet_options_number(const char *text, const char *name, int64_t max, int64_t otherwise,
                           int64_t *out, struct rw_err *err);

/* The server seen, endpoints made and enrolled. */
struct fleet_setup {
    struct event_base *base;
    struct fleet_book book;
    struct fleet_view *view;
    struct fleet_http_options http;
    struct fleet_enrol_result enrol;
    char ca_file[FLEET_OPTIONS_PATH_BYTES];
    bool json;
};

RW_RC fleet_setup_open(const struct fleet_options *o, int64_t endpoints, struct fleet_setup *out,
                       struct rw_err *err);
void fleet_setup_drop(struct fleet_setup *s);
/* Processor time of this process so far. */
double fleet_options_cpu_s(void);

#endif
