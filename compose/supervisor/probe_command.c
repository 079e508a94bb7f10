// SPDX-License-Identifier: GPL-2.0-or-later
/* probe_command.c - healthcheck.test: a command run inside the container by container_exec. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/probe_internal.h"
#include "compose/supervisor/translate/translate.h"

#define OUTPUT_MAX 4096

struct command_probe {
	struct probe probe;
	/* Made once: a probe costs little more than its fork. */
	struct translation translation;
	struct birth birth;
	struct child *child;
	int output_fd;
	sd_event_source *report;
	char *failure; /* why the command could not even run */
};

static struct command_probe *of(struct probe *probe)
{
	return (struct command_probe *)probe;
}

static char *read_output(int fd)
{
	char buffer[OUTPUT_MAX + 1];
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return NULL;
	while (size < OUTPUT_MAX && (n = read(fd, buffer + size, OUTPUT_MAX - size)) > 0)
		size += (size_t)n;
	/* Never half a character: it goes out as JSON. */
	while (size && !str_is_utf8(buffer, size))
		size--;
	return size ? alloc_string_n(buffer, size) : NULL;
}

static void birth_close(struct command_probe *self)
{
	self->report = sd_event_source_disable_unref(self->report);
	if (self->birth.pidfd >= 0)
		birth_done(&self->birth);
	self->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	if (self->output_fd >= 0)
		close(self->output_fd);
	self->output_fd = -EBADF;
}

static void conclude(struct command_probe *self, int exit_code)
{
	struct probe_answer answer = {.exit_code = exit_code, .not_run = self->failure != NULL};

	answer.output = TAKE_PTR(self->failure) ?: read_output(self->output_fd);
	birth_close(self);
	self->probe.answered(self->probe.context, &answer);
}

static void read_report(struct command_probe *self)
{
	struct error err = ERROR_INIT;

	while (self->birth.report_fd >= 0) {
		struct birth_report report = {.pty_master = -EBADF};
		int news = container_report(&self->birth, &report, &err);

		if (news == BIRTH_PENDING)
			return;
		if (news == BIRTH_FAILED || news < 0) {
			free(self->failure);
			self->failure = alloc_string(err.message);
		}
		if (news == BIRTH_READY) {
			container_report_taken(&self->birth);
			continue;
		}
		self->report = sd_event_source_disable_unref(self->report);
		return;
	}
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data)
{
	read_report(data);
	return 0;
}

static void on_ended(void *owner, const struct process_exit *info)
{
	struct command_probe *self = owner;

	self->child = NULL;
	if (self->report)
		read_report(self);
	conclude(self, info->exit_code);
}

static void kept_name(const struct instance *instance, char *name, size_t size)
{
	snprintf(name, size, "%s:probe", instance->id);
}

/* For the next supervisor: it could neither end this probe in time nor tell it from others. */
static void keep(struct command_probe *self)
{
	struct instance *instance = self->probe.instance;
	char name[KEEPER_PORT_NAME_MAX];
	const char *names[] = {name};

	kept_name(instance, name, sizeof(name));
	(void)keeper_client_store(instance->supervisor->keeper, names, &self->birth.pidfd, 1);
}

void probe_end_old(struct instance *instance)
{
	_cleanup_close_ int pidfd = -EBADF;
	char name[KEEPER_PORT_NAME_MAX];

	kept_name(instance, name, sizeof(name));
	pidfd = supervisor_claim_fd(instance->supervisor, name);
	if (pidfd >= 0)
		(void)process_pidfd_signal(pidfd, SIGKILL);
}

static int run(struct command_probe *self, struct error *err)
{
	struct instance *instance = self->probe.instance;
	struct container_spec *spec = &self->translation.spec;
	_cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
	int pair[2], r;

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, "make a pipe");
	read_end = pair[0];
	write_end = pair[1];
	(void)fd_set_nonblock(write_end, false);
	spec->stdout_fd = spec->stderr_fd = write_end;
	spec->cgroup_handle = instance->cgroup;
	r = container_exec(instance->pidfd, spec, true, &self->birth, err);
	if (r < 0)
		return r;
	self->output_fd = TAKE_FD(read_end);
	keep(self);
	self->child = children_add(instance->supervisor->children, self->birth.pid,
				   self->birth.start_ticks, on_ended, self);
	r = sd_event_add_io(instance->supervisor->event, &self->report, self->birth.report_fd,
			    EPOLLIN, on_report, self);
	if (r < 0)
		log_error("%s: watch its probe: %s", instance->name, strerror(-r));
	(void)container_release(&self->birth);
	return 0;
}

static void begin(struct probe *probe)
{
	struct command_probe *self = of(probe);
	struct error err = ERROR_INIT;

	if (run(self, &err) == 0)
		return;
	free(self->failure);
	self->failure = alloc_string(err.message);
	conclude(self, -1);
}

static void give_up(struct probe *probe)
{
	(void)process_pidfd_signal(of(probe)->birth.pidfd, SIGKILL);
}

static void release(struct probe *probe)
{
	struct command_probe *self = of(probe);

	if (self->child) {
		(void)process_pidfd_signal(self->birth.pidfd, SIGKILL);
		children_forget(probe->instance->supervisor->children, self->child);
	}
	birth_close(self);
	free(self->failure);
	translation_done(&self->translation);
	free(self);
}

static const struct probe_ops ops = {begin, give_up, release};

static int translate_command(struct command_probe *self, char *const *test,
			     const struct image *image, struct error *err)
{
	struct translation *translation = &self->translation;
	struct instance *instance = self->probe.instance;

	*translation = (struct translation){
		.instance = instance,
		.service = instance->service,
		.project = instance->model->project,
		.image = image,
	};
	translation->spec.id = instance->id;
	translation->spec.stdin_fd = -EBADF;
	translation->spec.args = (const char *const *)test;
	if (translate_exec_process(translation, false, err) < 0)
		return -err->code;
	/* The image is not needed beyond this, and may be forgotten. */
	translation->image = NULL;
	translation->spec.user = translation_own(translation, alloc_string(translation->spec.user));
	translation->spec.cwd = translation_own(translation, alloc_string(translation->spec.cwd));
	return 0;
}

struct probe *probe_new_command(struct instance *instance, char *const *test,
				const struct image *image, probe_answered *answered, void *context)
{
	struct command_probe *self = new (struct command_probe);
	struct error err = ERROR_INIT;

	self->probe = (struct probe){
		.ops = &ops, .instance = instance, .answered = answered, .context = context};
	self->output_fd = -EBADF;
	self->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	if (translate_command(self, test, image, &err) < 0)
		log_error("%s: healthcheck: %s", instance->name, err.message);
	return &self->probe;
}
