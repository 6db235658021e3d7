/* Goal: who is exempt from the rate of connections is what was written, and nobody else; what is not understood is
 * refused with its word. */
#include "server/api/http_networks.h"

#include "tests/harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static bool have(const char *list, const char *address)
{
    struct rw_err err;
    struct http_networks n;
    struct sockaddr_storage at = {.ss_family = AF_INET};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&at;
    MUST(http_networks_parse(list, &n, &err));
    if (inet_pton(AF_INET, address, &v4->sin_addr) != 1) {
        at.ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
    }
    return http_networks_have(&n, (const struct sockaddr *)&at);
}

static const struct have_case {
    const char *id, *list, *address;
    bool in;
} have_cases[] = {
    {"nothing is in an empty list", "", "127.0.0.1", false},
    {"the address itself", "192.0.2.7", "192.0.2.7", true},
    {"its neighbour", "192.0.2.7", "192.0.2.6", false},
    {"first of a network", "10.1.2.0/23", "10.1.2.0", true},
    {"last of a network", "10.1.2.0/23", "10.1.3.255", true},
    {"behind a network", "10.1.2.0/23", "10.1.4.0", false},
    {"before a network", "10.1.2.0/23", "10.1.1.255", false},
    {"the second of two", "  192.0.2.1   10.0.0.0/8 ", "10.255.0.1", true},
    {"the default, IPv4", HTTP_NETWORKS_LOOPBACK, "127.9.9.9", true},
    {"the default, IPv6", HTTP_NETWORKS_LOOPBACK, "::1", true},
    {"the default, a stranger", HTTP_NETWORKS_LOOPBACK, "2001:db8::1", false},
    {"everybody with IPv4", "0.0.0.0/0", "203.0.113.1", true},
    {"everybody with IPv4 is not IPv6", "0.0.0.0/0", "2001:db8::1", false},
    {"IPv4 in IPv6 form", "192.0.2.0/24", "::ffff:192.0.2.200", true},
    {"an IPv6 network", "2001:db8::/33", "2001:db8:7fff::1", true},
    {"behind an IPv6 network", "2001:db8::/33", "2001:db8:8000::1", false},
};

TEST(an_address_is_exempt_when_a_network_of_the_list_has_it)
{
    for (size_t i = 0; i < RW_LEN(have_cases); i++) {
        const struct have_case *it = &have_cases[i];
        if (have(it->list, it->address) != it->in) { fail_msg("%s", it->id); }
    }
    const struct sockaddr local = {.sa_family = AF_UNIX};
    struct rw_err err;
    struct http_networks all;
    MUST(http_networks_parse("0.0.0.0/0 ::/0", &all, &err));
    assert_false(http_networks_have(&all, &local));
}

TEST(what_is_no_network_is_refused_with_its_word)
{
    static const char *const wrong[] = {"localhost",   "127.0.0.1/33", "::1/129",     "127.0.0.1/",
                                        "127.0.0.1/8", "10.0.0.0/+8",  "10.0.0.0,::1"};
    struct http_networks n;
    struct rw_err err;
    for (size_t i = 0; i < RW_LEN(wrong); i++) {
        MUST_FAIL(http_networks_parse(wrong[i], &n, &err), RW_E_CONFIG);
        assert_non_null(strstr(err.hint, "127.0.0.0/8"));
    }
    char many[HTTP_NETWORKS_TEXT_BYTES] = "";
    for (size_t i = 0; i <= HTTP_NETWORKS_MAX; i++) {
        (void)snprintf(many + 9 * i, sizeof(many) - 9 * i, "10.0.0.1 ");
    }
    MUST_FAIL(http_networks_parse(many, &n, &err), RW_E_CONFIG);
    assert_non_null(strstr(err.text, "more than 32"));
}

RUN_TESTS(cmocka_unit_test(an_address_is_exempt_when_a_network_of_the_list_has_it),
          cmocka_unit_test(what_is_no_network_is_refused_with_its_word))
