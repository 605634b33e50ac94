/*
 * Points in time as text and as DER, by civil-date arithmetic that neither TZ nor the C library
 * can change. Years 1950 to 9999, no leap seconds (RFC 5280 4.1.2.5). Never asks what time it is.
 */
#include <stdio.h>
#include <string.h>

#include "smki/der.h"
#include "smki/mem.h"

#define TIME_FIRST ((time_t)-631152000) /* 19500101000000Z */
#define TIME_2050 ((time_t)2524608000)	/* 20500101000000Z */
#define TIME_DAY 86400
#define TIME_ERA_DAYS 146097   /* of 400 years */
#define TIME_FIRST_DAYS 712163 /* from 0000-03-01 to TIME_FIRST */

struct time_civil {
	int year, month, day, hour, minute, second;
};

static int
time_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
time_month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && time_leap(year));
}

/* Days from 0001-01-01 to the first of January of year, proleptic Gregorian. */
static int64_t
time_year_days(int year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400;
}

/* Seconds since 1970, or -1 when this is no point in time from 1950 to 9999. */
static int
time_from_civil(const struct time_civil *c, time_t *out)
{
	int64_t days;

	if (c->year < 1950 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > time_month_days(c->year, c->month))
		return -1;
	if (c->hour > 23 || c->minute > 59 || c->second > 59)
		return -1;
	days = time_year_days(c->year) - time_year_days(1970);
	for (int m = 1; m < c->month; m++)
		days += time_month_days(c->year, m);
	days += c->day - 1;
	*out = days * TIME_DAY + c->hour * 3600 + c->minute * 60 + c->second;
	return 0;
}

/*
 * The reverse, for TIME_FIRST <= t <= TIME_NO_EXPIRY. Years begin in March here, so that the odd
 * day is the last of one, and the months from it have 153 days in each five: no loop, as each entry
 * of a CRL has a time.
 */
static void
time_to_civil(time_t t, struct time_civil *c)
{
	int64_t days = (t - TIME_FIRST) / TIME_DAY + TIME_FIRST_DAYS;
	int rest = (int)((t - TIME_FIRST) % TIME_DAY);
	int era = (int)(days / TIME_ERA_DAYS), day = (int)(days % TIME_ERA_DAYS);
	int year = (day - day / 1460 + day / 36524 - day / 146096) / 365, month;

	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	c->day = day - (153 * month + 2) / 5 + 1;
	c->month = month < 10 ? month + 3 : month - 9;
	c->year = 400 * era + year + (month >= 10);
	c->hour = rest / 3600;
	c->minute = rest / 60 % 60;
	c->second = rest % 60;
}

/* n decimal digits at s as a number, or -1. */
static int
time_digits(const char *s, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		value = value * 10 + (s[i] - '0');
	}
	return value;
}

/* Month, day, hour, minute, second as ten digits. */
static int
time_fields(const char *s, struct time_civil *c)
{
	int *const fields[] = { &c->month, &c->day, &c->hour, &c->minute, &c->second };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		*fields[i] = time_digits(s + 2 * i, 2);
		if (*fields[i] < 0)
			return -1;
	}
	return 0;
}

/* The 15 characters YYYYMMDDHHMMSSZ. */
static int
time_read_general(const char *s, time_t *out)
{
	struct time_civil c;

	c.year = time_digits(s, 4);
	if (c.year < 0 || time_fields(s + 4, &c) != 0 || s[14] != 'Z')
		return -1;
	return time_from_civil(&c, out);
}

/* The 13 characters YYMMDDHHMMSSZ; RFC 5280 4.1.2.5.1: 50..99 are 19xx. */
static int
time_read_utc(const char *s, time_t *out)
{
	struct time_civil c;

	c.year = time_digits(s, 2);
	if (c.year < 0 || time_fields(s + 2, &c) != 0 || s[12] != 'Z')
		return -1;
	c.year += c.year < 50 ? 2000 : 1900;
	return time_from_civil(&c, out);
}

int
der_get_time(struct der *d, int any_form, time_t *out)
{
	struct der after = *d, in;
	struct span c;
	uint8_t tag;
	time_t t;

	if (der_get_any(&after, &tag, &in, NULL) != 0)
		return -1;
	c = der_span(&in);
	if (tag == DER_UTCTIME) {
		if (c.len != 13 || time_read_utc((const char *)c.p, &t) != 0)
			return -1;
	} else if (tag == DER_GENTIME) {
		if (c.len != 15 || time_read_general((const char *)c.p, &t) != 0)
			return -1;
		if (!any_form && t < TIME_2050)
			return -1;
	} else {
		return -1;
	}
	*out = t;
	*d = after;
	return 0;
}

/* Two digits; a CRL holds a time an entry, and snprintf() would be a third of making it. */
static void
time_two(int value, char *out)
{
	out[0] = (char)('0' + value / 10);
	out[1] = (char)('0' + value % 10);
}

/* YYYYMMDDHHMMSSZ with its NUL. */
static void
time_general(time_t t, char out[16])
{
	struct time_civil c;

	require(t >= TIME_FIRST && t <= TIME_NO_EXPIRY);
	time_to_civil(t, &c);
	time_two(c.year / 100, out);
	time_two(c.year % 100, out + 2);
	time_two(c.month, out + 4);
	time_two(c.day, out + 6);
	time_two(c.hour, out + 8);
	time_two(c.minute, out + 10);
	time_two(c.second, out + 12);
	out[14] = 'Z';
	out[15] = '\0';
}

void
der_put_time(struct buf *b, time_t t)
{
	char text[16];

	if (t >= TIME_2050) {
		der_put_gentime(b, t);
		return;
	}
	time_general(t, text);
	der_put(b, DER_UTCTIME, text + 2, 13);
}

void
der_put_gentime(struct buf *b, time_t t)
{
	char text[16];

	time_general(t, text);
	der_put(b, DER_GENTIME, text, 15);
}

void
time_text(time_t t, char out[TIME_TEXT_LEN])
{
	struct time_civil c;
	char text[80];

	if (t < TIME_FIRST || t > TIME_NO_EXPIRY) {
		memcpy(out, "out-of-range", sizeof("out-of-range"));
		return;
	}
	time_to_civil(t, &c);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day,
	    c.hour, c.minute, c.second);
	memcpy(out, text, TIME_TEXT_LEN);
}

/* Punctuation at the places where the pattern has it; digits are judged later. */
static int
time_matches(const char *text, const char *pattern)
{
	if (strlen(text) != strlen(pattern))
		return 0;
	for (; *pattern != '\0'; pattern++, text++)
		if (*pattern != 'd' && *pattern != *text)
			return 0;
	return 1;
}

int
time_parse(const char *text, time_t *out)
{
	char digits[16] = "00000000000000Z";

	if (time_matches(text, "ddddddddddddddZ"))
		return time_read_general(text, out);
	if (!time_matches(text, "dddd-dd-dd") && !time_matches(text, "dddd-dd-ddTdd:dd:ddZ"))
		return -1;
	memcpy(digits, text, 4);
	memcpy(digits + 4, text + 5, 2);
	memcpy(digits + 6, text + 8, 2);
	if (text[10] != '\0') {
		memcpy(digits + 8, text + 11, 2);
		memcpy(digits + 10, text + 14, 2);
		memcpy(digits + 12, text + 17, 2);
	}
	return time_read_general(digits, out);
}
