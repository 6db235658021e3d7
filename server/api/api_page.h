/* api_page.h: the read-only status page at "/": HTML, style and script as three static answers.
 *
 * The page holds no data: it asks /v1/status with a viewer token that its reader types in. Its content policy lets
 * in nothing but these three and the API of the same server.
 *
 * memory   the bytes are part of the program
 * threads  answered on the worker threads
 * source   docs/server.md "Status page"; status_page.html, .css, .js, embedded by CMake
 */
#ifndef RINGWARD_API_PAGE_H
#define RINGWARD_API_PAGE_H

#include "server/api/api_job.h"

extern const struct api_route api_page_routes[];
extern const size_t api_page_route_count;

#endif
