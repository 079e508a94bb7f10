// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/command.h"
#include "compose/cli/machine.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/usage.h"
#include "compose/cli/view/columns.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/terminal.h"

/* The first picture soon, the others in peace. */
#define FIRST_MSEC 250
#define PAUSE_MSEC 1000
#define CLEAR      "\033[H\033[2J"

static bool all, no_stream, no_trunc;
static const char *format;

static const struct option options[] = {
	{"all", 'a', OPTION_FLAG, &all, NULL, "Also those that do not run"},
	{"format", 0, OPTION_STRING, &format, "string",
	 "table, json, or a template such as '{{.Name}} {{.CPUPerc}}'"},
	{"no-stream", 0, OPTION_FLAG, &no_stream, NULL, "Show it once instead of again and again"},
	{"no-trunc", 0, OPTION_FLAG, &no_trunc, NULL, "Show ids whole"},
	{NULL},
};

static const char *const columns[] = {
	"CONTAINER ID",      "ID",       "NAME",  "Name",    "CPU %",   "CPUPerc",
	"MEM USAGE / LIMIT", "MemUsage", "MEM %", "MemPerc", "NET I/O", "NetIO",
	"BLOCK I/O",         "BlockIO",  "PIDS",  "PIDs",    NULL,
};

/* "12.3MiB" as docker's BytesSize has it: four digits, powers of 1024. */
static char *binary_size(double bytes)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t i = 0;

	for (; bytes >= 1024 && i + 1 < ARRAY_SIZE(unit); i++)
		bytes /= 1024;
	return str_printf("%.4g%s", bytes, unit[i]);
}

/* "1.23kB": three digits, powers of 1000. */
static char *decimal_size(double bytes)
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	size_t i = 0;

	for (; bytes >= 1000 && i + 1 < ARRAY_SIZE(unit); i++)
		bytes /= 1000;
	return str_printf("%.3g%s", bytes, unit[i]);
}

static void put_pair(json_t *row, const char *key, char *left, char *right)
{
	_cleanup_free_ char *text = str_printf("%s / %s", left, right);

	json_put_string(row, key, text);
	free(left);
	free(right);
}

static void put_percent(json_t *row, const char *key, double share)
{
	_cleanup_free_ char *text = str_printf("%.2f%%", share * 100);

	json_put_string(row, key, text);
}

static double number(const json_t *object, const char *key)
{
	return (double)json_get_int(object, key, 0);
}

static const json_t *same_before(const json_t *before, const json_t *container)
{
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(before, "containers"), i, other) {
		if (str_equal(json_get_string(other, "id"), json_get_string(container, "id")))
			return other;
	}
	return NULL;
}

static void put_usage(json_t *row, const json_t *now, const json_t *before, const json_t *container)
{
	const json_t *earlier = same_before(before, container);
	double usec = number(container, "time") - number(earlier, "time");
	double memory = number(container, "memory_bytes");
	double machine = number(now, "machine_memory_bytes");
	double limit = number(container, "memory_limit_bytes");
	double used = earlier ? number(container, "cpu_usec") - number(earlier, "cpu_usec") : 0;
	_cleanup_free_ char *pids = str_printf("%.0f", number(container, "processes"));

	if (limit <= 0 || limit > machine)
		limit = machine;
	put_percent(row, "CPUPerc", usec > 0 && used > 0 ? used / usec : 0);
	put_percent(row, "MemPerc", limit > 0 ? memory / limit : 0);
	put_pair(row, "MemUsage", binary_size(memory), binary_size(limit));
	put_pair(row, "NetIO", decimal_size(number(container, "received_bytes")),
		 decimal_size(number(container, "sent_bytes")));
	put_pair(row, "BlockIO", decimal_size(number(container, "read_bytes")),
		 decimal_size(number(container, "write_bytes")));
	json_put_string(row, "PIDs", pids);
}

static json_t *make_row(const json_t *now, const json_t *before, const json_t *container)
{
	static const char *const unknown[] = {"CPUPerc", "MemPerc", "MemUsage",
					      "NetIO",   "BlockIO", "PIDs"};
	const char *id = json_get_string(container, "id") ?: "";
	_cleanup_free_ char *shown = alloc_string_n(id, no_trunc ? strlen(id) : strnlen(id, 12));
	json_t *row = json_object();

	json_put_string(row, "ID", shown);
	json_put_string(row, "Container", shown);
	json_put_string(row, "Name", json_get_string(container, "name"));
	if (json_get_bool(container, "running", false)) {
		put_usage(row, now, before, container);
		return row;
	}
	array_foreach(key, unknown)
		json_put_string(row, *key, "--");
	return row;
}

/*
 * @text over what was drawn before, in one piece, so that nothing flickers; no line is wider than
 * the terminal, nor are there more of them than it has rows: it would scroll.
 */
static void redraw(const char *text)
{
	_cleanup_strbuf_ struct strbuf frame = {0};
	unsigned short width, height;

	output_terminal_size(STDOUT_FILENO, &width, &height);
	strbuf_add(&frame, "\033[H");
	for (unsigned short row = 1; *text && row < height; row++) {
		const char *end = strchrnul(text, '\n');
		_cleanup_free_ char *line = alloc_string_n(text, (size_t)(end - text));

		columns_add_cut(&frame, line, width > 1 ? width - 1U : 1);
		strbuf_add(&frame, "\033[K\n");
		text = *end ? end + 1 : end;
	}
	strbuf_add(&frame, "\033[J");
	(void)fd_write_all(STDOUT_FILENO, frame.data, frame.length);
}

static bool on_screen(void)
{
	return !no_stream && isatty(STDOUT_FILENO) && (!format || !strcmp(format, "table"));
}

static void print_table(const json_t *rows)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	output_table(rows, columns, OUTPUT_LINES, out);
	fclose(out);
	redraw(text);
}

/* One picture over the one before, where this is a terminal and a table. */
static int print_once(const json_t *now, const json_t *before, struct error *err)
{
	_cleanup_json_ json_t *rows = json_array();
	json_t *container;
	size_t i;
	int r;

	json_array_foreach(json_object_get(now, "containers"), i, container) {
		json_array_append_new(rows, make_row(now, before, container));
	}
	if (on_screen()) {
		print_table(rows);
		return 0;
	}
	r = output_rows(rows, format, columns, OUTPUT_LINES, err);
	fflush(stdout);
	return r;
}

/* What is shown: containers of a project, or of the machine. */
struct source {
	const struct target *target; /* NULL: of the machine */
	char *const *names;
};

/* Whether it is one of @names (none: all are). */
static bool wanted(const json_t *containers, char *const *names, const char *id)
{
	struct error none = ERROR_INIT;
	json_t *container;

	strv_foreach(name, (char **)names) {
		if (machine_pick(containers, name, &container, &none) >= 0 &&
		    str_equal(json_get_string(container, "id"), id))
			return true;
	}
	return !names[0];
}

/* Of all projects that have one running; a project that goes meanwhile is no failure. */
static int fetch_machine(char *const *names, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *containers = NULL, *list = json_array();
	json_t *container, *whole = json_object();
	size_t i;

	json_object_set(whole, "containers", list);
	*ret = whole;
	if (machine_containers(all || names[0], &containers, err) < 0)
		return -err->code;
	strv_foreach(name, (char **)names) {
		if (machine_pick(containers, name, &container, err) < 0)
			return -err->code;
	}
	json_array_foreach(containers, i, container) {
		_cleanup_json_ json_t *usage = NULL;
		struct error gone = ERROR_INIT;
		const char *id = json_get_string(container, "id") ?: "";

		if (!wanted(containers, names, id) ||
		    usage_of_container(container, &usage, &gone) < 0)
			continue;
		json_array_extend(list, json_object_get(usage, "containers"));
		json_object_set(whole, "machine_memory_bytes",
				json_object_get(usage, "machine_memory_bytes"));
	}
	return 0;
}

static int fetch(const struct source *source, json_t **ret, struct error *err)
{
	return source->target ? usage_fetch(source->target, source->names, all, ret, err)
			      : fetch_machine(source->names, ret, err);
}

/* A window of another size is filled at once. */
static void wait_some(int window, int msec)
{
	struct pollfd changed = {window, POLLIN};
	struct signalfd_siginfo info;

	if (poll(&changed, 1, msec) > 0)
		(void)!read(window, &info, sizeof(info));
}

static int show(const struct source *source, struct error *err)
{
	_cleanup_json_ json_t *before = NULL;
	int r = fetch(source, &before, err);
	_cleanup_close_ int window = on_screen() ? terminal_watch_size() : -EBADF;
	int pause = FIRST_MSEC;

	if (on_screen())
		(void)fd_write_all(STDOUT_FILENO, CLEAR, strlen(CLEAR));
	while (r >= 0) {
		json_t *now = NULL;

		wait_some(window, pause);
		r = fetch(source, &now, err);
		if (r >= 0)
			r = print_once(now, before, err);
		json_decref(before);
		before = now;
		pause = PAUSE_MSEC;
		if (no_stream)
			break;
	}
	return r;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	struct error err = ERROR_INIT;

	if (target_open(args, argv, &target, &err) < 0)
		return output_fail(args, &err);
	converge_exit_on_signals();
	format = docker_config_format(format, "statsFormat");
	return show(&(struct source){&target, argv}, &err) < 0 ? output_fail(args, &err) : 0;
}

static int run_container(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;

	converge_exit_on_signals();
	format = docker_config_format(format, "statsFormat");
	return show(&(struct source){NULL, argv}, &err) < 0 ? output_fail(args, &err) : 0;
}

const struct command command_stats = {
	.name = "stats",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show what containers use, as it changes",
	.options = options,
	.max_operands = -1,
	.run = run,
};

const struct command command_container_stats = {
	.name = "stats",
	.operands = "[OPTIONS] [CONTAINER...]",
	.summary = "Show what containers use, as it changes",
	.options = options,
	.max_operands = -1,
	.run = run_container,
};
