#include "agent/sensor/sensor_supply.h"

#define STRING(field)                                                                              \
    {                                                                                              \
        .name = field, .type = TEMPLATE_STRING                                                     \
    }
#define INT(field)                                                                                 \
    {                                                                                              \
        .name = field, .type = TEMPLATE_INT                                                        \
    }
#define ADDRESS(field)                                                                             \
    {                                                                                              \
        .name = field, .type = TEMPLATE_IP                                                         \
    }

/* Raise the version whenever a type, a field or an operator is added: content names the least that it needs. Fields
 * are only ever added behind the last, and content of older versions is then refused until it declares them. */
const struct template_manifest sensor_supply = {
    .sensor = "ringward_sensor",
    .version = 1,
    .operators = {[TEMPLATE_STRING] = 1U << TEMPLATE_ANY | 1U << TEMPLATE_IS |
                                      1U << TEMPLATE_ONE_OF | 1U << TEMPLATE_PREFIX |
                                      1U << TEMPLATE_SUFFIX | 1U << TEMPLATE_CONTAINS,
                  [TEMPLATE_INT] = 1U << TEMPLATE_ANY | 1U << TEMPLATE_IS | 1U << TEMPLATE_ONE_OF |
                                   1U << TEMPLATE_RANGE,
                  [TEMPLATE_IP] = 1U << TEMPLATE_ANY | 1U << TEMPLATE_IS | 1U << TEMPLATE_ONE_OF |
                                  1U << TEMPLATE_NET},
    .type_count = 3,
    .types = {{.name = "process_start",
               .field_count = 20,
               .fields = {STRING("image"),
                          STRING("command_line"),
                          STRING("working_dir"),
                          STRING("user"),
                          INT("user_id"),
                          INT("group_id"),
                          INT("pid"),
                          INT("parent_pid"),
                          STRING("parent_image"),
                          STRING("parent_command_line"),
                          INT("session_id"),
                          STRING("sha256"),
                          STRING("signer"),
                          INT("file_size"),
                          INT("integrity"),
                          STRING("tty"),
                          STRING("container"),
                          ADDRESS("remote_ip"),
                          STRING("started_by"),
                          INT("depth")}},
              {.name = "network_connect",
               .field_count = 8,
               .fields = {STRING("image"), INT("pid"), STRING("user"), STRING("protocol"),
                          ADDRESS("local_ip"), INT("local_port"), ADDRESS("remote_ip"),
                          INT("remote_port")}},
              {.name = "file_write",
               .field_count = 6,
               .fields = {STRING("image"), INT("pid"), STRING("user"), STRING("path"), INT("bytes"),
                          STRING("sha256")}}},
};
