// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/children.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/units.h"

/* Linux 6.13; the layout is the kernel's ABI (include/uapi/linux/pidfd.h). */
struct pidfd_exit_info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_EXIT_INFO      _IOWR(0xFF, 11, struct pidfd_exit_info)
#define PIDFD_EXIT_INFO_MASK (UINT64_C(1) << 3)
#define EXIT_CODE_UNKNOWN    255

#define BUCKETS 256

struct child {
	struct child *next;
	struct children *children;
	pid_t pid;
	uint64_t start_ticks;
	child_handler *handler;
	void *owner;
	sd_event_source *watch;
};

struct children {
	sd_event *event;
	struct child *buckets[BUCKETS];
};

struct children *children_new(sd_event *event)
{
	struct children *children = new (struct children);

	children->event = event;
	return children;
}

void children_free(struct children *children)
{
	if (!children)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (children->buckets[i])
			children_forget(children, children->buckets[i]);
	free(children);
}

struct child *children_add(struct children *children, pid_t pid, uint64_t start_ticks,
			   child_handler *handler, void *owner)
{
	struct child **bucket = &children->buckets[(unsigned int)pid % BUCKETS];
	struct child *child = new (struct child);

	*child = (struct child){*bucket, children, pid, start_ticks, handler, owner, NULL};
	*bucket = child;
	return child;
}

void children_forget(struct children *children, struct child *child)
{
	struct child **at;

	if (!child)
		return;
	at = &children->buckets[(unsigned int)child->pid % BUCKETS];
	while (*at && *at != child)
		at = &(*at)->next;
	if (*at)
		*at = child->next;
	sd_event_source_disable_unref(child->watch);
	free(child);
}

bool children_exited(struct children *children, const struct process_exit *info)
{
	struct child *child = children->buckets[(unsigned int)info->pid % BUCKETS];

	for (; child; child = child->next) {
		child_handler *handler = child->handler;
		void *owner = child->owner;

		if (child->pid != info->pid || (child->start_ticks && info->start_ticks &&
						child->start_ticks != info->start_ticks))
			continue;
		children_forget(children, child);
		handler(owner, info);
		return true;
	}
	return false;
}

static int on_pidfd(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct child *child = data;
	struct pidfd_exit_info exit_info = {.mask = PIDFD_EXIT_INFO_MASK};
	struct process_exit info = {
		.pid = child->pid,
		.start_ticks = child->start_ticks,
		.exit_code = EXIT_CODE_UNKNOWN,
		.time_nsec = units_now_nsec(),
	};

	if (ioctl(fd, PIDFD_EXIT_INFO, &exit_info) == 0 &&
	    (exit_info.mask & PIDFD_EXIT_INFO_MASK)) {
		if (WIFSIGNALED(exit_info.exit_code)) {
			info.signal = WTERMSIG(exit_info.exit_code);
			info.exit_code = 128 + info.signal;
		} else {
			info.exit_code = WEXITSTATUS(exit_info.exit_code);
		}
	}
	(void)children_exited(child->children, &info);
	return 0;
}

int children_watch(struct children *children, struct child *child, int pidfd, struct error *err)
{
	int r = sd_event_add_io(children->event, &child->watch, pidfd, EPOLLIN, on_pidfd, child);

	return r < 0 ? error_code(err, r, "watch process %d", (int)child->pid) : 0;
}
