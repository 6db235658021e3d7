/* pg_server.h: a private PostgreSQL server of a test: fresh data in a temporary folder, a unix socket only, fsync on.
 * As root it runs under the user "postgres" or "nobody", since PostgreSQL refuses root.
 *
 * memory   plain values
 * threads  one server at a time; it is a child process and goes with its parent
 */
#ifndef RINGWARD_PG_SERVER_H
#define RINGWARD_PG_SERVER_H

#include "common/base/buf.h"

#include <sys/types.h>

struct pg_server {
    char dir[64];
    char url[160]; /* of its database, schema public */
    pid_t pid;     /* 0: stopped */
};

/* Makes the data and starts the server; fails the test when that does not work. */
void pg_server_make(struct pg_server *out);
/* Stops it by `signal_number` (SIGINT: in order, SIGQUIT: as a crash) and waits; starts it again. */
void pg_server_stop(struct pg_server *s, int signal_number);
void pg_server_start(struct pg_server *s);
/* Runs SQL on the server; fails the test when the server refuses. */
void pg_server_exec(const struct pg_server *s, const char *schema, const char *sql);
/* URL of its database with the tables in a schema of their own: a fresh store without a new server; "": public. */
void pg_server_url(const struct pg_server *s, const char *schema, char dst[static 160]);
/* Stops it and removes everything. */
void pg_server_remove(struct pg_server *s);

#endif
