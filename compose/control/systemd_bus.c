// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/control/systemd_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/dl.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/requests.h"

#define SERVICE      "org.freedesktop.systemd1"
#define OBJECT       "/org/freedesktop/systemd1"
#define MANAGER      "org.freedesktop.systemd1.Manager"
#define UNIT         "org.freedesktop.systemd1.Unit"
#define SERVICE_TYPE "org.freedesktop.systemd1.Service"
#define CALL_USEC    (120 * USEC_PER_SEC) /* reading all units anew may take long */
#define SCOPE_USEC   (5 * USEC_PER_SEC)

struct systemd_bus {
	sd_bus *bus;
	bool direct; /* to the manager itself: nobody has names there */
	sd_bus_slot *removed;
	/* The last jobs that ended: one may have done so before we learn its name. */
	char *ended[8];
	char ended_result[8][32];
	unsigned int ended_next;
};
DEFINE_CLEANUP(struct systemd_bus *, systemd_bus_close);

/* Of libsystemd, which a client that has nothing to ask does not open. */
static struct {
	typeof(sd_bus_call) *call;
	typeof(sd_bus_call_method) *call_method;
	typeof(sd_bus_error_free) *error_free;
	typeof(sd_bus_error_has_name) *error_has_name;
	typeof(sd_bus_flush_close_unref) *flush_close_unref;
	typeof(sd_bus_get_property_string) *get_property_string;
	typeof(sd_bus_get_property_strv) *get_property_strv;
	typeof(sd_bus_get_property_trivial) *get_property_trivial;
	typeof(sd_bus_match_signal) *match_signal;
	typeof(sd_bus_message_append) *message_append;
	typeof(sd_bus_message_enter_container) *message_enter_container;
	typeof(sd_bus_message_new_method_call) *message_new_method_call;
	typeof(sd_bus_message_read) *message_read;
	typeof(sd_bus_message_unref) *message_unref;
	typeof(sd_bus_new) *make;
	typeof(sd_bus_open_system) *open_system;
	typeof(sd_bus_open_user) *open_user;
	typeof(sd_bus_process) *process;
	typeof(sd_bus_set_address) *set_address;
	typeof(sd_bus_set_method_call_timeout) *set_method_call_timeout;
	typeof(sd_bus_slot_unref) *slot_unref;
	typeof(sd_bus_start) *start;
	typeof(sd_bus_unref) *unref;
	typeof(sd_bus_wait) *wait;
} api;

static int load(struct error *err)
{
	static void *handle;
	static const struct dl_symbol symbols[] = {
		DL_SYMBOL(api.call, sd_bus_call),
		DL_SYMBOL(api.call_method, sd_bus_call_method),
		DL_SYMBOL(api.error_free, sd_bus_error_free),
		DL_SYMBOL(api.error_has_name, sd_bus_error_has_name),
		DL_SYMBOL(api.flush_close_unref, sd_bus_flush_close_unref),
		DL_SYMBOL(api.get_property_string, sd_bus_get_property_string),
		DL_SYMBOL(api.get_property_strv, sd_bus_get_property_strv),
		DL_SYMBOL(api.get_property_trivial, sd_bus_get_property_trivial),
		DL_SYMBOL(api.match_signal, sd_bus_match_signal),
		DL_SYMBOL(api.message_append, sd_bus_message_append),
		DL_SYMBOL(api.message_enter_container, sd_bus_message_enter_container),
		DL_SYMBOL(api.message_new_method_call, sd_bus_message_new_method_call),
		DL_SYMBOL(api.message_read, sd_bus_message_read),
		DL_SYMBOL(api.message_unref, sd_bus_message_unref),
		DL_SYMBOL(api.make, sd_bus_new),
		DL_SYMBOL(api.open_system, sd_bus_open_system),
		DL_SYMBOL(api.open_user, sd_bus_open_user),
		DL_SYMBOL(api.process, sd_bus_process),
		DL_SYMBOL(api.set_address, sd_bus_set_address),
		DL_SYMBOL(api.set_method_call_timeout, sd_bus_set_method_call_timeout),
		DL_SYMBOL(api.slot_unref, sd_bus_slot_unref),
		DL_SYMBOL(api.start, sd_bus_start),
		DL_SYMBOL(api.unref, sd_bus_unref),
		DL_SYMBOL(api.wait, sd_bus_wait),
	};

	return dl_load("libsystemd.so.0", &handle, symbols, ARRAY_SIZE(symbols), err);
}

static void unref_message(sd_bus_message **message)
{
	api.message_unref(*message);
}

bool systemd_booted(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

static int open_private(const char *path, sd_bus **ret)
{
	_cleanup_free_ char *address = str_printf("unix:path=%s", path);
	sd_bus *bus = NULL;
	int r;

	if (access(path, W_OK) < 0)
		return -errno;
	r = api.make(&bus);
	if (r >= 0)
		r = api.set_address(bus, address);
	if (r >= 0)
		r = api.start(bus);
	if (r < 0) {
		api.unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

static int open_direct(bool user, sd_bus **ret)
{
	_cleanup_free_ char *runtime = NULL, *path = NULL;

	if (!user)
		return geteuid() == 0 ? open_private("/run/systemd/private", ret) : -EACCES;
	runtime = paths_user_runtime();
	path = str_printf("%s/systemd/private", runtime);
	return open_private(path, ret);
}

static int no_manager(int code, bool user, struct error *err)
{
	_cleanup_free_ char *runtime = NULL;

	if (!user)
		return error_code(err, code, "connect to systemd");
	runtime = paths_user_runtime();
	if (code != -ENOENT && code != -ENOMEDIUM && code != -ECONNREFUSED)
		return error_code(err, code, "connect to this user's systemd in %s", runtime);
	return error_set(
		err, -code,
		"no systemd runs for this user (none answers in %s/systemd): log in as the "
		"user, not by su or sudo, or as root: loginctl enable-linger %u, which has "
		"it run from boot on without a login",
		runtime, (unsigned int)rootless_uid());
}

static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *ignored)
{
	struct systemd_bus *bus = data;
	const char *path, *unit, *result;
	unsigned int slot = bus->ended_next;
	uint32_t id;

	if (api.message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	free(bus->ended[slot]);
	bus->ended[slot] = alloc_string(path);
	snprintf(bus->ended_result[slot], sizeof(bus->ended_result[slot]), "%s", result);
	bus->ended_next = (slot + 1) % ARRAY_SIZE(bus->ended);
	return 0;
}

int systemd_bus_open(bool user, struct systemd_bus **ret, struct error *err)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	int r = load(err);

	if (r < 0)
		return r;
	bus = new_array(struct systemd_bus, 1);
	r = open_direct(user, &bus->bus);
	bus->direct = r >= 0;
	if (r < 0)
		r = user ? api.open_user(&bus->bus) : api.open_system(&bus->bus);
	if (r >= 0)
		r = api.match_signal(bus->bus, &bus->removed, bus->direct ? NULL : SERVICE, OBJECT,
				     MANAGER, "JobRemoved", on_job_removed, bus);
	if (r < 0)
		return no_manager(r, user, err);
	(void)api.set_method_call_timeout(bus->bus, CALL_USEC);
	*ret = TAKE_PTR(bus);
	return 0;
}

void systemd_bus_close(struct systemd_bus *bus)
{
	if (!bus)
		return;
	api.slot_unref(bus->removed);
	api.flush_close_unref(bus->bus);
	for (size_t i = 0; i < ARRAY_SIZE(bus->ended); i++)
		free(bus->ended[i]);
	free(bus);
}

/* Frees @failure. */
static int bus_error(struct error *err, int r, sd_bus_error *failure, const char *what)
{
	int code = r < 0 ? -r : EIO;

	if (failure->message)
		error_set(err, code, "systemd: %s: %s", what, failure->message);
	else
		error_set(err, code, "systemd: %s: %s", what, strerror(code));
	api.error_free(failure);
	return -err->code;
}

int systemd_bus_reload(struct systemd_bus *bus, struct error *err)
{
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	int r = api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "Reload", &failure, NULL, NULL);

	return r < 0 ? bus_error(err, r, &failure, "reload its units") : 0;
}

int systemd_bus_enable(struct systemd_bus *bus, const char *unit, struct error *err)
{
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	int r = api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "EnableUnitFiles", &failure,
				NULL, "asbb", 1, unit, 0, 0);

	return r < 0 ? bus_error(err, r, &failure, "enable the unit") : 0;
}

int systemd_bus_disable(struct systemd_bus *bus, const char *unit, struct error *err)
{
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	int r = api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "DisableUnitFiles", &failure,
				NULL, "asb", 1, unit, 0);

	/* Without its template there is no such unit: nothing to disable. */
	if (r == -ENOENT || api.error_has_name(&failure, SERVICE ".NoSuchUnit")) {
		api.error_free(&failure);
		return 0;
	}
	return r < 0 ? bus_error(err, r, &failure, "disable the unit") : 0;
}

static const char *job_result(const struct systemd_bus *bus, const char *job)
{
	for (size_t i = 0; i < ARRAY_SIZE(bus->ended); i++)
		if (str_equal(bus->ended[i], job))
			return bus->ended_result[i];
	return NULL;
}

/* @patience_usec UINT64_MAX: for ever. -EIO: it did not end with "done". */
static int wait_job(struct systemd_bus *bus, const char *job, const char *unit,
		    uint64_t patience_usec, struct error *err)
{
	int64_t begun = units_monotonic_usec();
	const char *result;
	int r;

	while (!(result = job_result(bus, job))) {
		if (patience_usec < (uint64_t)(units_monotonic_usec() - begun))
			return error_set(err, ETIMEDOUT, "systemd: %s: its job does not end", unit);
		r = api.process(bus->bus, NULL);
		if (r == 0)
			r = api.wait(bus->bus, patience_usec);
		if (r < 0 && r != -EINTR)
			return error_code(err, r, "systemd: %s", unit);
	}
	if (strcmp(result, "done") != 0)
		return error_set(err, EIO, "%s: %s", unit, result);
	return 0;
}

static int run_job(struct systemd_bus *bus, const char *method, const char *unit, struct error *err)
{
	_cleanup_(unref_message) sd_bus_message *reply = NULL;
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	const char *job;
	int r;

	(void)api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "Subscribe", NULL, NULL, NULL);
	r = api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, method, &failure, &reply, "ss",
			    unit, "replace");
	if (r >= 0)
		r = api.message_read(reply, "o", &job);
	if (r < 0)
		return bus_error(err, r, &failure, unit);
	return wait_job(bus, job, unit, UINT64_MAX, err);
}

int systemd_bus_start(struct systemd_bus *bus, const char *unit, struct error *err)
{
	return run_job(bus, "StartUnit", unit, err);
}

int systemd_bus_stop(struct systemd_bus *bus, const char *unit, struct error *err)
{
	return run_job(bus, "StopUnit", unit, err);
}

static void text_property(struct systemd_bus *bus, const char *path, const char *interface,
			  const char *name, char *ret, size_t size)
{
	_cleanup_free_ char *value = NULL;

	if (api.get_property_string(bus->bus, SERVICE, path, interface, name, NULL, &value) >= 0)
		snprintf(ret, size, "%s", value);
}

int systemd_bus_unit_place(struct systemd_bus *bus, const char *unit, char **ret_folder,
			   char ***ret_environment, struct error *err)
{
	_cleanup_(unref_message) sd_bus_message *reply = NULL;
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	const char *path;
	int r = api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "LoadUnit", &failure, &reply,
				"s", unit);

	if (r >= 0)
		r = api.message_read(reply, "o", &path);
	if (r >= 0)
		r = api.get_property_string(bus->bus, SERVICE, path, SERVICE_TYPE,
					    "WorkingDirectory", &failure, ret_folder);
	if (r >= 0)
		r = api.get_property_strv(bus->bus, SERVICE, path, SERVICE_TYPE, "Environment",
					  &failure, ret_environment);
	if (r < 0)
		return bus_error(err, r, &failure, unit);
	/* One that need not be there. */
	if (**ret_folder == '!')
		memmove(*ret_folder, *ret_folder + 1, strlen(*ret_folder));
	return 0;
}

int systemd_bus_unit_state(struct systemd_bus *bus, const char *unit,
			   struct systemd_unit_state *ret, struct error *err)
{
	_cleanup_(unref_message) sd_bus_message *reply = NULL;
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	const char *path;
	int r = api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "LoadUnit", &failure, &reply,
				"s", unit);

	*ret = (struct systemd_unit_state){0};
	if (r >= 0)
		r = api.message_read(reply, "o", &path);
	if (r < 0)
		return bus_error(err, r, &failure, unit);
	text_property(bus, path, UNIT, "ActiveState", ret->active, sizeof(ret->active));
	text_property(bus, path, UNIT, "SubState", ret->sub, sizeof(ret->sub));
	text_property(bus, path, UNIT, "UnitFileState", ret->file_state, sizeof(ret->file_state));
	text_property(bus, path, UNIT, "FragmentPath", ret->fragment, sizeof(ret->fragment));
	text_property(bus, path, SERVICE_TYPE, "StatusText", ret->status, sizeof(ret->status));
	text_property(bus, path, SERVICE_TYPE, "DelegateSubgroup", ret->subgroup,
		      sizeof(ret->subgroup));
	text_property(bus, path, SERVICE_TYPE, "Result", ret->result, sizeof(ret->result));
	(void)api.get_property_trivial(bus->bus, SERVICE, path, SERVICE_TYPE, "MainPID", NULL, 'u',
				       &ret->main_pid);
	(void)api.get_property_trivial(bus->bus, SERVICE, path, SERVICE_TYPE, "NRestarts", NULL,
				       'u', &ret->restarts);
	return 0;
}

int systemd_bus_any_active(struct systemd_bus *bus, const char *pattern, const char *ending,
			   struct error *err)
{
	_cleanup_(unref_message) sd_bus_message *reply = NULL;
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	const char *unit, *job;
	bool any = false;
	int r = api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "ListUnitsByPatterns", &failure,
				&reply, "asas", 4, "active", "reloading", "activating",
				"deactivating", 1, pattern);

	if (r >= 0)
		r = api.message_enter_container(reply, 'a', "(ssssssouso)");
	while (r >= 0 && !any) {
		r = api.message_read(reply, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL, NULL,
				     NULL, NULL, &job, NULL);
		if (r <= 0)
			break;
		/* A restart is a job of its own until all is stopped, and then a start. */
		any = !str_equal(unit, ending) || (job[0] && strcmp(job, "stop") != 0);
	}
	return r < 0 ? bus_error(err, r, &failure, "list its units") : any;
}

int systemd_bus_version(struct systemd_bus *bus, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	int r = api.get_property_string(bus->bus, SERVICE, OBJECT, MANAGER, "Version", &failure,
					&text);

	return r < 0 ? bus_error(err, r, &failure, "ask its version") : atoi(text);
}

static int scope_message(struct systemd_bus *bus, const char *scope, const char *slice,
			 const char *description, pid_t pid, sd_bus_message **ret)
{
	int r = api.message_new_method_call(bus->bus, ret, SERVICE, OBJECT, MANAGER,
					    "StartTransientUnit");

	if (r >= 0)
		r = api.message_append(*ret, "ss", scope, "fail");
	if (r >= 0 && slice)
		r = api.message_append(*ret, "a(sv)", 5, "Description", "s", description, "Slice",
				       "s", slice, "Delegate", "b", 1, "CollectMode", "s",
				       "inactive-or-failed", "PIDs", "au", 1, (uint32_t)pid);
	else if (r >= 0)
		r = api.message_append(*ret, "a(sv)", 4, "Description", "s", description,
				       "Delegate", "b", 1, "CollectMode", "s", "inactive-or-failed",
				       "PIDs", "au", 1, (uint32_t)pid);
	if (r >= 0)
		r = api.message_append(*ret, "a(sa(sv))", 0);
	return r;
}

/* One that has no subgroup takes its processes itself; one that has, only there (cgroups(7)). */
static int attach(struct systemd_bus *bus, const char *scope, pid_t pid, struct error *err)
{
	static const char *const subgroups[] = {"/supervisor", ""};
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	int r = 0;

	array_foreach(subgroup, subgroups) {
		api.error_free(&failure);
		r = api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "AttachProcessesToUnit",
				    &failure, NULL, "ssau", scope, *subgroup, 1, (uint32_t)pid);
		if (r >= 0)
			return 0;
	}
	return bus_error(err, r, &failure, scope);
}

int systemd_bus_scope(struct systemd_bus *bus, const char *scope, const char *slice,
		      const char *description, pid_t pid, struct error *err)
{
	_cleanup_(unref_message) sd_bus_message *call = NULL, *reply = NULL;
	sd_bus_error failure = SD_BUS_ERROR_NULL;
	const char *job;
	int r;

	(void)api.call_method(bus->bus, SERVICE, OBJECT, MANAGER, "Subscribe", NULL, NULL, NULL);
	r = scope_message(bus, scope, slice, description, pid, &call);
	if (r >= 0)
		r = api.call(bus->bus, call, SCOPE_USEC, &failure, &reply);
	if (r < 0 && api.error_has_name(&failure, SERVICE ".UnitExists")) {
		api.error_free(&failure);
		return attach(bus, scope, pid, err);
	}
	if (r >= 0)
		r = api.message_read(reply, "o", &job);
	if (r < 0)
		return bus_error(err, r, &failure, scope);
	return wait_job(bus, job, scope, SCOPE_USEC, err);
}
