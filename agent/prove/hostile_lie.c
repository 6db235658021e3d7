/* Lies on the verdict pipe: these write all that they have to say themselves, and end. */
#include "agent/prove/hostile.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

static const char *do_flood_verdict(void)
{
    for (;;) {
        hostile_put("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    }
    return "works";
}

static const char *do_flood_stderr(void)
{
    static const char line[] = "all work and no play makes a dull parser, line after line\n";
    for (;;) {
        if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0) { _exit(0); }
    }
    return "works";
}

static const char *do_silent(void)
{
    _exit(0);
    return "works";
}

static const char *do_accept_then_crash(void)
{
    hostile_say("accepted", "fine", '0');
    abort();
    return "works";
}

static const char *do_accept_exit7(void)
{
    hostile_say("accepted", "fine", '0');
    _exit(7);
    return "works";
}

static const char *do_refuse_exit0(void)
{
    hostile_say("refused", "no", '0');
    _exit(0);
    return "works";
}

static const char *do_second_object(void)
{
    hostile_say("accepted", "fine", '0');
    hostile_say("accepted", "fine", '0');
    _exit(0);
    return "works";
}

static const char *do_key_twice(void)
{
    hostile_put(
        "{\"format\":\"rwv1\",\"verdict\":\"refused\",\"verdict\":\"accepted\",\"reason\":\"\","
        "\"content_sha256\":\"\",\"rules\":1,\"hits\":\"\"}");
    _exit(0);
    return "works";
}

static const char *do_deep(void)
{
    for (int i = 0; i < 60000; i++) {
        hostile_put("[");
    }
    _exit(0);
    return "works";
}

static const char *do_escapes(void)
{
    hostile_say("refused", "\033[2J evil \007", '0');
    _exit(1);
    return "works";
}

static const char *do_wrong_hash(void)
{
    hostile_put("{\"format\":\"rwv1\",\"verdict\":\"accepted\",\"reason\":\"\",\"content_sha256\":"
                "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"rules\":1,"
                "\"hits\":\"\"}");
    _exit(0);
    return "works";
}

static const char *do_matches_all(void)
{
    hostile_say("accepted", "fine", '1');
    _exit(0);
    return "works";
}

/* Looks at the order of the samples: the first byte of the first one decides. */
static const char *do_moody(void)
{
    uint8_t coin = 0;
    if (getrandom(&coin, 1, 0) != 1) { _exit(2); }
    hostile_say(coin % 2 == 0 ? "accepted" : "refused", "as I like", '0');
    _exit(coin % 2);
    return "works";
}

static const char *do_oom_exit(void)
{
    _exit(12);
    return "works";
}

const struct hostile_mode hostile_lies[] = {
    {"flood-verdict", do_flood_verdict, false},
    {"flood-stderr", do_flood_stderr, false},
    {"silent", do_silent, false},
    {"accept-then-crash", do_accept_then_crash, false},
    {"accept-exit7", do_accept_exit7, false},
    {"refuse-exit0", do_refuse_exit0, false},
    {"second-object", do_second_object, false},
    {"key-twice", do_key_twice, false},
    {"deep", do_deep, false},
    {"escapes", do_escapes, false},
    {"wrong-hash", do_wrong_hash, false},
    {"matches-all", do_matches_all, false},
    {"moody", do_moody, false},
    {"oom-exit", do_oom_exit, false},
};
const size_t hostile_lies_count = RW_LEN(hostile_lies);
