#include "server/api/http_crowd_rule.h"

enum {
    OF_CONNECTIONS = 4,
    ROOM_OF_SHARE = 4, /* less than that is left: a crowd */
    PATIENCE_OF_HEAD = 5,
    GONE_LEAST = 512, /* some 17 MB of handshakes: not worth the walk over all memory below that */
};

unsigned http_crowd_rule_share(unsigned connections_max, unsigned workers)
{
    unsigned all = connections_max / OF_CONNECTIONS;
    if (all > HTTP_CROWD_RULE_MOST) { all = HTTP_CROWD_RULE_MOST; }
    unsigned each = all / workers;
    return each < HTTP_CROWD_RULE_LEAST ? HTTP_CROWD_RULE_LEAST : each;
}

bool http_crowd_rule_cuts(unsigned newcomers, unsigned share, int64_t head_ms, int64_t left_ms)
{
    bool crowded = newcomers > share - share / ROOM_OF_SHARE;
    return left_ms <= (crowded ? head_ms - head_ms / PATIENCE_OF_HEAD : 0);
}

bool http_crowd_rule_gives_back(unsigned most_open, unsigned open)
{
    return most_open >= open + GONE_LEAST && open <= most_open / 2;
}
