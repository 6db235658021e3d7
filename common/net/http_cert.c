#include "common/net/http_cert.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TOTAL_MS = 20000, URL_BYTES = 512 };

static void curl_drop(CURL **c)
{
    curl_easy_cleanup(*c);
}

/* "Expire date:Nov 26 22:49:45 2027 GMT" of the server's own certificate, the first of the chain. */
static RW_RC find_date(const struct curl_certinfo *chain, const char *name, struct rw_wall *out,
                       struct rw_err *err)
{
    size_t n = strlen(name);
    const struct curl_slist *line =
        chain == NULL || chain->num_of_certs < 1 ? NULL : chain->certinfo[0];
    for (; line != NULL; line = line->next) {
        if (strncasecmp(line->data, name, n) != 0 || line->data[n] != ':') { continue; }
        time_t t = curl_getdate(line->data + n + 1, NULL);
        if (t <= 0) { break; }
        out->s = (int64_t)t;
        return RW_OK;
    }
    return rw_fail(err, RW_E_PROTOCOL, "the server's certificate tells no '%s'", name);
}

static void set_options(CURL *c, const char *url, const char *ca_file, char *detail)
{
    (void)curl_easy_setopt(c, CURLOPT_URL, url);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    (void)curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    (void)curl_easy_setopt(c, CURLOPT_CERTINFO, 1L);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(c, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    if (ca_file != NULL) { (void)curl_easy_setopt(c, CURLOPT_CAINFO, ca_file); }
}

RW_RC http_cert_read(const char *base_url, const char *ca_file, struct http_cert *out,
                     struct rw_err *err)
{
    char url[URL_BYTES];
    char detail[CURL_ERROR_SIZE] = "";
    struct curl_certinfo *chain = NULL; /* curl's */
    struct http_cert cert = {.not_before = {0}};
    if (strncmp(base_url, "https://", 8) != 0) {
        return rw_fail(err, RW_E_NOT_FOUND, "'%.60s' is not served by TLS", base_url);
    }
    int n = snprintf(url, sizeof(url), "%s/healthz", base_url);
    if (n < 0 || n >= URL_BYTES) { return rw_fail(err, RW_E_RANGE, "the URL is too long"); }
    RW_AUTO(curl) CURL *c = curl_easy_init();
    if (c == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a connection"); }
    set_options(c, url, ca_file, detail);
    CURLcode code = curl_easy_perform(c);
    if (code != CURLE_OK) {
        return rw_fail(err, RW_E_NET, "%s: %s", base_url,
                       detail[0] != '\0' ? detail : curl_easy_strerror(code));
    }
    (void)curl_easy_getinfo(c, CURLINFO_CERTINFO, &chain);
    RW_TRY(find_date(chain, "Start date", &cert.not_before, err));
    RW_TRY(find_date(chain, "Expire date", &cert.not_after, err));
    *out = cert;
    return RW_OK;
}
