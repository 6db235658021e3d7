#include "common/box/content_type.h"

#include <string.h>

static const char *const built_in[] = {"yara", "template"};

const char *content_type_of(const char *family)
{
    for (size_t i = 0; i < RW_LEN(built_in); i++) {
        size_t n = strlen(built_in[i]);
        if (strncmp(family, built_in[i], n) == 0 && (family[n] == '\0' || family[n] == '-')) {
            return built_in[i];
        }
    }
    return family;
}

bool content_type_is_text(const char *type)
{
    return strcmp(type, "yara") == 0 || strcmp(type, "template") == 0;
}

bool content_type_wants_manifest(const char *type)
{
    return strcmp(type, "template") == 0;
}
