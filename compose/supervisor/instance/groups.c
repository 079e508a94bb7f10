// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/groups.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/jobs.h"

#define RETRY_NSEC    10000000
#define TRIES_MAX     1000
#define KILL_EACH     50
#define AT_ONCE_NSEC  1000000
#define AT_ONCE_TRIES 100
#define ID_HEX_DIGITS 64

/* One that has to wait for its processes to go. */
struct group_removal {
	struct supervisor *supervisor;
	struct instance *instance; /* NULL: none any more */
	struct cgroup *cgroup;
};

static void removal_free(struct group_removal *removal)
{
	if (removal->instance)
		removal->instance->group_removal = NULL;
	cgroup_free(removal->cgroup);
	free(removal);
}

/* In a job: what was killed in it takes its time to go. */
static int remove_work(void *data, struct error *err)
{
	static const struct timespec moment = {.tv_nsec = RETRY_NSEC};
	struct group_removal *removal = data;
	int r = -EBUSY;

	for (int i = 0; r < 0 && i < TRIES_MAX; i++) {
		error_clear(err);
		/* Without a pid namespace of its own, what it started may still run. */
		if (i % KILL_EACH == 0)
			(void)cgroup_kill(removal->cgroup, err);
		error_clear(err);
		nanosleep(&moment, NULL);
		r = cgroup_remove(removal->cgroup, err);
	}
	return r;
}

static void remove_done(void *context, const struct error *err)
{
	struct group_removal *removal = context;
	struct supervisor *supervisor = removal->supervisor;

	if (err->code)
		log_warning("a container's control group stays: %s", err->message);
	removal_free(removal);
	supervisor_maybe_end(supervisor);
}

/* Takes @cgroup. */
static void release(struct supervisor *supervisor, struct instance *instance, struct cgroup *cgroup)
{
	struct group_removal *removal;
	struct error err = ERROR_INIT;

	cgroup_keep_base(cgroup, supervisor->cgroup_base);
	if (cgroup_remove(cgroup, &err) == 0) {
		cgroup_free(cgroup);
		return;
	}
	error_clear(&err);
	removal = new (struct group_removal);
	*removal = (struct group_removal){supervisor, instance, cgroup};
	if (job_start(supervisor->jobs, remove_work, removal, remove_done, removal, &err) < 0) {
		log_warning("a container's control group stays: %s", err.message);
		removal->instance = NULL;
		removal_free(removal);
		return;
	}
	if (instance)
		instance->group_removal = removal;
}

void groups_release(struct instance *instance)
{
	if (!instance->cgroup)
		return;
	groups_keep(instance);
	release(instance->supervisor, instance, TAKE_PTR(instance->cgroup));
}

/*
 * Some kernels (6.14 and on) kill whatever is cloned into a group that cgroup.kill was ever written
 * to: the next life needs a new one. What is killed goes within a millisecond or two.
 */
static void remove_now(struct cgroup *cgroup)
{
	static const struct timespec moment = {.tv_nsec = AT_ONCE_NSEC};
	struct error ignored = ERROR_INIT;

	for (int i = 0; i < AT_ONCE_TRIES && cgroup_remove(cgroup, &ignored) < 0; i++) {
		error_clear(&ignored);
		nanosleep(&moment, NULL);
	}
}

void groups_keep(struct instance *instance)
{
	struct group_removal *removal = instance->group_removal;

	if (!removal)
		return;
	jobs_cancel(instance->supervisor->jobs, removal);
	remove_now(removal->cgroup);
	removal_free(removal);
}

void groups_forget(struct instance *instance)
{
	if (instance->group_removal)
		instance->group_removal->instance = NULL;
}

void groups_sweep(struct supervisor *supervisor, const char *base, const char *id)
{
	struct cgroup *cgroup = NULL;
	struct error err = ERROR_INIT;

	if (cgroup_remains(base, id, &cgroup, &err) < 0)
		log_debug("%s", err.message);
	else
		release(supervisor, map_get(&supervisor->instances, id), cgroup);
}

void groups_sweep_unknown(struct supervisor *supervisor)
{
	_cleanup_strv_ char **ids = NULL;
	struct error err = ERROR_INIT;

	if (cgroup_list(supervisor->cgroup_base, &ids, &err) < 0) {
		log_debug("%s", err.message);
		return;
	}
	strv_foreach(id, ids)
		if (strlen(id) == ID_HEX_DIGITS && !map_get(&supervisor->instances, id))
			groups_sweep(supervisor, supervisor->cgroup_base, id);
}

void groups_leave(struct supervisor *supervisor)
{
	cgroup_remove_base(supervisor->cgroup_base);
}
