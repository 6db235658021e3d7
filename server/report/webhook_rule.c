#include "server/report/webhook_rule.h"

#include <string.h>

enum { FIRST_WAIT_MS = 1000, DOUBLINGS_MAX = 9 };

/* Bytes up to a comma or the end. */
static size_t length_of(const char *pattern)
{
    size_t n = 0;
    while (pattern[n] != '\0' && pattern[n] != ',') {
        n++;
    }
    return n;
}

static bool fits(const char *pattern, size_t n, const char *action)
{
    if (n > 0 && pattern[n - 1] == '*') { return strncmp(pattern, action, n - 1) == 0; }
    return strlen(action) == n && strncmp(pattern, action, n) == 0;
}

bool webhook_rule_wants(const char *events, const char *action)
{
    for (const char *at = events;;) {
        size_t n = length_of(at);
        if (fits(at, n, action)) { return true; }
        if (at[n] == '\0') { return false; }
        at += n + 1;
    }
}

bool webhook_rule_list_ok(const char *events)
{
    for (const char *at = events;;) {
        size_t n = length_of(at);
        if (n == 0) { return false; }
        for (size_t i = 0; i < n; i++) {
            bool letter = (at[i] >= 'a' && at[i] <= 'z') || at[i] == '.' || at[i] == '_';
            if (!letter && !(at[i] == '*' && i == n - 1)) { return false; }
        }
        if (at[n] == '\0') { return true; }
        at += n + 1;
    }
}

int64_t webhook_rule_wait_ms(unsigned failures, uint32_t random, int64_t retry_after_s)
{
    RW_ASSERT(failures >= 1);
    unsigned doublings = failures - 1 < DOUBLINGS_MAX ? failures - 1 : DOUBLINGS_MAX;
    int64_t wait = (int64_t)FIRST_WAIT_MS << doublings;
    if (wait > WEBHOOK_RULE_WAIT_MAX_MS) { wait = WEBHOOK_RULE_WAIT_MAX_MS; }
    wait = wait / 2 + (int64_t)((uint64_t)random * (uint64_t)(wait / 2) / UINT32_MAX);
    int64_t asked = retry_after_s > WEBHOOK_RULE_WAIT_MAX_MS / 1000 ? WEBHOOK_RULE_WAIT_MAX_MS
                                                                    : retry_after_s * 1000;
    return asked > wait ? asked : wait;
}

int64_t webhook_rule_drop(int64_t cursor, int64_t tip, int64_t keep)
{
    return tip - cursor > keep ? tip - cursor - keep : 0;
}
