/* server_init.h: makes a whole server directory with development trust: every key on one machine.
 *
 * Root, targets and the two engineers get ECDSA P-256 keys, the online roles Ed25519 keys. Root says in a signed
 * member that this is development trust, so that status, beacons and pages can say it too.
 *
 * memory   borrows the settings until return
 * threads  one thread; nobody else may use the directory meanwhile
 * source   docs/protocol.md 2, 4 and 5
 */
#ifndef RINGWARD_SERVER_INIT_H
#define RINGWARD_SERVER_INIT_H

#include "common/base/clock.h"

enum { SERVER_INIT_FAMILIES_MAX = 16, SERVER_INIT_HOSTS_MAX = 16 };

struct server_init_settings {
    const char *dir;             /* made when missing; must be empty */
    struct rw_span policy;       /* text of rings.json; n 0: server_init_policy() */
    const char *const *families; /* content families; count 0: "yara" alone */
    size_t family_count;         /* 0..SERVER_INIT_FAMILIES_MAX */
    const char *const *hosts;    /* names of the TLS certificate; count 0: those of this host */
    size_t host_count;           /* 0..SERVER_INIT_HOSTS_MAX */
    const char *listen;          /* "ADDRESS:PORT"; NULL: "127.0.0.1:8443" */
    struct rw_wall now;          /* when everything is signed */
};

/* Builds the directory; `server.conf` comes last, so a directory with it is complete.
 * Fails with RW_E_EXISTS (not empty), RW_E_SCHEMA and RW_E_RANGE (policy, family or host name), RW_E_IO. */
RW_RC server_init_dev(const struct server_init_settings *settings, struct rw_err *err);
/* The built-in policy: the text of rings.json. */
struct rw_span server_init_policy(void);

#endif
