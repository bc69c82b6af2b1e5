/* files_date.c - dates of HTTP, without the C library's idea of locale and time zone.
 */
#include "files_date.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, ERA_DAYS = 146097, ERA_YEARS = 400, EPOCH_DAYS = 719468 };

static const char *const short_days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const long_days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* ---- the calendar: years begin in March, so that the odd day comes last ---- */

static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - (ERA_YEARS - 1)) / ERA_YEARS;
    int64_t year_of_era = y - era * ERA_YEARS;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

void date_parts(int64_t at_s, int ret_parts[6])
{
    int64_t days = floor_div(at_s, DAY_S), second = at_s - days * DAY_S;
    int64_t since = days + EPOCH_DAYS, era = floor_div(since, ERA_DAYS);
    int64_t day_of_era = since - era * ERA_DAYS;
    int64_t year =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0: March */
    ret_parts[0] = (int)(year + era * ERA_YEARS + (month >= 10 ? 1 : 0));
    ret_parts[1] = (int)(month < 10 ? month + 3 : month - 9);
    ret_parts[2] = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    ret_parts[3] = (int)(second / 3600);
    ret_parts[4] = (int)(second / 60 % 60);
    ret_parts[5] = (int)(second % 60);
}

static int month_len(int64_t year, int month)
{
    static const int lens[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return lens[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* ---- reading: a cursor that fails for good ---- */

struct cursor {
    const char *at, *end;
    bool failed;
};

static void take_text(struct cursor *in, const char *text)
{
    size_t len = strlen(text);
    if (in->failed || (size_t)(in->end - in->at) < len || memcmp(in->at, text, len) != 0) {
        in->failed = true;
        return;
    }
    in->at += len;
}

/* Exactly `digits` of them; with `padded` the first may be a space. */
static int take_number(struct cursor *in, int digits, bool padded)
{
    int value = 0;
    if (in->failed || in->end - in->at < digits) {
        in->failed = true;
        return 0;
    }
    for (int i = 0; i < digits; i++) {
        char c = *in->at++;
        if (padded && i == 0 && c == ' ') {
            continue;
        }
        in->failed = in->failed || c < '0' || c > '9';
        value = value * 10 + (c - '0');
    }
    return value;
}

/* One of `n` names; its index from 0. */
static int take_name(struct cursor *in, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if ((size_t)(in->end - in->at) >= len && memcmp(in->at, names[i], len) == 0) {
            in->at += len;
            return i;
        }
    }
    in->failed = true;
    return 0;
}

struct moment {
    int64_t year;
    int month, day, hour, minute, second;
};

static void take_clock(struct cursor *in, struct moment *m)
{
    m->hour = take_number(in, 2, false);
    take_text(in, ":");
    m->minute = take_number(in, 2, false);
    take_text(in, ":");
    m->second = take_number(in, 2, false);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static void take_fixdate(struct cursor *in, struct moment *m)
{
    (void)take_name(in, short_days, 7);
    take_text(in, ", ");
    m->day = take_number(in, 2, false);
    take_text(in, " ");
    m->month = take_name(in, months, 12) + 1;
    take_text(in, " ");
    m->year = take_number(in, 4, false);
    take_text(in, " ");
    take_clock(in, m);
    take_text(in, " GMT");
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static void take_rfc850(struct cursor *in, struct moment *m, int64_t now_s)
{
    int now[6];
    date_parts(now_s, now);
    (void)take_name(in, long_days, 7);
    take_text(in, ", ");
    m->day = take_number(in, 2, false);
    take_text(in, "-");
    m->month = take_name(in, months, 12) + 1;
    take_text(in, "-");
    m->year = now[0] / 100 * 100 + take_number(in, 2, false);
    m->year += m->year > now[0] + 50 ? -100 : 0;
    take_text(in, " ");
    take_clock(in, m);
    take_text(in, " GMT");
}

/* Sun Nov  6 08:49:37 1994 */
static void take_asctime(struct cursor *in, struct moment *m)
{
    (void)take_name(in, short_days, 7);
    take_text(in, " ");
    m->month = take_name(in, months, 12) + 1;
    take_text(in, " ");
    m->day = take_number(in, 2, true);
    take_text(in, " ");
    take_clock(in, m);
    take_text(in, " ");
    m->year = take_number(in, 4, false);
}

bool date_parse(struct px_text text, int64_t now_s, int64_t *ret_s)
{
    struct cursor in = {text.ptr, text.ptr + text.len, false};
    struct moment m = {0};
    if (text.len > 3 && text.ptr[3] == ',') {
        take_fixdate(&in, &m);
    } else if (text.len > 3 && text.ptr[3] == ' ') {
        take_asctime(&in, &m);
    } else {
        take_rfc850(&in, &m, now_s);
    }
    /* 60 is a second of its own once in some years */
    if (in.failed || in.at != in.end || m.day < 1 || m.day > month_len(m.year, m.month) ||
        m.hour > 23 || m.minute > 59 || m.second > 60) {
        return false;
    }
    *ret_s = days_of(m.year, m.month, m.day) * DAY_S + m.hour * 3600 + m.minute * 60 + m.second;
    return true;
}

void date_format(int64_t at_s, char ret_text[DATE_TEXT_MAX])
{
    int64_t first = days_of(0, 1, 1) * DAY_S, last = days_of(10000, 1, 1) * DAY_S - 1;
    int p[6];
    at_s = at_s < first ? first : at_s > last ? last : at_s;
    date_parts(at_s, p);
    int64_t days = floor_div(at_s, DAY_S) + 3; /* the epoch was a Thursday */
    int64_t weekday = days - floor_div(days, 7) * 7;
    snprintf(ret_text, DATE_TEXT_MAX, "%s, %02u %s %04u %02u:%02u:%02u GMT", short_days[weekday],
             (unsigned)p[2] % 100, months[p[1] - 1], (unsigned)p[0] % 10000, (unsigned)p[3] % 100,
             (unsigned)p[4] % 100, (unsigned)p[5] % 100);
}
