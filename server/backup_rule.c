#include "server/backup_rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The first that fits decides. A `begin` that ends in '/' names everything below; otherwise the whole path. */
static const struct rule {
    const char *begin;
    const char *end; /* how the path must end; "": any way */
    enum backup_rule_kind kind;
} rules[] = {
    {"store/ringward.db", "", BACKUP_RULE_STORE},
    {"store/ringward.db-wal", "", BACKUP_RULE_QUIET},
    {"store/ringward.db-shm", "", BACKUP_RULE_QUIET},
    {"server.conf", "", BACKUP_RULE_FILE},
    {"root.json", "", BACKUP_RULE_FILE},
    {"secret", "", BACKUP_RULE_FILE},
    {"tls/ca.pem", "", BACKUP_RULE_FILE},
    {"tls/cert.pem", "", BACKUP_RULE_FILE},
    {"repo/", "", BACKUP_RULE_FILE},
    {"staging/", "", BACKUP_RULE_FILE},
    {"trust/", "", BACKUP_RULE_FILE},
    {"audit/", ".ndjson", BACKUP_RULE_FILE},
    {"webhooks/", ".conf", BACKUP_RULE_FILE},
    {"signer/state/proof/", "", BACKUP_RULE_QUIET},
    {"signer/state/lock", "", BACKUP_RULE_QUIET},
    {"signer/state/", "", BACKUP_RULE_FILE},
    {"signer/", ".key", BACKUP_RULE_KEY},
    {"server.lock", "", BACKUP_RULE_QUIET},
    {"controller.lock", "", BACKUP_RULE_QUIET},
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool fits(const struct rule *r, const char *path)
{
    size_t n = strlen(r->begin);
    bool below = r->begin[n - 1] == '/';
    bool begins = below ? strncmp(path, r->begin, n) == 0 : strcmp(path, r->begin) == 0;
    return begins && ends_with(path, r->end);
}

/* ".NAME.tmp": a replacement that was never finished. */
static bool is_unfinished(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    return name[0] == '.' && ends_with(name, ".tmp");
}

enum backup_rule_kind backup_rule_of(const char *path)
{
    if (is_unfinished(path)) { return BACKUP_RULE_QUIET; }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (fits(&rules[i], path)) { return rules[i].kind; }
    }
    return BACKUP_RULE_STRANGER;
}
