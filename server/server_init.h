/* server_init.h: makes a whole server directory, with development trust or with that of a ceremony.
 *
 * Development trust has every key on one machine: root, targets and two engineers get ECDSA P-256 keys, the online
 * roles Ed25519 keys; root says in a signed member what it is, so that status, beacons and pages can say it too. With a
 * ceremony's trust the directory never sees a key of people.
 *
 * memory   borrows the settings until return
 * threads  one thread; nobody else may use the directory meanwhile
 * source   docs/protocol.md 2, 4 and 5
 */
#ifndef RINGWARD_SERVER_INIT_H
#define RINGWARD_SERVER_INIT_H

#include "common/base/clock.h"

struct trust_bundle;

enum { SERVER_INIT_FAMILIES_MAX = 16, SERVER_INIT_HOSTS_MAX = 16 };

struct server_init_settings {
    const char *dir;             /* made when missing; must be empty */
    struct rw_span policy;       /* text of rings.json; n 0: server_init_policy() */
    const char *const *families; /* content families; count 0: "yara" alone */
    size_t family_count;         /* 0..SERVER_INIT_FAMILIES_MAX */
    const char *const *hosts;    /* names of the TLS certificate; count 0: those of this host */
    size_t host_count;           /* 0..SERVER_INIT_HOSTS_MAX */
    const char *listen;          /* "ADDRESS:PORT"; NULL: "127.0.0.1:8443" */
    const char *store;           /* "postgresql://...", an empty database; NULL: a file in `dir` */
    struct rw_wall now;          /* when everything is signed */
    /* Signed documents of a ceremony; NULL: development trust. Then `policy` is the bundle's and `families` are those
     * of its targets; the online keys that they name lie in DIR/signer already (server_init_keys.h). */
    const struct trust_bundle *trust;
};

/* Builds the directory; `server.conf` comes last, so a directory with it is complete.
 * Fails with RW_E_EXISTS (not empty, or the store is another server's), the store's codes,
 * RW_E_SCHEMA and RW_E_RANGE (policy, family or host name), RW_E_IO, the
 * RW_E_TRUST class (the ceremony's documents). */
RW_RC server_init(const struct server_init_settings *settings, struct rw_err *err);
/* The built-in policy: the text of rings.json. */
struct rw_span server_init_policy(void);

#endif
