// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/health.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/events.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

#define LOG_KEPT            5
#define OUTPUT_MAX          4096
#define REASON_MAX          160
#define TIMED_OUT           (-1)
#define INTERVAL_USEC       (30 * (int64_t)USEC_PER_SEC)
#define START_INTERVAL_USEC (5 * (int64_t)USEC_PER_SEC)
/* A start is watched closely: the first probes come when a quick program is ready. */
#define EAGER_FIRST_USEC (50 * (int64_t)USEC_PER_MSEC)
#define SPREAD_USEC      (50 * USEC_PER_MSEC)

struct result {
	int64_t start_nsec, end_nsec;
	int exit_code;
	bool timed_out, not_run;
	char *output;
};

struct health {
	struct instance *instance;
	struct health_plan plan;
	/* Made once: a probe costs little more than its fork. */
	struct translation translation;
	enum health_status status;
	unsigned int failures;
	int64_t started_usec; /* of the container, monotonic */
	int64_t eager_usec;
	sd_event_source *timer; /* until the next probe, or until this one is too late */

	struct birth birth;
	struct child *child;
	int output_fd;
	sd_event_source *report;
	int64_t probe_nsec;
	bool timed_out;
	char *failure; /* why the probe could not even run */

	struct result log[LOG_KEPT];
	size_t log_next;
};

static int64_t field(const struct optional_int *given, int64_t of_image, int64_t otherwise)
{
	if (given->set && given->value)
		return given->value;
	return of_image ? of_image : otherwise;
}

/* CMD words, or CMD-SHELL text for the image's shell; NULL for NONE. */
static char **test_words(char *const *test, const struct image *image)
{
	char **words = NULL;

	if (!test || !test[0] || str_equal(test[0], "NONE") || !test[1])
		return NULL;
	if (str_equal(test[0], "CMD"))
		return strv_dup(test + 1);
	if (!str_equal(test[0], "CMD-SHELL"))
		return strv_dup(test);
	if (image->shell) {
		words = strv_dup(image->shell);
	} else {
		strv_append(&words, "/bin/sh");
		strv_append(&words, "-c");
	}
	strv_append(&words, test[1]);
	return words;
}

void health_plan_of(const struct service *service, const struct image *image,
		    struct health_plan *ret)
{
	const struct healthcheck *check = &service->healthcheck;
	const struct image_healthcheck *of_image = &image->healthcheck;

	*ret = (struct health_plan){0};
	if (check->disable)
		return;
	ret->test = test_words(check->test.set ? check->test.args : of_image->test, image);
	ret->interval_usec = field(&check->interval, of_image->interval_usec, INTERVAL_USEC);
	ret->timeout_usec = field(&check->timeout, of_image->timeout_usec, INTERVAL_USEC);
	ret->start_period_usec = field(&check->start_period, of_image->start_period_usec, 0);
	ret->start_interval_usec =
		field(&check->start_interval, of_image->start_interval_usec, START_INTERVAL_USEC);
	ret->retries = (unsigned int)field(&check->retries, of_image->retries, 3);
}

void health_plan_done(struct health_plan *plan)
{
	strv_free(plan->test);
	plan->test = NULL;
}

enum health_status health_status_of(const struct health *health)
{
	return health ? health->status : HEALTH_NONE;
}

json_t *health_log(const struct health *health)
{
	json_t *rows = json_array();

	for (size_t i = 0; health && i < LOG_KEPT; i++) {
		const struct result *result = &health->log[(health->log_next + i) % LOG_KEPT];
		json_t *row;

		if (!result->end_nsec)
			continue;
		row = json_object();
		json_put_int(row, "start", result->start_nsec);
		json_put_int(row, "end", result->end_nsec);
		json_put_int(row, "exit_code", result->exit_code);
		json_put_string(row, "output", result->output ?: "");
		json_array_append_new(rows, row);
	}
	return rows;
}

/* The last line that says something: of a script, that is what ended it. */
static void add_last_line(struct strbuf *text, const char *output)
{
	size_t end = output ? strlen(output) : 0, begin, size;

	while (end && strchr(" \t\r\n", output[end - 1]))
		end--;
	for (begin = end; begin && output[begin - 1] != '\n'; begin--)
		;
	size = end - begin;
	if (size > REASON_MAX)
		size = REASON_MAX;
	while (size && !str_is_utf8(output + begin, size))
		size--;
	if (size)
		strbuf_addf(text, ": %.*s", (int)size, output + begin);
}

char *health_reason(const struct health *health)
{
	const struct result *last =
		health && health->log_next ? &health->log[(health->log_next - 1) % LOG_KEPT] : NULL;
	struct strbuf text = {0};
	char limit[32];

	if (!last || !last->exit_code)
		return NULL;
	if (last->timed_out) {
		strbuf_addf(&text, "its last check took longer than %s",
			    units_format_duration(health->plan.timeout_usec, limit, sizeof(limit)));
		return strbuf_take(&text);
	}
	if (last->not_run)
		strbuf_add(&text, "its check could not be run");
	else
		strbuf_addf(&text, "its last check exited %d", last->exit_code);
	add_last_line(&text, last->output);
	return strbuf_take(&text);
}

static int probe(struct health *health, struct error *err);

static int on_due(sd_event_source *source, uint64_t usec, void *data);

/* A start is waited for; later a little slack lets the kernel wake us once for several. */
static uint64_t slack(const struct health *health, int64_t delay_usec)
{
	uint64_t part = (uint64_t)delay_usec / 10;

	if (health->status == HEALTH_STARTING)
		return 1;
	return part > SPREAD_USEC ? SPREAD_USEC : part + 1;
}

static void arm(struct health *health, int64_t delay_usec)
{
	int r;

	if (health->timer) {
		(void)sd_event_source_set_time_accuracy(health->timer, slack(health, delay_usec));
		(void)sd_event_source_set_time_relative(health->timer, (uint64_t)delay_usec);
		(void)sd_event_source_set_enabled(health->timer, SD_EVENT_ONESHOT);
		return;
	}
	r = sd_event_add_time_relative(health->instance->supervisor->event, &health->timer,
				       CLOCK_MONOTONIC, (uint64_t)delay_usec,
				       slack(health, delay_usec), on_due, health);
	if (r < 0)
		log_error("%s: no timer for its health: %s", health->instance->name, strerror(-r));
}

static bool in_start_period(const struct health *health)
{
	return units_monotonic_usec() - health->started_usec < health->plan.start_period_usec;
}

/*
 * Before the first interval is over nobody else would have probed at all: probes that we make
 * then (the delay doubles from a fraction of a second) can only bring good news early.
 */
static int64_t before_first(const struct health *health)
{
	return health->plan.interval_usec - (units_monotonic_usec() - health->started_usec);
}

static int64_t next_delay(struct health *health)
{
	int64_t delay = health->plan.interval_usec, left = before_first(health);

	if (health->status != HEALTH_STARTING)
		return delay;
	if (in_start_period(health) && health->plan.start_interval_usec < delay)
		delay = health->plan.start_interval_usec;
	if (left > 0 && health->eager_usec < delay) {
		delay = health->eager_usec < left ? health->eager_usec : left;
		health->eager_usec *= 2;
	}
	return delay;
}

static void set_status(struct health *health, enum health_status status)
{
	char action[64];

	if (health->status == status)
		return;
	health->status = status;
	health->instance->known_health = status;
	state_note(health->instance);
	snprintf(action, sizeof(action), "health_status: %s", health_status_name(status));
	events_emit(health->instance, action, NULL);
	executor_instance_changed(health->instance->supervisor->executor, health->instance);
}

static void judge(struct health *health, int exit_code)
{
	if (exit_code == 0) {
		health->failures = 0;
		set_status(health, HEALTH_HEALTHY);
		return;
	}
	if (health->status == HEALTH_STARTING &&
	    (in_start_period(health) || before_first(health) > 0))
		return;
	if (++health->failures >= health->plan.retries)
		set_status(health, HEALTH_UNHEALTHY);
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

static void birth_close(struct health *health)
{
	health->report = sd_event_source_disable_unref(health->report);
	if (health->birth.pidfd >= 0)
		birth_done(&health->birth);
	health->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	if (health->output_fd >= 0)
		close(health->output_fd);
	health->output_fd = -EBADF;
}

static void conclude(struct health *health, int exit_code)
{
	struct result *result = &health->log[health->log_next++ % LOG_KEPT];

	free(result->output);
	*result = (struct result){
		.start_nsec = health->probe_nsec,
		.end_nsec = units_now_nsec(),
		.exit_code = exit_code,
		.timed_out = health->timed_out,
		.not_run = health->failure && !health->timed_out,
	};
	if (health->timed_out)
		result->output = alloc_string("Health check exceeded timeout");
	else
		result->output = TAKE_PTR(health->failure) ?: read_output(health->output_fd);
	free(TAKE_PTR(health->failure));
	birth_close(health);
	judge(health, exit_code);
	arm(health, next_delay(health));
}

static void read_report(struct health *health)
{
	struct error err = ERROR_INIT;

	while (health->birth.report_fd >= 0) {
		struct birth_report report = {.pty_master = -EBADF};
		int news = container_report(&health->birth, &report, &err);

		if (news == BIRTH_PENDING)
			return;
		if (news == BIRTH_FAILED || news < 0) {
			free(health->failure);
			health->failure = alloc_string(err.message);
		}
		if (news == BIRTH_READY) {
			container_report_taken(&health->birth);
			continue;
		}
		health->report = sd_event_source_disable_unref(health->report);
		return;
	}
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data)
{
	read_report(data);
	return 0;
}

static void on_probe_ended(void *owner, const struct process_exit *info)
{
	struct health *health = owner;

	health->child = NULL;
	if (health->report)
		read_report(health);
	conclude(health, health->timed_out ? TIMED_OUT : info->exit_code);
}

static int on_due(sd_event_source *source, uint64_t usec, void *data)
{
	struct health *health = data;
	struct error err = ERROR_INIT;

	if (health->child) {
		health->timed_out = true;
		(void)process_pidfd_signal(health->birth.pidfd, SIGKILL);
		return 0;
	}
	if (health->instance->state == INSTANCE_PAUSED) {
		arm(health, health->plan.interval_usec);
		return 0;
	}
	if (probe(health, &err) < 0) {
		free(health->failure);
		health->failure = alloc_string(err.message);
		conclude(health, TIMED_OUT);
	}
	return 0;
}

static void probe_name(const struct instance *instance, char *name, size_t size)
{
	snprintf(name, size, "%s:probe", instance->id);
}

/* For the next supervisor: it could neither end this probe in time nor tell it from others. */
static void probe_keep(struct health *health)
{
	char name[80];
	const char *names[] = {name};

	probe_name(health->instance, name, sizeof(name));
	(void)keeper_client_store(health->instance->supervisor->keeper, names, &health->birth.pidfd,
				  1);
}

/* That of the supervisor before us: nobody reads what it says, or would end it. */
static void end_old_probe(struct instance *instance)
{
	_cleanup_close_ int pidfd = -EBADF;
	char name[80];

	probe_name(instance, name, sizeof(name));
	pidfd = supervisor_claim_fd(instance->supervisor, name);
	if (pidfd >= 0)
		(void)process_pidfd_signal(pidfd, SIGKILL);
}

static int probe(struct health *health, struct error *err)
{
	struct instance *instance = health->instance;
	struct container_spec *spec = &health->translation.spec;
	_cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
	int pair[2], r;

	health->probe_nsec = units_now_nsec();
	health->timed_out = false;
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, "make a pipe");
	read_end = pair[0];
	write_end = pair[1];
	(void)fd_set_nonblock(write_end, false);
	spec->stdout_fd = spec->stderr_fd = write_end;
	spec->cgroup_handle = instance->cgroup;
	r = container_exec(instance->pidfd, spec, true, &health->birth, err);
	if (r < 0)
		return r;
	health->output_fd = TAKE_FD(read_end);
	probe_keep(health);
	health->child = children_add(instance->supervisor->children, health->birth.pid,
				     health->birth.start_ticks, on_probe_ended, health);
	r = sd_event_add_io(instance->supervisor->event, &health->report, health->birth.report_fd,
			    EPOLLIN, on_report, health);
	if (r < 0)
		log_error("%s: watch its probe: %s", instance->name, strerror(-r));
	(void)container_release(&health->birth);
	arm(health, health->plan.timeout_usec);
	return 0;
}

static int translate_probe(struct health *health, const struct image *image, struct error *err)
{
	struct translation *translation = &health->translation;
	struct instance *instance = health->instance;

	*translation = (struct translation){
		.instance = instance,
		.service = instance->service,
		.project = instance->model->project,
		.image = image,
	};
	translation->spec.id = instance->id;
	translation->spec.stdin_fd = -EBADF;
	translation->spec.args = (const char *const *)health->plan.test;
	if (translate_exec_process(translation, false, err) < 0)
		return -err->code;
	/* The image is not needed beyond this, and may be forgotten. */
	translation->image = NULL;
	translation->spec.user = translation_own(translation, alloc_string(translation->spec.user));
	translation->spec.cwd = translation_own(translation, alloc_string(translation->spec.cwd));
	return 0;
}

void health_start(struct instance *instance)
{
	struct error err = ERROR_INIT;
	const struct image *image = observe_image(instance->supervisor, instance->image_id, &err);
	struct health_plan plan = {0};
	struct health *health;

	health_free(instance->health);
	instance->health = NULL;
	end_old_probe(instance);
	if (!image)
		return;
	health_plan_of(instance->service, image, &plan);
	if (!plan.test)
		return;
	health = new (struct health);
	health->instance = instance;
	health->plan = plan;
	health->status = instance->known_health ?: HEALTH_STARTING;
	health->started_usec = instance->started_usec;
	health->eager_usec = EAGER_FIRST_USEC;
	health->output_fd = -EBADF;
	health->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	instance->health = health;
	if (translate_probe(health, image, &err) < 0)
		log_error("%s: healthcheck: %s", instance->name, err.message);
	arm(health, 0);
}

void health_stop(struct instance *instance)
{
	struct health *health = instance->health;

	if (!health)
		return;
	health->timer = sd_event_source_disable_unref(health->timer);
	if (health->child) {
		(void)process_pidfd_signal(health->birth.pidfd, SIGKILL);
		children_forget(instance->supervisor->children, health->child);
		health->child = NULL;
	}
	birth_close(health);
}

void health_free(struct health *health)
{
	if (!health)
		return;
	health_stop(health->instance);
	for (size_t i = 0; i < LOG_KEPT; i++)
		free(health->log[i].output);
	free(health->failure);
	health_plan_done(&health->plan);
	translation_done(&health->translation);
	free(health);
}
