/* store_schema.h: the schema as numbered steps, forward only.
 *
 * memory   constants
 * threads  no state
 * source   docs/architecture.md "Storage"
 */
#ifndef RINGWARD_STORE_SCHEMA_H
#define RINGWARD_STORE_SCHEMA_H

#include <stddef.h>

/* Step i brings version i to i + 1; a database at store_schema_version is current. */
extern const char *const store_schema_steps[]; /* SQLite */
extern const size_t store_schema_version;
extern const char *const store_schema_pg_steps[]; /* PostgreSQL */
extern const size_t store_schema_pg_version;

#endif
