/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compose/cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/output.h"
#include "compose/cli/project_args.h"

#define FRAME_MSEC 100

enum mode { MODE_PLAIN, MODE_TTY, MODE_JSON, MODE_QUIET };

struct task {
	char *id, *text, *details;
	enum progress_status status;
	int64_t started_usec, ended_usec;
};

struct progress {
	enum mode mode;
	FILE *out;
	const char *verb;
	bool color, dry_run, frozen;
	struct task *tasks;
	size_t count;
	unsigned int drawn, frame; /* lines on the screen now */
	int64_t last_draw_usec;
};

static const char *const status_names[] = {"Working", "Done", "Warning", "Error"};

static enum mode choose_mode(const struct project_args *args, int fd)
{
	const char *wanted = args->progress ? args->progress : "auto";

	if (!strcmp(wanted, "json"))
		return MODE_JSON;
	if (!strcmp(wanted, "quiet") || !strcmp(wanted, "none"))
		return MODE_QUIET;
	if (!strcmp(wanted, "tty"))
		return MODE_TTY;
	if (!strcmp(wanted, "auto") && isatty(fd) && output_ansi(args, fd))
		return MODE_TTY;
	return MODE_PLAIN;
}

struct progress *progress_new(const struct project_args *args, const char *verb)
{
	struct progress *progress = new_array(struct progress, 1);

	progress->out = project_args_switch("COMPOSE_STATUS_STDOUT") ? stdout : stderr;
	progress->mode = choose_mode(args, fileno(progress->out));
	progress->color = output_color(args, fileno(progress->out));
	progress->verb = verb;
	progress->dry_run = args->dry_run;
	return progress;
}

static struct task *find_task(struct progress *progress, const char *id)
{
	struct task *task;

	for (size_t i = 0; i < progress->count; i++)
		if (!strcmp(progress->tasks[i].id, id))
			return &progress->tasks[i];
	task = array_add(progress->tasks, progress->count);
	task->id = alloc_string(id);
	task->started_usec = units_monotonic_usec();
	return task;
}

static void print_json(const struct progress *progress, const struct task *task)
{
	_cleanup_json_ json_t *line = json_object();
	_cleanup_free_ char *text = NULL;

	if (progress->dry_run)
		json_put_bool(line, "dry-run", true);
	json_put_string(line, "id", task->id);
	json_put_string(line, "status", status_names[task->status]);
	json_put_string(line, "text", task->text);
	if (task->details[0])
		json_put_string(line, "details", task->details);
	text = json_text(line);
	fprintf(progress->out, "%s\n", text);
	fflush(progress->out);
}

static void print_plain(const struct progress *progress, const struct task *task)
{
	fprintf(progress->out, " %s %s%s%s\n", task->id, task->text, task->details[0] ? " " : "",
		task->details);
	fflush(progress->out);
}

/* Cuts @line to @columns; escapes do not count, and are closed again. */
static void print_cut(FILE *out, const char *line, size_t columns)
{
	size_t width = 0;
	const char *p = line;

	while (*p) {
		size_t n = 1;
		char one[5] = {0};

		if (*p == '\033') {
			const char *end = strchr(p, 'm');

			if (!end)
				break;
			fwrite(p, 1, (size_t)(end - p) + 1, out);
			p = end + 1;
			continue;
		}
		while (n < 4 && ((unsigned char)p[n] & 0xc0) == 0x80)
			n++;
		memcpy(one, p, n);
		if (width + output_width(one) > columns)
			break;
		width += output_width(one);
		fwrite(p, 1, n, out);
		p += n;
	}
	if (*p && strchr(line, '\033'))
		fputs("\033[0m", out);
}

static const char *paint(const struct progress *progress, enum progress_status status)
{
	static const char *const colors[] = {"\033[34m", "\033[32m", "\033[33m", "\033[31m"};

	return progress->color ? colors[status] : "";
}

static const char *mark(const struct progress *progress, const struct task *task)
{
	static const char *const spinner[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};

	switch (task->status) {
	case PROGRESS_DONE:
		return "✔";
	case PROGRESS_WARNING:
		return "!";
	case PROGRESS_ERROR:
		return "✘";
	case PROGRESS_WORKING:
		break;
	}
	return spinner[progress->frame % ARRAY_SIZE(spinner)];
}

static void draw_task(const struct progress *progress, const struct task *task, size_t id_width,
		      unsigned short columns)
{
	int64_t end = task->ended_usec ? task->ended_usec : units_monotonic_usec();
	const char *reset = progress->color ? "\033[0m" : "";
	_cleanup_free_ char *left = NULL, *elapsed = NULL;
	size_t plain, gap;

	elapsed = str_printf("%.1fs", (double)(end - task->started_usec) / 1e6);
	plain = 3 + id_width + 1 + output_width(task->text) +
		(task->details[0] ? 1 + output_width(task->details) : 0);
	gap = plain + strlen(elapsed) + 2 < columns ? columns - plain - strlen(elapsed) - 1 : 1;
	left = str_printf(" %s%s%s %s%*s %s%s%s%s%s%*s%s", paint(progress, task->status),
			  mark(progress, task), reset, task->id,
			  (int)(id_width - output_width(task->id)), "",
			  paint(progress, task->status), task->text, reset,
			  task->details[0] ? " " : "", task->details, (int)gap, "", elapsed);
	print_cut(progress->out, left, (size_t)columns - 1);
	fputs("\033[K\n", progress->out);
}

/* When there are more tasks than lines, those that are at work or failed matter most. */
static bool hidden(const struct progress *progress, const struct task *task, size_t *to_hide)
{
	if (*to_hide == 0 || task->status != PROGRESS_DONE)
		return false;
	--*to_hide;
	return true;
}

static void draw(struct progress *progress)
{
	size_t done = 0, id_width = 0, room, to_hide, shown = 0;
	unsigned short columns, rows;

	output_terminal_size(fileno(progress->out), &columns, &rows);
	for (size_t i = 0; i < progress->count; i++) {
		size_t n = output_width(progress->tasks[i].id);

		done += progress->tasks[i].status != PROGRESS_WORKING;
		id_width = n > id_width ? n : id_width;
	}
	room = rows > 3 ? (size_t)rows - 2 : 1;
	to_hide = progress->count > room ? progress->count - room : 0;
	if (progress->drawn)
		fprintf(progress->out, "\033[%uA\r", progress->drawn);
	fprintf(progress->out, "\033[?25l%s[+] %s %zu/%zu%s\033[K\n",
		progress->color && done == progress->count ? "\033[34m" : "", progress->verb, done,
		progress->count, progress->color ? "\033[0m" : "");
	for (size_t i = 0; i < progress->count && shown < room; i++) {
		if (hidden(progress, &progress->tasks[i], &to_hide))
			continue;
		draw_task(progress, &progress->tasks[i], id_width, columns);
		shown++;
	}
	fputs("\033[J\033[?25h", progress->out);
	fflush(progress->out);
	progress->drawn = (unsigned int)shown + 1;
	progress->last_draw_usec = units_monotonic_usec();
}

void progress_set(struct progress *progress, const char *id, enum progress_status status,
		  const char *text, const char *details)
{
	struct task *task = find_task(progress, id);

	free(task->text);
	free(task->details);
	task->text = alloc_string(text ? text : "");
	task->details = alloc_string(details ? details : "");
	if (status == PROGRESS_WORKING)
		task->ended_usec = 0;
	else if (!task->ended_usec)
		task->ended_usec = units_monotonic_usec();
	task->status = status;
	if (progress->frozen && status < PROGRESS_WARNING)
		return;
	switch (progress->mode) {
	case MODE_JSON:
		print_json(progress, task);
		break;
	case MODE_PLAIN:
		print_plain(progress, task);
		break;
	case MODE_TTY:
		if (progress->frozen)
			print_plain(progress, task);
		else
			progress_tick(progress);
		break;
	case MODE_QUIET:
		break;
	}
}

void progress_event(struct progress *progress, const json_t *event)
{
	const char *id = json_get_string(event, "id"), *name = json_get_string(event, "status");

	if (!id || !name)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(status_names); i++)
		if (!strcmp(status_names[i], name))
			progress_set(progress, id, (enum progress_status)i,
				     json_get_string(event, "text"),
				     json_get_string(event, "details"));
}

int progress_timeout(const struct progress *progress)
{
	int64_t since = units_monotonic_usec() - progress->last_draw_usec;

	if (progress->mode != MODE_TTY || progress->frozen || !progress->count)
		return -1;
	return since >= FRAME_MSEC * 1000 ? 0 : FRAME_MSEC - (int)(since / 1000);
}

void progress_tick(struct progress *progress)
{
	int64_t since = units_monotonic_usec() - progress->last_draw_usec;

	/* A hundred containers a moment must not mean a hundred screens. */
	if (progress->mode != MODE_TTY || progress->frozen || !progress->count ||
	    since < FRAME_MSEC * 1000)
		return;
	progress->frame++;
	draw(progress);
}

void progress_freeze(struct progress *progress)
{
	if (progress->mode == MODE_TTY && !progress->frozen && progress->count)
		draw(progress);
	progress->frozen = true;
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	progress_freeze(progress);
	for (size_t i = 0; i < progress->count; i++) {
		free(progress->tasks[i].id);
		free(progress->tasks[i].text);
		free(progress->tasks[i].details);
	}
	free(progress->tasks);
	free(progress);
}
