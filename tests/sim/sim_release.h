/* sim_release.h: the releases of the property tests: one class, no bake, content that is its number 32 times. */
#ifndef RINGWARD_TEST_SIM_RELEASE_H
#define RINGWARD_TEST_SIM_RELEASE_H

#include "common/policy/ring_policy.h"

#include <stdio.h>

static RW_RC info(void *ctx, const char *family, int64_t release,
                  char class_out[static RING_POLICY_NAME_BYTES],
                  struct rw_wall not_before[static RING_POLICY_RINGS_MAX], struct rw_err *err)
{
    (void)ctx;
    (void)family;
    (void)release;
    (void)err;
    (void)snprintf(class_out, RING_POLICY_NAME_BYTES, "rules");
    not_before[0] = (struct rw_wall){0};
    not_before[1] = (struct rw_wall){0};
    return RW_OK;
}

static bool gone(void *ctx, const char *family, int64_t release)
{
    (void)ctx;
    (void)family;
    (void)release;
    return false;
}

static RW_RC bytes_of(void *ctx, const char *family, int64_t release, uint8_t sha256_out[static 32],
                      struct rw_err *err)
{
    (void)ctx;
    (void)family;
    (void)err;
    for (size_t i = 0; i < 32; i++) {
        sha256_out[i] = (uint8_t)release;
    }
    return RW_OK;
}

#endif
