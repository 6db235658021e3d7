/* store_pg_schema.h: what each new connection to PostgreSQL goes through: settings, durability, schema.
 *
 * memory   borrows the link
 * threads  one thread
 * source   docs/nodes.md
 */
#ifndef RINGWARD_STORE_PG_SCHEMA_H
#define RINGWARD_STORE_PG_SCHEMA_H

#include "server/store/store_pg_link.h"

/* Also for reconnecting: a database that was exchanged or migrated meanwhile is noticed. Fails as store_pg_open. */
RW_RC store_pg_schema_begin(struct store_pg_link *l, struct rw_err *err);

#endif
