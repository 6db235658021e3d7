/* Request bodies of all routes that are parsed on the worker threads: whatever arrives, the route answers or the job
 * goes on to the core; nothing is read beyond the body and nothing leaks. The first byte picks the route. */
#include "server/api/api_routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = 0;
    const struct api_route *routes = api_routes(&count);
    if (size == 0) { return 0; }
    const struct api_route *route = &routes[data[0] % count];
    if (route->prepare == NULL || size - 1 > route->body_bytes_max) { return 0; }
    struct api_job job = api_job_make();
    job.route = route;
    job.req.body = rw_span_of(data + 1, size - 1);
    route->prepare(&job);
    /* What `prepare` did not answer is understood: its form must be there for the core. */
    RW_ASSERT(job.reply.status != 0 || job.prepared != NULL);
    api_job_drop(&job);
    return 0;
}
