#include "agent/sensor/sensor_supply.h"

/* Raise the version whenever a type, a field or an operator is added: content names the least that it needs. Fields
 * are only ever added behind the last. Content that does not declare them is refused by such a sensor: the engine range
 * of releases keeps versions of a fleet apart. */
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
               .fields = {{"image", TEMPLATE_STRING},
                          {"command_line", TEMPLATE_STRING},
                          {"working_dir", TEMPLATE_STRING},
                          {"user", TEMPLATE_STRING},
                          {"user_id", TEMPLATE_INT},
                          {"group_id", TEMPLATE_INT},
                          {"pid", TEMPLATE_INT},
                          {"parent_pid", TEMPLATE_INT},
                          {"parent_image", TEMPLATE_STRING},
                          {"parent_command_line", TEMPLATE_STRING},
                          {"session_id", TEMPLATE_INT},
                          {"sha256", TEMPLATE_STRING},
                          {"signer", TEMPLATE_STRING},
                          {"file_size", TEMPLATE_INT},
                          {"integrity", TEMPLATE_INT},
                          {"tty", TEMPLATE_STRING},
                          {"container", TEMPLATE_STRING},
                          {"remote_ip", TEMPLATE_IP},
                          {"started_by", TEMPLATE_STRING},
                          {"depth", TEMPLATE_INT}}},
              {.name = "network_connect",
               .field_count = 8,
               .fields = {{"image", TEMPLATE_STRING},
                          {"pid", TEMPLATE_INT},
                          {"user", TEMPLATE_STRING},
                          {"protocol", TEMPLATE_STRING},
                          {"local_ip", TEMPLATE_IP},
                          {"local_port", TEMPLATE_INT},
                          {"remote_ip", TEMPLATE_IP},
                          {"remote_port", TEMPLATE_INT}}},
              {.name = "file_write",
               .field_count = 6,
               .fields = {{"image", TEMPLATE_STRING},
                          {"pid", TEMPLATE_INT},
                          {"user", TEMPLATE_STRING},
                          {"path", TEMPLATE_STRING},
                          {"bytes", TEMPLATE_INT},
                          {"sha256", TEMPLATE_STRING}}}},
};
