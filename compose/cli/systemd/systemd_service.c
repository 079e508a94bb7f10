// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * systemd_service.c - what the unit berth@NAME.service calls. `run` becomes the keeper and leaves
 * a child, the starter, to bring the project up; `reload` and `stop` are clients like any other;
 * `settle` clears up behind a keeper that was killed.
 *
 * The supervisor tells systemd how the project is (compose/supervisor/notify.h). What only the
 * asking side can know is told from here: that it is ready, that it reloads.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/listen.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/target.h"
#include "compose/cli/companions.h"
#include "compose/cli/keeper_start.h"
#include "compose/cli/systemd/systemd.h"
#include "compose/cli/systemd/systemd_cgroup.h"
#include "compose/cli/systemd/systemd_files.h"
#include "compose/cli/systemd/systemd_parts.h"
#include "compose/cli/systemd/systemd_unit.h"
#include "compose/cli/up_options.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/progress.h"
#include "compose/control/message_ids.h"
#include "compose/control/requests.h"
#include "compose/control/systemd_bus.h"

#define LISTEN_USEC  (30 * (int64_t)USEC_PER_SEC)
#define EXTEND_MSEC  10000
#define BARRIER_MSEC 5000
#define EXTEND_USEC  (60 * USEC_PER_SEC)

/* Of an ordinary user's manager, in whose namespaces we may be. */
static bool is_of_user(void)
{
	return geteuid() != 0 || rootless();
}

/* A journal that is behind finds our last words when we are gone, and cannot tell whose they are.
 */
static void name_unit_in_journal(const char *name)
{
	_cleanup_free_ char *unit = systemd_unit_name(name);

	log_set_field(is_of_user() ? "OBJECT_SYSTEMD_USER_UNIT" : "OBJECT_SYSTEMD_UNIT", unit);
}

/* The name in the unit's instance, whatever the file says. */
static void take_name(struct project_args *args, const char *name)
{
	const char *directory = getenv("BERTH_PROJECT_DIRECTORY");

	(void)setenv("COMPOSE_PROJECT_NAME", name, 1);
	log_set_field("BERTH_PROJECT", name);
	name_unit_in_journal(name);
	if (!args->project_directory && directory && directory[0])
		args->project_directory = directory;
	if (!strcmp(args->progress, "auto"))
		args->progress = log_in_journal() ? PROGRESS_JOURNAL : "plain";
}

/*
 * As long as we work, systemd does not lose its patience: images may take their time, and so may
 * health checks. In a process of its own, since the work may block; it ends with us, or by
 * end_extending().
 */
static pid_t extend_timeout(void)
{
	pid_t parent = getpid(), pid;

	if (!notify_wanted())
		return 0;
	pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent) {
		notify_send("EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)EXTEND_USEC);
		(void)poll(NULL, 0, EXTEND_MSEC);
	}
	_exit(0);
}

static void end_extending(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static const char *reason_of(const struct output_failure *failure)
{
	return failure->text ?: "interrupted";
}

/* What fails before there are operations names its service first: "service web: ...". */
static char *blamed(const struct output_failure *failure)
{
	static const char word[] = "service ";
	const char *at = strstr(reason_of(failure), word);

	if (failure->service)
		return alloc_string(failure->service);
	if (!at)
		return NULL;
	at += strlen(word);
	at += *at == '"';
	return alloc_string_n(at, strcspn(at, "\": \n"));
}

/* One message, by which service and reason are found. @rest follows the reason, before the lines of
 * the file that it may show. */
static void log_failure(const char *name, const char *id, const char *verb,
			const struct output_failure *failure, const char *rest)
{
	_cleanup_free_ char *service = blamed(failure);
	const struct log_field fields[] = {
		{"MESSAGE_ID", id},
		{"BERTH_SERVICE", service},
	};

	const char *reason = reason_of(failure);
	int first = (int)strcspn(reason, "\n");

	log_entry(LOG_LEVEL_ERROR, fields, ARRAY_SIZE(fields), "project %s: %s failed: %.*s%s%s",
		  name, verb, first, reason, rest, reason + first);
}

/* Its first line; nothing is said after it. */
static void notify_failure(const char *verb, const struct output_failure *failure)
{
	const char *text = reason_of(failure);

	notify_send("STATUS=%s failed: %.*s", verb, (int)strcspn(text, "\n"), text);
}

/* Nobody but who made them anew would notice. */
static void warn_of_stale_units(const struct project *project)
{
	static const struct log_field stale_units = {"MESSAGE_ID", MESSAGE_UNITS_STALE};
	_cleanup_free_ char *units = systemd_files_units(is_of_user());
	_cleanup_free_ char *path = systemd_files_program(), *stale = NULL;
	const struct systemd_program program = systemd_program_of(path);

	stale = systemd_parts_stale(units, project, &program);
	if (stale)
		log_entry(LOG_LEVEL_WARNING, &stale_units, 1,
			  "project %s: %s: not as the project has it now; write them anew with "
			  "\"berth systemd enable\"",
			  project->name, stale);
}

/*
 * Or whatever is in another one would be brought up in its name. Without a drop-in, or with one of
 * an earlier berth, there is no variable; the template's folder being gone leaves us in the root.
 */
static int check_folder(const char *name, struct error *err)
{
	_cleanup_free_ char *usual = systemd_files_default_folder(name, is_of_user());
	const char *folder = getenv(SYSTEMD_FOLDER_VARIABLE);
	char here[4] = "";

	if (!folder || !folder[0]) {
		if (!getcwd(here, sizeof(here)) || strcmp(here, "/") != 0)
			return 0;
		folder = usual;
	}
	if (access(folder, X_OK) == 0)
		return 0;
	return error_set(
		err, errno,
		"folder %s: %s (if the project moved, \"berth systemd enable\" where it is "
		"now; if it is no more, \"berth systemd disable %s\")",
		folder, strerror(errno), name);
}

/* The project as its files say it now, and wait until it is as they say. */
static int bring_up(struct project_args *args, const char *name)
{
	struct converge converge = {.verb = "up"};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (check_folder(name, &err) < 0)
		return output_fail(args, &err);
	up_options.yes = true;
	up_options.remove_orphans = !project_args_switch("COMPOSE_IGNORE_ORPHANS");
	r = up_options_prepare(args, NULL, false, &project, &converge);
	if (r == 0) {
		warn_of_stale_units(project);
		converge.options.wait = true;
		r = converge_run(args, &converge);
	}
	up_options_done(&converge);
	project_free(project);
	return r;
}

static bool anything_runs(const char *name)
{
	const struct target target = {.name = (char *)name};
	_cleanup_json_ json_t *containers = NULL;
	struct error ignored = ERROR_INIT;

	return target_containers(&target, false, NULL, &containers, &ignored) == 0 &&
	       json_array_size(containers) > 0;
}

static bool all_in_unit(const json_t *containers)
{
	json_t *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		if (!systemd_cgroup_has((pid_t)json_get_int(container, "pid", 0)))
			return false;
	}
	return true;
}

/* What failed stays to be looked at: its containers are stopped, not removed. */
static void give_up(struct project_args *args, const char *name)
{
	struct converge stop = {
		.name = name,
		.verb = "stop",
		.options = {.goal = PLAN_STOP, .by_label = true, .timeout_usec = -1},
	};
	struct error ignored = ERROR_INIT;

	(void)converge_run(args, &stop);
	(void)client_call(name, CLIENT_START_FOR_STATE, REQUEST_SHUTDOWN, NULL, NULL, &ignored);
}

/*
 * Who has connected already hears that nothing comes of it. systemd would start us for them again
 * at once, until it has enough and listens no more.
 */
static void turn_away(void)
{
	const char *keeper = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int given = keeper && count && atoi(keeper) == getppid() ? atoi(count) : 0;

	for (int fd = LISTEN_FD_FIRST; fd < LISTEN_FD_FIRST + given; fd++)
		listen_turn_away(fd);
}

/* The child of `run`. Takes @lock. Exit code: that of the unit, if it is not 0. */
static int starter(struct project_args *args, const char *name, int keeper, int lock)
{
	struct output_failure failure = {0};
	_cleanup_close_ int held = -EBADF;
	struct error err = ERROR_INIT;
	bool ran = false;
	int r = 1;

	args->failure = &failure;
	/* Held until the end: a supervisor that has nothing to do yet would leave. */
	held = keeper_await(name, keeper, LISTEN_USEC, &err);
	/* Who looked at the project meanwhile is answered now. */
	close(lock);
	if (held < 0) {
		(void)output_fail(args, &err);
	} else {
		(void)extend_timeout();
		ran = anything_runs(name);
		r = bring_up(args, name);
	}
	args->failure = NULL;
	if (r != 0)
		log_failure(name, MESSAGE_START_FAILED, "start", &failure,
			    ran         ? " (it runs as it did before)"
			    : held >= 0 ? " (what had started is stopped)"
					: "");
	if (r != 0 && !ran && held >= 0)
		give_up(args, name);
	if (r != 0 && !ran)
		turn_away();
	if (r != 0)
		notify_failure("start", &failure);
	/* With @ran the keeper before was killed, and what it left is in good hands again. */
	if (r == 0 || ran)
		notify_send("READY=1");
	notify_barrier(BARRIER_MSEC);
	output_failure_done(&failure);
	return r == 0 || ran ? 0 : 1;
}

/*
 * Of one whose containers are the unit's already, it is the keeper alone that is in the way:
 * somebody looked at the project while systemd was about to start us again after a keeper that was
 * killed. So is that one, and we find the containers as it did.
 */
static int end_keeper(const char *name, int pidfd, struct error *err)
{
	_cleanup_json_ json_t *reply = NULL;
	const json_t *containers;
	bool any, ours;
	int r = client_call(name, CLIENT_NEVER_START, REQUEST_PS, NULL, &reply, err);

	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	containers = json_object_get(reply, "containers");
	any = json_array_size(containers) > 0;
	ours = any && all_in_unit(containers);
	if (any && !ours)
		log_info("project %s: it runs outside of the unit; stopping it first", name);
	r = process_pidfd_signal(pidfd, ours ? SIGKILL : SIGTERM);
	if (r < 0 && r != -ESRCH)
		return error_code(err, r, "project %s: end its keeper", name);
	return 0;
}

/* One that `berth up` started by hand: its containers shall be the unit's. */
static int end_other_keeper(const char *name, struct error *err)
{
	_cleanup_json_ json_t *reply = NULL;
	_cleanup_close_ int pidfd = -EBADF;
	struct pollfd gone = {.events = POLLIN};
	pid_t pid, extending;
	int r;

	/* One that was killed is nobody's, though its supervisor may take a moment to follow it. */
	r = client_call(name, CLIENT_NEVER_START, REQUEST_PING, NULL, &reply, err);
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	pid = (pid_t)json_get_int(reply, "keeper_pid", 0);
	pidfd = pid > 1 ? process_pidfd_open(pid) : -ESRCH;
	if (pidfd < 0)
		return 0;
	if (end_keeper(name, pidfd, err) < 0)
		return -err->code;
	extending = extend_timeout();
	gone.fd = pidfd;
	while (poll(&gone, 1, -1) < 0 && errno == EINTR)
		;
	end_extending(extending);
	return 0;
}

static int run_run(struct project_args *args, int argc, char **argv)
{
	const char *name = argv[0];
	_cleanup_close_ int self = process_pidfd_open(getpid()), lock = -EBADF;
	struct error err = ERROR_INIT;
	pid_t pid;

	if (project_args_check_name(name, &err) < 0 || client_check_privileges(name, &err) < 0)
		return output_fail(args, &err);
	lock = keeper_start_lock(name, &err);
	if (lock < 0 || end_other_keeper(name, &err) < 0)
		return output_fail(args, &err);
	take_name(args, name);
	pid = fork();
	if (pid < 0) {
		error_errno(&err, "fork");
		return output_fail(args, &err);
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(starter(args, name, self, lock));
	}
	(void)keeper_become(name, pid, &err);
	kill(pid, SIGKILL);
	return output_fail(args, &err);
}

static int run_reload(struct project_args *args, int argc, char **argv)
{
	struct output_failure failure = {0};
	struct error err = ERROR_INIT;
	int r;

	if (project_args_check_name(argv[0], &err) < 0)
		return output_fail(args, &err);
	take_name(args, argv[0]);
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)units_monotonic_usec());
	(void)extend_timeout();
	args->failure = &failure;
	r = bring_up(args, argv[0]);
	args->failure = NULL;
	/* What runs goes on running: reloading has failed, the unit has not. */
	notify_send("READY=1");
	if (r != 0)
		log_failure(argv[0], MESSAGE_RELOAD_FAILED, "reload", &failure,
			    " (it runs as it did before)");
	if (r != 0)
		notify_failure("reload", &failure);
	notify_barrier(BARRIER_MSEC);
	output_failure_done(&failure);
	return r;
}

/* As it was brought up, whatever its files say meanwhile; NULL: nobody knows of any. */
static struct project *accepted_project(const char *name)
{
	_cleanup_free_ char *state = paths_project_state(name);
	_cleanup_free_ char *path = str_printf("%s/project.json", state);
	_cleanup_json_ json_t *json = NULL;
	struct error ignored = ERROR_INIT;
	struct project *project = NULL;

	if (json_read(AT_FDCWD, path, PROJECT_BYTES_MAX, &json, &ignored) < 0)
		return NULL;
	(void)project_from_json(json, &project, &ignored);
	return project;
}

/*
 * systemd calls it for a main process that has died as well: then it is the next keeper's affair,
 * for that may find all containers as they were.
 */
static int run_stop(struct project_args *args, int argc, char **argv)
{
	struct converge down = {.verb = "down", .options = {.goal = PLAN_DOWN}};
	struct error err = ERROR_INIT;
	const char *main_process = getenv("MAINPID");
	struct project *project;
	int r;

	if (project_args_check_name(argv[0], &err) < 0)
		return output_fail(args, &err);
	if (!main_process || !main_process[0])
		return 0;
	take_name(args, argv[0]);
	(void)extend_timeout();
	project = accepted_project(argv[0]);
	down.name = argv[0];
	down.options.by_label = true;
	down.options.remove_orphans = true;
	down.options.timeout_usec = -1;
	r = converge_run(args, &down);
	if (r == 0 && project && companions_down(project, NULL, &err) < 0)
		r = output_fail(args, &err);
	project_free(project);
	return r;
}

/* The containers of a keeper that was killed are in the next one's way. */
static int make_room(const char *unit, struct error *err)
{
	struct systemd_unit_state state;
	struct systemd_bus *bus = NULL;
	int r;

	if (!systemd_booted())
		return 0;
	if (systemd_bus_open(is_of_user(), &bus, err) < 0)
		return -err->code;
	r = systemd_bus_unit_state(bus, unit, &state, err);
	systemd_bus_close(bus);
	return r == 0 && !state.subgroup[0] ? systemd_cgroup_open_up(err) : r;
}

static int run_settle(struct project_args *args, int argc, char **argv)
{
	const char *result = getenv("SERVICE_RESULT");
	_cleanup_free_ char *unit = systemd_unit_name(argv[0]);
	struct error err = ERROR_INIT;
	int r;

	if (!result)
		return 0;
	if (!strcmp(result, "success"))
		r = systemd_settle_disabled(is_of_user(), argv[0], &err);
	else
		r = make_room(unit, &err);
	return r < 0 ? output_fail(args, &err) : 0;
}

const struct command command_systemd_run = {
	.name = "run",
	.operands = "PROJECT",
	.summary = "ExecStart=: be the keeper of the project, and bring it up",
	.min_operands = 1,
	.max_operands = 1,
	.hidden = true,
	.run = run_run,
};

const struct command command_systemd_reload = {
	.name = "reload",
	.operands = "PROJECT",
	.summary = "ExecReload=: make the project what its files say now",
	.min_operands = 1,
	.max_operands = 1,
	.hidden = true,
	.run = run_reload,
};

const struct command command_systemd_stop = {
	.name = "stop",
	.operands = "PROJECT",
	.summary = "ExecStop=: take the project down, but for its volumes",
	.min_operands = 1,
	.max_operands = 1,
	.hidden = true,
	.run = run_stop,
};

const struct command command_systemd_settle = {
	.name = "settle",
	.operands = "PROJECT",
	.summary = "ExecStopPost=: make room for the next keeper, or clear up after the last",
	.min_operands = 1,
	.max_operands = 1,
	.hidden = true,
	/* Their holder, if it had to be made anew, would stay in the unit's group. */
	.outside = true,
	.run = run_settle,
};
