#include "server/prune_rule.h"

/* A time that lies ahead, or a clock that was set back, makes nothing old. */
static enum prune_verdict by_age(const struct prune_limits *l, int64_t since_s)
{
    bool old = since_s <= l->now_s && l->now_s - since_s >= l->age_s;
    return old ? PRUNE_GO : PRUNE_YOUNG;
}

/* No move leads back from here to a state in which the server needs uploaded or copied bytes. */
static bool is_over(const struct prune_release *r)
{
    return r->known && (r->state == RELEASE_PUBLISHED || r->state == RELEASE_REFUSED ||
                        r->state == RELEASE_WITHDRAWN);
}

enum prune_verdict prune_rule_metadata(const struct prune_limits *l, const struct prune_metadata *m)
{
    /* TUF-5.3: clients walk 1.root.json, 2.root.json and on, however old they are. */
    if (m->root) { return PRUNE_REFERRED; }
    if (!m->listed) { return PRUNE_UNKNOWN; }
    /* A higher version than the one in force is being published right now, or was cut off while it was. */
    if (m->version >= m->current) { return PRUNE_REFERRED; }
    if (m->newer < l->keep) { return PRUNE_FEW; }
    return by_age(l, m->replaced_s);
}

enum prune_verdict prune_rule_staging(const struct prune_limits *l, const struct prune_staging *s)
{
    if (!s->release.known) { return PRUNE_UNKNOWN; }
    if (!is_over(&s->release) || s->checking) { return PRUNE_OPEN; }
    bool published = s->release.state == RELEASE_PUBLISHED;
    /* The release in place, which the next one is compared with, may be an old one. */
    if (published && s->listed) { return PRUNE_REFERRED; }
    if (published && s->newer < l->keep) { return PRUNE_FEW; }
    return by_age(l, s->written_s);
}

enum prune_verdict prune_rule_payload(const struct prune_limits *l, const struct prune_payload *p)
{
    if (p->listed) { return PRUNE_REFERRED; }
    if (!p->release.known) { return PRUNE_UNKNOWN; }
    /* An approved release has its payload here before the signer is asked to list it. */
    if (!is_over(&p->release)) { return PRUNE_OPEN; }
    return by_age(l, p->written_s);
}

enum prune_verdict prune_rule_delta(const struct prune_limits *l, const struct prune_delta *d)
{
    return d->wanted ? PRUNE_REFERRED : by_age(l, d->written_s);
}

enum prune_verdict prune_rule_policy(const struct prune_limits *l, const struct prune_policy *p)
{
    return p->listed ? PRUNE_REFERRED : by_age(l, p->written_s);
}

const char *prune_rule_why(enum prune_verdict verdict)
{
    static const char *const texts[PRUNE_VERDICTS] = {
        [PRUNE_GO] = "of no use and old enough",
        [PRUNE_REFERRED] = "referred to",
        [PRUNE_YOUNG] = "too young",
        [PRUNE_FEW] = "one of the newest few",
        [PRUNE_OPEN] = "of a release that is on its way",
        [PRUNE_UNKNOWN] = "unknown",
    };
    return texts[verdict];
}
