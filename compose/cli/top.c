// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/machine.h"
#include "compose/cli/top_ps.h"
#include "compose/cli/usage.h"
#include "compose/cli/view/output.h"

#define PROC_MAX (1 << 20)

static const char *const headings[] = {"SERVICE", "#",     "UID", "PID",  "PPID",
				       "C",       "STIME", "TTY", "TIME", "CMD"};
#define OF_ONE_CONTAINER 2 /* the first heading that docker has */

/* What `ps -ef` says of one. */
struct process {
	int parent, terminal;
	uid_t uid;
	unsigned long long user_ticks, system_ticks, start_ticks;
	char *command;
};

static char *read_proc(int pid, const char *file, size_t *ret_size)
{
	struct error ignored = ERROR_INIT;
	char path[64], *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return fs_read(AT_FDCWD, path, PROC_MAX, &text, ret_size, &ignored) < 0 ? NULL : text;
}

static char *command_of(int pid, const char *stat)
{
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');
	size_t size = 0;
	char *words = read_proc(pid, "cmdline", &size);

	if (words && size) {
		for (size_t i = 0; i + 1 < size; i++)
			if (!words[i])
				words[i] = ' ';
		return words;
	}
	free(words);
	return open && close > open ? str_printf("[%.*s]", (int)(close - open - 1), open + 1)
				    : alloc_string("");
}

/* False: it ended meanwhile. */
static bool read_process(int pid, struct process *ret)
{
	_cleanup_free_ char *stat_text = read_proc(pid, "stat", NULL);
	const char *close = stat_text ? strrchr(stat_text, ')') : NULL;
	struct stat st;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (!close || stat(path, &st) < 0 ||
	    sscanf(close + 1,
		   " %*c %d %*d %*d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d "
		   "%llu",
		   &ret->parent, &ret->terminal, &ret->user_ticks, &ret->system_ticks,
		   &ret->start_ticks) != 5)
		return false;
	ret->uid = st.st_uid;
	ret->command = command_of(pid, stat_text);
	return true;
}

static time_t boot_time(void)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return now.tv_sec - up.tv_sec;
}

/* "12:34" today, "Jan02" before. */
static void format_start(const struct process *process, long ticks, char *buffer, size_t size)
{
	time_t start = boot_time() + (time_t)(process->start_ticks / (unsigned long long)ticks);
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&start, &tm);
	strftime(buffer, size, now - start < 24 * 60 * 60 ? "%H:%M" : "%b%d", &tm);
}

static void format_terminal(int device, char *buffer, size_t size)
{
	unsigned int number = major((dev_t)device);

	if (!device)
		snprintf(buffer, size, "?");
	else if (number >= 136 && number <= 143)
		snprintf(buffer, size, "pts/%u", minor((dev_t)device) + (number - 136) * 256);
	else
		snprintf(buffer, size, "tty%u", minor((dev_t)device));
}

static char *user_name(uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);

	return entry ? alloc_string(entry->pw_name) : str_printf("%u", uid);
}

/* Share of a core over its life, in percent: the column C. */
static unsigned int share_of(const struct process *process, long ticks)
{
	unsigned long long used = process->user_ticks + process->system_ticks;
	long long lived = ((long long)time(NULL) - (long long)boot_time()) * ticks -
			  (long long)process->start_ticks;

	return lived > 0 ? (unsigned int)(used * 100 / (unsigned long long)lived) : 0;
}

static void add_row(struct table *table, const json_t *container, int pid,
		    const struct process *process)
{
	long ticks = sysconf(_SC_CLK_TCK);
	unsigned long long seconds =
		(process->user_ticks + process->system_ticks) / (unsigned long long)ticks;
	_cleanup_free_ char *user = user_name(process->uid);
	char text[7][32];

	snprintf(text[0], sizeof(text[0]), "%lld", (long long)json_get_int(container, "number", 0));
	snprintf(text[1], sizeof(text[1]), "%d", pid);
	snprintf(text[2], sizeof(text[2]), "%d", process->parent);
	snprintf(text[3], sizeof(text[3]), "%u", share_of(process, ticks));
	format_start(process, ticks, text[4], sizeof(text[4]));
	format_terminal(process->terminal, text[5], sizeof(text[5]));
	snprintf(text[6], sizeof(text[6]), "%02llu:%02llu:%02llu", seconds / 3600,
		 seconds / 60 % 60, seconds % 60);
	if (table->columns == ARRAY_SIZE(headings)) {
		table_add(table, json_get_string(container, "service"));
		table_add(table, text[0]);
	}
	table_add(table, user);
	for (int i = 1; i < 7; i++)
		table_add(table, text[i]);
	table_add(table, process->command);
}

static void add_container(struct table *table, const json_t *container)
{
	json_t *pid;
	size_t i;

	json_array_foreach(json_object_get(container, "pids"), i, pid) {
		struct process process = {0};

		if (read_process((int)json_integer_value(pid), &process))
			add_row(table, container, (int)json_integer_value(pid), &process);
		free(process.command);
	}
}

/* @first: from which column on. */
static void print_top(const json_t *usage, size_t first)
{
	struct table table = {.columns = ARRAY_SIZE(headings) - first};
	json_t *container;
	size_t i;

	for (i = first; i < ARRAY_SIZE(headings); i++)
		table_add(&table, headings[i]);
	json_array_foreach(json_object_get(usage, "containers"), i, container) {
		add_container(&table, container);
	}
	if (table.count > table.columns)
		table_print(&table, 0, stdout);
	table_done(&table);
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *usage = NULL;
	struct error err = ERROR_INIT;

	if (target_open(args, argv, &target, &err) < 0 ||
	    usage_fetch(&target, argv, false, &usage, &err) < 0)
		return output_fail(args, &err);
	print_top(usage, 0);
	return 0;
}

const struct command command_top = {
	.name = "top",
	.operands = "[SERVICES...]",
	.summary = "Show the processes that run in the containers",
	.max_operands = -1,
	.run = run,
};

static const json_t *pids_of(const json_t *usage)
{
	return json_object_get(json_array_get(json_object_get(usage, "containers"), 0), "pids");
}

static int run_container(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL, *usage = NULL;
	struct error err = ERROR_INIT;

	if (machine_find(argv[0], &container, &err) >= 0 && !container_is_running(container))
		error_set(&err, ESRCH, "container %s is not running", argv[0]);
	if (err.code || usage_of_container(container, &usage, &err) < 0)
		return output_fail(args, &err);
	if (argc == 1)
		print_top(usage, OF_ONE_CONTAINER);
	else if (top_ps(argv + 1, pids_of(usage), &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_container_top = {
	.name = "top",
	.operands = "CONTAINER [PS-OPTIONS]",
	.summary = "Show the processes that run in a container, as ps -ef has them",
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.run = run_container,
};
