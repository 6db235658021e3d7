#include "server/api/api_routes.h"

#include "server/api/api_agent.h"
#include "server/api/api_control.h"
#include "server/api/api_drill.h"
#include "server/api/api_fleet.h"
#include "server/api/api_health.h"
#include "server/api/api_operator.h"
#include "server/api/api_order.h"
#include "server/api/api_page.h"
#include "server/api/api_release.h"
#include "server/api/api_rollout.h"
#include "server/api/api_second.h"
#include "server/api/api_token_admin.h"
#include "server/api/api_trust_change.h"
#include "server/api/api_webhook.h"

enum { ROUTES_MAX = 64 };

static struct api_route all[ROUTES_MAX];
static size_t all_count;

static void add(const struct api_route *routes, size_t count)
{
    RW_ASSERT(all_count + count <= ROUTES_MAX);
    for (size_t i = 0; i < count; i++) {
        all[all_count++] = routes[i];
    }
}

const struct api_route *api_routes(size_t *count_out)
{
    if (all_count == 0) {
        add(api_agent_routes, api_agent_route_count);
        add(api_release_routes, api_release_route_count);
        add(api_order_routes, api_order_route_count);
        add(api_rollout_routes, api_rollout_route_count);
        add(api_drill_routes, api_drill_route_count);
        add(api_second_routes, api_second_route_count);
        add(api_control_routes, api_control_route_count);
        add(api_fleet_routes, api_fleet_route_count);
        add(api_operator_routes, api_operator_route_count);
        add(api_token_admin_routes, api_token_admin_route_count);
        add(api_trust_change_routes, api_trust_change_route_count);
        add(api_webhook_routes, api_webhook_route_count);
        add(api_health_routes, api_health_route_count);
        add(api_page_routes, api_page_route_count);
    }
    *count_out = all_count;
    return all;
}
