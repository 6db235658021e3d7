#include "common/base/clock.h"

#include <stdio.h>
#include <time.h>

static struct rw_wall system_wall(void *ctx)
{
    (void)ctx;
    struct timespec ts = {0};
    RW_ASSERT(clock_gettime(CLOCK_REALTIME, &ts) == 0);
    return (struct rw_wall){ts.tv_sec};
}

static struct rw_mono system_mono(void *ctx)
{
    (void)ctx;
    struct timespec ts = {0};
    /* BOOTTIME counts suspended time too: a laptop's sleep is not free bake or probation time. */
    RW_ASSERT(clock_gettime(CLOCK_BOOTTIME, &ts) == 0);
    return (struct rw_mono){(int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000};
}

struct rw_clock rw_clock_system(void)
{
    return (struct rw_clock){.wall = system_wall, .mono = system_mono, .ctx = NULL};
}

/* Days since 1970-01-01 of a Gregorian date; the year is taken to start in March. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = yoe + era * 400 + (*month <= 2 ? 1 : 0);
}

void rw_wall_format(char dst[static RW_TIME_TEXT_BYTES], struct rw_wall t)
{
    static const int64_t last = INT64_C(253402300799); /* 9999-12-31T23:59:59Z */
    int64_t s = t.s < 0 ? 0 : (t.s > last ? last : t.s);
    int64_t year = 0;
    int64_t month = 0;
    int64_t day = 0;
    civil_from_days(s / 86400, &year, &month, &day);
    int64_t rest = s % 86400;
    char text[64]; /* wide enough for whatever the compiler thinks the numbers may be */
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, (int)month,
                   (int)day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    rw_copy(dst, RW_TIME_TEXT_BYTES, text, RW_TIME_TEXT_BYTES - 1);
    dst[RW_TIME_TEXT_BYTES - 1] = '\0';
}

static bool two_digits(const uint8_t *p, int64_t *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') { return false; }
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool form_is_right(struct rw_span s)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    if (s.n != sizeof(form) - 1) { return false; }
    for (size_t i = 0; i < s.n; i++) {
        bool digit = s.p[i] >= '0' && s.p[i] <= '9';
        if (form[i] == 'd' ? !digit : s.p[i] != (uint8_t)form[i]) { return false; }
    }
    return true;
}

RW_RC rw_wall_parse(struct rw_span s, const char *what, struct rw_wall *out, struct rw_err *err)
{
    int64_t century = 0;
    int64_t year = 0;
    int64_t month = 0;
    int64_t day = 0;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    if (!form_is_right(s) || !two_digits(s.p, &century) || !two_digits(s.p + 2, &year) ||
        !two_digits(s.p + 5, &month) || !two_digits(s.p + 8, &day) ||
        !two_digits(s.p + 11, &hour) || !two_digits(s.p + 14, &minute) ||
        !two_digits(s.p + 17, &second)) {
        return rw_fail(err, RW_E_SYNTAX, "%s: not a time of the form YYYY-MM-DDTHH:MM:SSZ", what);
    }
    year += century * 100;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 59) {
        return rw_fail(err, RW_E_SYNTAX, "%s: no such date and time", what);
    }
    out->s = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return RW_OK;
}
