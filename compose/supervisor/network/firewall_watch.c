// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/network/firewall_watch.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"

#include "netmgr/firewall/watch.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/network/ports.h"

/* Others do their work in several steps. */
#define QUIET_USEC 200000

struct firewall_watch {
	struct supervisor *supervisor;
	int fd;
	sd_event_source *source, *timer; /* one of them is enabled */
};

static void publish_again(struct supervisor *supervisor)
{
	map_foreach(entry, &supervisor->instances)
		ports_renew(entry->value);
}

static int on_quiet(sd_event_source *source, uint64_t usec, void *data)
{
	struct firewall_watch *watch = data;
	struct supervisor *supervisor = watch->supervisor;
	_cleanup_free_ const char **names = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;
	int r;

	watch->timer = sd_event_source_disable_unref(watch->timer);
	(void)sd_event_source_set_enabled(watch->source, SD_EVENT_ON);
	if (!firewall_watch_read(watch->fd))
		return 0;
	map_foreach(entry, &supervisor->networks_ready)
		*array_add(names, count) = entry->key;
	if (!count)
		return 0;
	r = network_mend_rules(supervisor->networks, names, count, &err);
	if (r < 0)
		log_error("after another firewall's change: %s", err.message);
	if (r <= 0)
		return 0;
	log_info("another firewall changed the rules of this machine: ours are put back");
	publish_again(supervisor);
	return 0;
}

/*
 * Of most changes there is nothing to do, and some hosts have many a second: what follows the first
 * is read together with it, so that no host wakes us more than a few times a second.
 */
static int on_change(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct firewall_watch *watch = data;

	if (sd_event_add_time_relative(watch->supervisor->event, &watch->timer, CLOCK_MONOTONIC,
				       QUIET_USEC, 0, on_quiet, watch) < 0) {
		log_error("set a timer: out of memory");
		(void)firewall_watch_read(fd);
		return 0;
	}
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

void firewall_watch_start(struct supervisor *supervisor)
{
	struct firewall_watch *watch;
	struct error err = ERROR_INIT;
	int fd = firewall_watch_open(&err);

	if (fd < 0) {
		log_debug("%s", err.message);
		return;
	}
	watch = new (struct firewall_watch);
	watch->supervisor = supervisor;
	watch->fd = fd;
	if (sd_event_add_io(supervisor->event, &watch->source, fd, EPOLLIN, on_change, watch) < 0) {
		log_error("watch other firewalls: out of memory");
		close(fd);
		free(watch);
		return;
	}
	supervisor->firewall_watch = watch;
}
