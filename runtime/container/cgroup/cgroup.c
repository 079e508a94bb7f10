// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/cgroup/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"

#include "runtime/container/cgroup/internal.h"

#define PROC_BYTES_MAX (1 << 20)

/* Plain names between slashes: no "..", nothing hidden, nothing too long. */
int cgroup_check_name(const char *name, struct error *err)
{
	size_t length = strlen(name);

	if (!length || length > CGROUP_NAME_BYTES)
		return error_set(err, EINVAL, "control group '%.60s': 1 to %d bytes are possible",
				 name, CGROUP_NAME_BYTES);
	for (const char *at = name;;) {
		size_t n = strcspn(at, "/");

		if (!n || at[0] == '.' || memchr(at, '\n', n))
			return error_set(err, EINVAL, "control group '%s': not a valid name", name);
		if (!at[n])
			return 0;
		at += n + 1;
	}
}

static int new_handle(const char *base, const char *id, struct cgroup **ret, struct error *err)
{
	const struct cgroup_layout *layout = cgroup_layout(err);
	struct cgroup *cgroup;
	bool elsewhere = str_starts_with(base, CGROUP_ELSEWHERE);
	_cleanup_free_ char *plain = NULL;
	size_t n;

	if (!layout)
		return -err->code;
	base += strspn(base, "/");
	plain = alloc_string(base);
	n = strlen(plain);
	while (n && plain[n - 1] == '/')
		plain[--n] = 0;
	if (cgroup_check_name(plain, err) < 0 || cgroup_check_name(id, err) < 0)
		return -err->code;
	cgroup = new (struct cgroup);
	cgroup->layout = layout;
	cgroup->elsewhere = elsewhere;
	cgroup->prefix = elsewhere ? "" : layout->v2.prefix;
	cgroup->base = TAKE_PTR(plain);
	cgroup->id = alloc_string(id);
	*ret = cgroup;
	return 0;
}

void cgroup_free(struct cgroup *cgroup)
{
	if (!cgroup)
		return;
	for (int i = 0; i < CONTROLLER_COUNT; i++)
		free(cgroup->v1[i]);
	free(cgroup->v2);
	free(cgroup->base);
	free(cgroup->id);
	free(cgroup);
}
DEFINE_CLEANUP(struct cgroup *, cgroup_free);

static int create_v2(struct cgroup *cgroup, const struct resources_spec *resources,
		     struct error *err)
{
	const struct cgroup_layout *layout = cgroup->layout;
	int r;

	if (layout->v2_controllers)
		enable_path(cgroup);
	cgroup->v2 = str_printf("%s%s/%s", cgroup->prefix, cgroup->base, cgroup->id);
	r = group_make(layout->v2.fd, cgroup->v2);
	if (r < 0)
		return error_code(err, r, "control group %s", cgroup->v2);
	if (layout->v1[CONTROLLER_DEVICES].fd >= 0)
		return 0;
	r = devices_apply_v2(layout->v2.fd, cgroup->v2, resources, err);
	/* An ordinary user opens only the devices that are open to the user anyway. */
	cgroup->no_device_rules = r > 0 && !rootless();
	return r < 0 ? r : 0;
}

/*
 * Containers without rules of their own share one devices group, BASE itself: a dozen writes less
 * for each. The others stand beside it, for a group cannot allow more than the one above.
 */
static int create_devices(struct cgroup *cgroup, const struct resources_spec *resources,
			  struct error *err)
{
	int fd = cgroup->layout->v1[CONTROLLER_DEVICES].fd, r;
	char list[64];
	char *name;

	cgroup->shared_devices = !resources->all_devices && !resources->device_rule_count;
	if (cgroup->shared_devices)
		name = alloc_string(cgroup->base);
	else
		name = str_printf("%s.devices/%s", cgroup->base, cgroup->id);
	cgroup->v1[CONTROLLER_DEVICES] = name;
	r = group_make(fd, name);
	if (r < 0)
		return error_code(err, r, "control group devices:%s", name);
	if (cgroup->shared_devices &&
	    (group_read(fd, name, "devices.list", list, sizeof(list)) <= 0 || list[0] != 'a'))
		return 0;
	return devices_apply_v1(fd, name, resources, err);
}

static int create_v1(struct cgroup *cgroup, enum controller controller, struct error *err)
{
	int r;

	cgroup->v1[controller] = str_printf("%s/%s", cgroup->base, cgroup->id);
	r = group_make(cgroup->layout->v1[controller].fd, cgroup->v1[controller]);
	if (r < 0)
		return error_code(err, r, "control group %s:%s", controller_name(controller),
				  cgroup->v1[controller]);
	return 0;
}

/* Memory counts for everybody (OOM reports); the processor where v2 does not count it. */
static unsigned int needed_v1(const struct cgroup_layout *layout,
			      const struct resources_spec *resources)
{
	unsigned int needed = limits_controllers(resources) | 1U << CONTROLLER_MEMORY;

	if (layout->v2.fd < 0)
		needed |= 1U << CONTROLLER_CPUACCT | 1U << CONTROLLER_PIDS;
	return needed;
}

int cgroup_create(const char *base, const char *id, const struct resources_spec *resources,
		  struct cgroup **ret, struct error *err)
{
	_cleanup_(cleanup_cgroup_free) struct cgroup *cgroup = NULL;
	unsigned int needed;
	int r = new_handle(base, id, &cgroup, err);

	if (r < 0)
		return r;
	needed = needed_v1(cgroup->layout, resources);
	cgroup->no_limits = cgroup->layout->none && limits_controllers(resources);
	if (cgroup->layout->v2.fd >= 0)
		r = create_v2(cgroup, resources, err);
	if (r == 0 && cgroup->layout->v1[CONTROLLER_DEVICES].fd >= 0)
		r = create_devices(cgroup, resources, err);
	for (int i = 0; r == 0 && i < CONTROLLER_COUNT; i++)
		if (cgroup->layout->v1[i].fd >= 0 && (needed & 1U << i))
			r = create_v1(cgroup, (enum controller)i, err);
	if (r == 0 && !cgroup->layout->none)
		r = limits_apply(cgroup, resources, false, err);
	if (r < 0) {
		struct error ignored = ERROR_INIT;

		(void)cgroup_remove(cgroup, &ignored);
		return r;
	}
	*ret = TAKE_PTR(cgroup);
	return 0;
}

/*
 * The v2 group that @pid is in, if that is BASE/ID of ours or below it (an init there makes
 * groups); NULL. *ret_below is where what is below begins.
 */
static char *find_by_process(const struct cgroup *cgroup, pid_t pid, char **ret_below)
{
	_cleanup_free_ char *file = str_printf("/proc/%d/cgroup", pid), *text = NULL;
	_cleanup_free_ char *own = str_printf("/%s/%s", cgroup->base, cgroup->id);
	struct error ignored = ERROR_INIT;
	char *at, *line;

	if (fs_read(AT_FDCWD, file, PROC_BYTES_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	for (at = text; (line = strsep(&at, "\n"));) {
		char *found = str_starts_with(line, "0::/") ? strstr(line, own) : NULL, *group;

		if (!found || !strchr("/", found[strlen(own)]) ||
		    !group_exists(cgroup->layout->v2.fd, line + strlen("0::/")))
			continue;
		group = alloc_string(line + strlen("0::/"));
		*ret_below = group + (found + strlen(own) - line) - strlen("0::/");
		return group;
	}
	return NULL;
}

/* BASE/ID itself. */
static char *find_own_by_process(const struct cgroup *cgroup, pid_t pid)
{
	char *below, *group = find_by_process(cgroup, pid, &below);

	if (group)
		*below = 0;
	return group;
}

int cgroup_open(const char *base, const char *id, pid_t pid, struct cgroup **ret, struct error *err)
{
	_cleanup_(cleanup_cgroup_free) struct cgroup *cgroup = NULL;
	const struct cgroup_layout *layout;
	bool any = false;
	int r = new_handle(base, id, &cgroup, err);

	if (r < 0)
		return r;
	layout = cgroup->layout;
	cgroup->v2 = str_printf("%s%s/%s", cgroup->prefix, cgroup->base, id);
	if (!group_exists(layout->v2.fd, cgroup->v2)) {
		free(cgroup->v2);
		cgroup->v2 = pid && layout->v2.fd >= 0 ? find_own_by_process(cgroup, pid) : NULL;
	}
	any = cgroup->v2;
	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		char *name = str_printf(i == CONTROLLER_DEVICES ? "%s.devices/%s" : "%s/%s",
					cgroup->base, id);

		if (group_exists(layout->v1[i].fd, name)) {
			cgroup->v1[i] = name;
			any = true;
		} else {
			free(name);
		}
	}
	if (!any && !layout->none)
		return error_set(err, ENOENT, "control group %s/%s: there is none", base, id);
	if (!cgroup->v1[CONTROLLER_DEVICES] &&
	    group_exists(layout->v1[CONTROLLER_DEVICES].fd, cgroup->base)) {
		cgroup->v1[CONTROLLER_DEVICES] = alloc_string(cgroup->base);
		cgroup->shared_devices = true;
	}
	*ret = TAKE_PTR(cgroup);
	return 0;
}

int cgroup_remains(const char *base, const char *id, struct cgroup **ret, struct error *err)
{
	struct cgroup *cgroup;
	int r = new_handle(base, id, &cgroup, err);

	if (r < 0)
		return r;
	cgroup->remains = true;
	if (cgroup->layout->v2.fd >= 0)
		cgroup->v2 = str_printf("%s%s/%s", cgroup->prefix, cgroup->base, id);
	for (int i = 0; i < CONTROLLER_COUNT; i++)
		if (cgroup->layout->v1[i].fd >= 0)
			cgroup->v1[i] =
				str_printf(i == CONTROLLER_DEVICES ? "%s.devices/%s" : "%s/%s",
					   cgroup->base, id);
	*ret = cgroup;
	return 0;
}

static int list_below(int hierarchy, const char *group, char ***ids, struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	int r;

	if (hierarchy < 0 || !group_exists(hierarchy, group))
		return 0;
	r = fs_list(hierarchy, group, &names, err);
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("%s/%s", group, name);
		struct stat st;

		if (!strv_contains(*ids, name) && fstatat(hierarchy, path, &st, 0) == 0 &&
		    S_ISDIR(st.st_mode))
			strv_append(ids, name);
	}
	return r;
}

int cgroup_list(const char *base, char ***ret_ids, struct error *err)
{
	const struct cgroup_layout *layout = cgroup_layout(err);
	_cleanup_free_ char *v2 = NULL, *devices = NULL;
	int r;

	*ret_ids = NULL;
	if (!layout)
		return -err->code;
	v2 = str_printf("%s%s", layout->v2.prefix, base);
	devices = str_printf("%s.devices", base);
	r = list_below(layout->v2.fd, v2, ret_ids, err);
	for (int i = 0; r >= 0 && i < CONTROLLER_COUNT; i++)
		r = list_below(layout->v1[i].fd, i == CONTROLLER_DEVICES ? devices : base, ret_ids,
			       err);
	return r < 0 ? r : 0;
}

int cgroup_update(struct cgroup *cgroup, const struct resources_spec *resources, struct error *err)
{
	unsigned int needed = limits_controllers(resources), added = 0;
	int r = 0;

	for (int i = 0; r == 0 && i < CONTROLLER_COUNT; i++) {
		if (cgroup->layout->v1[i].fd < 0 || !(needed & 1U << i) || cgroup->v1[i])
			continue;
		added |= 1U << i;
		r = create_v1(cgroup, (enum controller)i, err);
	}
	if (r == 0)
		r = limits_apply(cgroup, resources, true, err);
	/* A limit of a v1 controller that was not needed so far: everybody moves into it. */
	for (int i = 0; r == 0 && i < CONTROLLER_COUNT; i++)
		if (added & 1U << i)
			r = cgroup_gather(cgroup, i, err);
	return r;
}

/* The rest of a name's way up, while it is empty. */
static void remove_upwards(int hierarchy, const char *group, size_t keep)
{
	char path[CGROUP_NAME_BYTES + 300];
	char *slash;

	if ((size_t)snprintf(path, sizeof(path), "%s", group) >= sizeof(path))
		return;
	while ((slash = strrchr(path, '/')) && (size_t)(slash - path) >= keep) {
		*slash = 0;
		if (!*path || unlinkat(hierarchy, path, AT_REMOVEDIR) < 0)
			return;
	}
}

/* What the container made in it. Whether there was something. */
static bool remove_below(int hierarchy, const char *group)
{
	_cleanup_strv_ char **below = NULL;
	size_t n;

	group_list_below(hierarchy, group, &below);
	n = strv_length(below);
	for (size_t i = n; i-- > 0;)
		(void)unlinkat(hierarchy, below[i], AT_REMOVEDIR);
	return n > 0;
}

static int remove_group(int hierarchy, const char *group, size_t keep)
{
	if (!group || hierarchy < 0)
		return 0;
	if (unlinkat(hierarchy, group, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		int r = -errno;

		if (r != -EBUSY || !remove_below(hierarchy, group) ||
		    unlinkat(hierarchy, group, AT_REMOVEDIR) < 0)
			return r;
	}
	remove_upwards(hierarchy, group, keep);
	return 0;
}

void cgroup_keep_base(struct cgroup *cgroup, const char *base)
{
	cgroup->keeps_base = !strcmp(cgroup->base, base + strspn(base, "/"));
}

int cgroup_remove(struct cgroup *cgroup, struct error *err)
{
	const struct cgroup_layout *layout = cgroup->layout;
	size_t own = strlen(cgroup->id) + (cgroup->elsewhere ? 0 : strlen(cgroup->base) + 1);
	int first =
		remove_group(layout->v2.fd, cgroup->v2, cgroup->v2 ? strlen(cgroup->v2) - own : 0);

	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		bool shared = i == CONTROLLER_DEVICES && cgroup->shared_devices;
		int r = 0;

		if (!shared || !cgroup->keeps_base)
			r = remove_group(layout->v1[i].fd, cgroup->v1[i], 0);
		if (r < 0 && first == 0 && !shared)
			first = r;
	}
	if (cgroup->remains && !cgroup->keeps_base && layout->v1[CONTROLLER_DEVICES].fd >= 0)
		(void)remove_group(layout->v1[CONTROLLER_DEVICES].fd, cgroup->base, 0);
	if (first < 0)
		return error_code(err, first, "control group %s/%s: remove it", cgroup->base,
				  cgroup->id);
	return 0;
}

void cgroup_remove_base(const char *base)
{
	struct error err = ERROR_INIT;
	const struct cgroup_layout *layout = cgroup_layout(&err);
	_cleanup_free_ char *v2 = NULL, *devices = NULL;

	if (!layout)
		return;
	v2 = str_printf("%s%s", layout->v2.prefix, base);
	devices = str_printf("%s.devices", base);
	(void)remove_group(layout->v2.fd, v2, strlen(layout->v2.prefix));
	for (int i = 0; i < CONTROLLER_COUNT; i++)
		(void)remove_group(layout->v1[i].fd, base, 0);
	(void)remove_group(layout->v1[CONTROLLER_DEVICES].fd, devices, 0);
}

int cgroup_restore(struct cgroup *cgroup, const struct resources_spec *resources, struct error *err)
{
	static char **restored;
	char file[CGROUP_NAME_BYTES + 320];

	if (!cgroup->v2 || !cgroup->layout->v2_controllers)
		return 0;
	snprintf(file, sizeof(file), "%s/memory.max", cgroup->v2);
	if (group_exists(cgroup->layout->v2.fd, file)) {
		/* With controllers that the first of its BASE got back, and without its limits. */
		if (!strv_contains(restored, cgroup->base))
			return 0;
	} else if (!strv_contains(restored, cgroup->base)) {
		strv_append(&restored, cgroup->base);
	}
	enable_path(cgroup);
	return limits_apply(cgroup, resources, true, err);
}

bool cgroup_lacks_device_rules(const struct cgroup *cgroup)
{
	return cgroup->no_device_rules;
}

bool cgroup_lacks_limits(const struct cgroup *cgroup)
{
	return cgroup->no_limits;
}

int cgroup_clone_fd(const struct cgroup *cgroup)
{
	if (!cgroup->v2)
		return -1;
	return openat(cgroup->layout->v2.fd, cgroup->v2, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_clone_fd_of(const struct cgroup *cgroup, pid_t pid)
{
	char *below;
	_cleanup_free_ char *group = cgroup->v2 ? find_by_process(cgroup, pid, &below) : NULL;

	if (!group)
		return -1;
	return openat(cgroup->layout->v2.fd, group, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

bool cgroup_is_unified(const struct cgroup *cgroup)
{
	return cgroup->v2;
}

/*
 * By `tasks`, not `cgroup.procs`: moving whole processes excludes every fork and exec of the
 * machine, for which the kernel waits a grace period (8 to 15 ms) when nobody did it just before.
 * A thread that moves itself needs none of that (Linux 5.15), and the child has but one.
 */
int cgroup_join(const struct cgroup *cgroup)
{
	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		int r;

		if (!cgroup->v1[i])
			continue;
		r = group_write(cgroup->layout->v1[i].fd, cgroup->v1[i], "tasks", "0");
		if (r < 0)
			return r;
	}
	return 0;
}

size_t cgroup_join_fds(const struct cgroup *cgroup, int *fds, size_t room)
{
	size_t count = 0;

	for (int i = 0; i < CONTROLLER_COUNT && count < room; i++)
		if (cgroup->v1[i])
			fds[count++] = cgroup->layout->v1[i].fd;
	return count;
}

int cgroup_tree(const struct cgroup *cgroup, size_t n, const char **ret_name)
{
	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		int fd;

		if (!cgroup->v1[i] || (i == CONTROLLER_DEVICES && cgroup->shared_devices) || n--)
			continue;
		*ret_name = controller_name((enum controller)i);
		fd = open_tree(cgroup->layout->v1[i].fd, cgroup->v1[i],
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	return -ENOENT;
}
