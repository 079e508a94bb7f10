/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

/*
 * units.h - sizes, durations and times as users write and read them.
 *
 * Parsers return 0 or -EINVAL / -ERANGE and leave the wording to the caller.
 */

#include <stddef.h>
#include <stdint.h>

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

/* "64m", "1.5gb", "512" in b k kb m mb g gb t tb (powers of 1024, any case), "-1" gives -1. */
int units_parse_bytes(const char *s, int64_t *ret_bytes);
/* Go's durations: "1h5m30s20ms", "1.5s", with us, µs, ns; "0" alone is allowed. */
int units_parse_duration(const char *s, int64_t *ret_usec);
/* "1h5m30s", as Go prints it ("1m30s", "10s", "20ms", "0s"). Returns @buffer. */
const char *units_format_duration(int64_t usec, char *buffer, size_t size);
/* "12.3MB" (powers of 1000, as docker prints sizes). */
const char *units_format_size(uint64_t bytes, char *buffer, size_t size);
/* "About a minute", "2 hours", "Less than a second": docker's go-units HumanDuration. */
const char *units_format_ago(int64_t usec, char *buffer, size_t size);
/* RFC 3339 in UTC with nine digits: "2026-01-02T03:04:05.123456789Z". */
#define UNITS_TIME_MAX 36
const char *units_format_time(int64_t nsec_since_epoch, char *buffer, size_t size);
/* RFC 3339, "2026-01-02", unix seconds (with fraction), or a duration back from now. */
int units_parse_time(const char *s, int64_t now_nsec, int64_t *ret_nsec);

int64_t units_now_nsec(void); /* CLOCK_REALTIME */
int64_t units_monotonic_usec(void);

#endif
