/* fleet_view.h: what signed metadata say to every ring: pointer, content, policy.
 *
 * Verified by the agent's own TUF client over HTTP, once per new timestamp instead of once per endpoint: the work of
 * an endpoint's processor is not what is rehearsed.
 *
 * memory   owns a temporary directory with the trusted metadata until fleet_view_drop
 * threads  one thread; refresh blocks for some requests
 * source   docs/trust.md "The agent's decision"
 */
#ifndef RINGWARD_FLEET_VIEW_H
#define RINGWARD_FLEET_VIEW_H

#include "common/policy/entry_list.h"
#include "common/policy/ring_policy.h"

struct fleet_view;

/* What one ring is told. */
struct fleet_view_ring {
    bool has_pointer;
    struct install_rule_pointer pointer;
    struct install_rule_content content; /* listed false: refused */
    int64_t min_bake_s;
};

struct fleet_view_options {
    const char *url;
    const char *ca_file;   /* may be NULL */
    const char *root_file; /* trusted root */
    const char *family;
    const char *platform; /* "linux-x86_64" */
};

/* Fails as the TUF client does, RW_E_IO, RW_E_POLICY. */
RW_RC fleet_view_open(const struct fleet_view_options *o, struct fleet_view **out,
                      struct rw_err *err);
void fleet_view_drop(struct fleet_view **v);
/* The whole TUF workflow; after a failure the view before it stays. */
RW_RC fleet_view_refresh(struct fleet_view *v, struct rw_err *err);
const struct ring_policy *fleet_view_policy(const struct fleet_view *v);
const struct fleet_view_ring *fleet_view_of(const struct fleet_view *v, size_t ring);
/* Rises with each refresh that succeeded. */
uint32_t fleet_view_generation(const struct fleet_view *v);

#endif
