// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/requests/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/container/rootfs.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/requests/connection.h"
#include "compose/supervisor/translate/translate.h"

#define NET_DEV_MAX (256 << 10)

/* Bytes through all links but the loopback, as the container's own kernel table has them. */
static void put_network(json_t *row, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;
	unsigned long long received = 0, sent = 0, in, out;
	char path[40], name[32], *rest, *line;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	if (fs_read(AT_FDCWD, path, NET_DEV_MAX, &text, NULL, &ignored) < 0)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, " %31[^:]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", name, &in,
			   &out) != 3 ||
		    !strcmp(name, "lo"))
			continue;
		received += in;
		sent += out;
	}
	json_put_int(row, "received_bytes", (int64_t)received);
	json_put_int(row, "sent_bytes", (int64_t)sent);
}

static json_t *pids_of(struct cgroup *cgroup)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct error ignored = ERROR_INIT;
	json_t *list = json_array();
	size_t count = 0;

	if (cgroup_pids(cgroup, &pids, &count, &ignored) < 0)
		return list;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer(pids[i]));
	return list;
}

static void put_cgroup(json_t *row, struct cgroup *cgroup)
{
	struct cgroup_stats stats = {0};
	struct error ignored = ERROR_INIT;

	if (cgroup_stats(cgroup, &stats, &ignored) < 0)
		return;
	json_put_int(row, "cpu_usec", (int64_t)stats.cpu_usec);
	json_put_int(row, "memory_bytes",
		     (int64_t)(stats.memory_bytes > stats.memory_cache_bytes
				       ? stats.memory_bytes - stats.memory_cache_bytes
				       : stats.memory_bytes));
	json_put_int(row, "memory_limit_bytes", (int64_t)stats.memory_limit_bytes);
	json_put_int(row, "processes", (int64_t)stats.pids);
	json_put_int(row, "read_bytes", (int64_t)stats.read_bytes);
	json_put_int(row, "write_bytes", (int64_t)stats.write_bytes);
	json_object_set_new(row, "pids", pids_of(cgroup));
}

json_t *usage_of_containers(struct supervisor *supervisor)
{
	json_t *reply = json_object(), *rows = json_array();
	struct sysinfo info = {0};

	(void)sysinfo(&info);
	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;
		json_t *row = json_object();

		json_put_string(row, "id", instance->id);
		json_put_string(row, "name", instance->name);
		json_put_string(row, "service", instance->service_name);
		json_put_int(row, "number", instance->number);
		json_put_bool(row, "oneoff", instance->oneoff);
		json_put_bool(row, "running", instance->pid > 0);
		if (instance->pid && instance->cgroup)
			put_cgroup(row, instance->cgroup);
		if (instance->pid)
			put_network(row, instance->pid);
		json_array_append_new(rows, row);
	}
	json_put_int(reply, "time", units_monotonic_usec());
	json_put_int(reply, "machine_memory_bytes", (int64_t)info.totalram * info.mem_unit);
	json_object_set_new(reply, "containers", rows);
	return reply;
}

/* A client that waits until a job has stacked the layers of a container that does not run. */
struct root_task {
	struct connection *connection; /* NULL: it left */
	struct translation translation;
	int ours, theirs; /* by which the root comes from the job */
};

static void send_root(struct connection *connection, int root, bool running)
{
	json_t *reply = json_object();

	json_put_bool(reply, "running", running);
	connection_done(connection, reply, &root, 1);
}

static int stack_work(void *data, struct error *err)
{
	struct root_task *task = data;
	bool own = false;
	_cleanup_close_ int root = rootfs_make(&task->translation.spec.rootfs, &own, err);

	if (root < 0)
		return root;
	if (fd_send(task->theirs, "r", 1, &root, 1) < 0)
		return error_errno(err, "hand the root over");
	return 0;
}

static void stack_done(void *context, const struct error *err)
{
	struct root_task *task = context;
	int root = -EBADF;
	size_t count = 1;
	struct error lost = *err;
	char byte;

	if (!err->code && (fd_receive(task->ours, &byte, 1, &root, &count) != 1 || count != 1))
		error_set(&lost, EIO, "the container's root did not come");
	if (task->connection && lost.code)
		connection_fail(task->connection, &lost, 1);
	else if (task->connection)
		send_root(task->connection, root, false);
	cleanup_close_fd(&root);
	translation_done(&task->translation);
	close(task->ours);
	close(task->theirs);
	free(task);
}

static void root_client_left(struct connection *connection, void *data)
{
	((struct root_task *)data)->connection = NULL;
}

/* Its own layer as one more to read from: that is safe while the container writes to it. */
static void make_readable(struct translation *translation)
{
	struct rootfs_spec *root = &translation->spec.rootfs;
	int *layers = new_array(int, root->layer_count + 1);

	layers[0] = root->upper_fd;
	memcpy(layers + 1, root->layer_fds, root->layer_count * sizeof(int));
	root->layer_fds = translation_own(translation, layers);
	root->layer_count++;
	root->upper_fd = root->work_fd = -EBADF;
	root->read_only = true;
}

static int stack_root(struct instance *instance, bool layers, struct connection *connection,
		      struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	const struct image *image = observe_image(supervisor, instance->image_id, err);
	struct root_task *task;
	int pair[2], r;

	if (!image)
		return -err->code;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return error_errno(err, "make a socket");
	task = new (struct root_task);
	*task = (struct root_task){.connection = connection, .ours = pair[0], .theirs = pair[1]};
	r = translate_root(&task->translation, instance, image, err);
	if (r == 0 && layers)
		make_readable(&task->translation);
	if (r == 0)
		r = job_start_with_socket(supervisor->jobs, task->theirs, stack_work, task,
					  stack_done, task, err);
	if (r == 0) {
		connection_on_closed(connection, root_client_left, task);
		return 0;
	}
	translation_done(&task->translation);
	close(pair[0]);
	close(pair[1]);
	free(task);
	return r;
}

int usage_running_root(const struct instance *instance, struct error *err)
{
	_cleanup_close_ int fd = -EBADF;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)instance->pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Only after it was opened is it known whose root that was. */
	if (fd < 0 || process_pidfd_signal(instance->pidfd, 0) < 0)
		return error_set(err, ESRCH, "container %s has just ended", instance->name);
	return TAKE_FD(fd);
}

void usage_root_request(struct supervisor *supervisor, struct connection *connection,
			const json_t *request)
{
	const char *name = json_get_string(request, "container");
	struct instance *instance = name ? supervisor_find(supervisor, name) : NULL;
	bool layers = json_get_bool(request, "layers", false);
	_cleanup_close_ int root = -EBADF;
	struct error err = ERROR_INIT;

	if (!instance)
		error_set(&err, ENOENT, "No such container: %s", name ?: "(no name)");
	else if (instance->pid && !layers)
		root = usage_running_root(instance, &err);
	else
		(void)stack_root(instance, layers, connection, &err);
	if (err.code)
		connection_fail(connection, &err, 1);
	else if (root >= 0)
		send_root(connection, root, true);
}
