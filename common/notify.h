/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

/*
 * notify.h - what a service tells systemd: the protocol of sd_notify(3), a datagram of lines
 * NAME=VALUE to the socket in NOTIFY_SOCKET. Without that variable nothing here does anything.
 */

#include <stdbool.h>
#include <stdint.h>

bool notify_wanted(void);

/* One datagram. What cannot be sent is lost: systemd learns of us by other means then. */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Waits until everything sent before has been read, at most @timeout_msec. systemd looks up the
 * sender when it reads: until then that process must not end.
 */
void notify_barrier(int timeout_msec);

/* WATCHDOG_USEC where it is for this process (sd_watchdog_enabled(3)); 0: nobody watches us. */
int64_t notify_watchdog_usec(void);

#endif
