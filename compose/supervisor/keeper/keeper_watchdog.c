// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/keeper/keeper_watchdog.h"

#include "common/notify.h"
#include "common/units.h"

static void tell(struct keeper_watchdog *watchdog, int64_t now)
{
	watchdog->told_usec = now;
	notify_send("WATCHDOG=1");
}

void keeper_watchdog_init(struct keeper_watchdog *watchdog)
{
	*watchdog = (struct keeper_watchdog){.limit_usec = notify_watchdog_usec()};
}

void keeper_watchdog_changed(struct keeper_watchdog *watchdog)
{
	watchdog->heard_usec = 0;
	if (watchdog->limit_usec)
		tell(watchdog, units_monotonic_usec());
}

void keeper_watchdog_heard(struct keeper_watchdog *watchdog)
{
	if (!watchdog->limit_usec)
		return;
	watchdog->heard_usec = units_monotonic_usec();
	tell(watchdog, watchdog->heard_usec);
}

bool keeper_watchdog_expired(struct keeper_watchdog *watchdog)
{
	int64_t now = units_monotonic_usec(), limit_usec = watchdog->limit_usec / 2;

	if (!limit_usec)
		return false;
	if (watchdog->heard_usec && now - watchdog->heard_usec >= limit_usec)
		return true;
	/* Nothing to expect of it yet, and we are well. */
	if (!watchdog->heard_usec && now - watchdog->told_usec >= limit_usec)
		tell(watchdog, now);
	return false;
}

int keeper_watchdog_timeout(const struct keeper_watchdog *watchdog, int timeout)
{
	int64_t since = watchdog->heard_usec ? watchdog->heard_usec : watchdog->told_usec, left;

	if (!watchdog->limit_usec)
		return timeout;
	left = (since + watchdog->limit_usec / 2 - units_monotonic_usec()) / 1000 + 1;
	if (left < 0)
		left = 0;
	return timeout >= 0 && timeout < left ? timeout : left > INT32_MAX ? INT32_MAX : (int)left;
}
