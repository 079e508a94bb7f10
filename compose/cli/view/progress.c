// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/view/progress.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/progress_screen.h"
#include "compose/cli/view/terminal.h"

#define FRAME_MSEC      100
#define UNFINISHED_MOST 5

enum mode { MODE_PLAIN, MODE_TTY, MODE_JSON, MODE_QUIET, MODE_JOURNAL };

struct progress {
	enum mode mode;
	FILE *out;
	struct progress_screen screen;
	bool dry_run, frozen;
	struct progress_task *tasks;
	size_t count;
	int64_t last_draw_usec;
	unsigned int resumes; /* of the process, when it was drawn last */
};

static const char *const status_names[] = {"Working", "Done", "Warning", "Error"};

static enum mode choose_mode(const struct project_args *args, int fd)
{
	const char *wanted = args->progress ? args->progress : "auto";

	if (!strcmp(wanted, "json"))
		return MODE_JSON;
	if (!strcmp(wanted, "quiet") || !strcmp(wanted, "none"))
		return MODE_QUIET;
	if (!strcmp(wanted, PROGRESS_JOURNAL))
		return MODE_JOURNAL;
	if (!strcmp(wanted, "tty"))
		return MODE_TTY;
	if (!strcmp(wanted, "auto") && isatty(fd) && output_ansi(args, fd))
		return MODE_TTY;
	return MODE_PLAIN;
}

/* Whose cursor frames hide, or negative. */
static int drawn_on = -1;

/*
 * With Ctrl-C a terminal throws away what it has not shown yet: the end of a frame, which shows the
 * cursor again, as well. Nobody waits here for one that shows nothing any more.
 */
void progress_show_cursor(void)
{
	struct pollfd terminal = {.fd = drawn_on, .events = POLLOUT};

	if (drawn_on >= 0 && poll(&terminal, 1, 0) == 1 && terminal.revents & POLLOUT)
		(void)!write(drawn_on, PROGRESS_CURSOR, strlen(PROGRESS_CURSOR));
}

static void on_signal(int signal)
{
	progress_show_cursor();
	raise(signal);
}

/* For those that end by it, without any handler of their own. */
static void watch_signal(int signal)
{
	struct sigaction now, ours = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	if (sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		sigaction(signal, &ours, NULL);
}

static void begin_drawing(const struct progress *progress)
{
	drawn_on = fileno(progress->out);
	watch_signal(SIGINT);
	watch_signal(SIGTERM);
	watch_signal(SIGQUIT);
}

struct progress *progress_new(const struct project_args *args, const char *verb)
{
	struct progress *progress = new_array(struct progress, 1);

	progress->out = project_args_switch("COMPOSE_STATUS_STDOUT") ? stdout : stderr;
	progress->mode = choose_mode(args, fileno(progress->out));
	progress->screen.color = output_color(args, fileno(progress->out));
	progress->screen.verb = verb;
	progress->dry_run = args->dry_run;
	if (progress->mode == MODE_TTY)
		progress->resumes = terminal_resumes();
	return progress;
}

bool progress_on_screen(const struct progress *progress)
{
	return progress->mode == MODE_TTY;
}

static struct progress_task *find_task(struct progress *progress, const char *parent,
				       const char *id)
{
	struct progress_task *task;
	size_t place = 0;

	for (size_t i = 0; i < progress->count; i++) {
		task = &progress->tasks[i];
		if (!strcmp(task->id, id) && str_equal(task->parent, parent))
			return task;
		if (parent && str_equal(task->parent ? task->parent : task->id, parent))
			place = i + 1;
	}
	task = array_add(progress->tasks, progress->count);
	/* A part stands below what it is a part of. */
	if (parent && place && place < progress->count - 1) {
		memmove(&progress->tasks[place + 1], &progress->tasks[place],
			(progress->count - 1 - place) * sizeof(*task));
		task = &progress->tasks[place];
		memset(task, 0, sizeof(*task));
	}
	task->id = alloc_string(id);
	task->parent = alloc_string(parent);
	task->started_usec = units_monotonic_usec();
	return task;
}

static void print_json(const struct progress *progress, const struct progress_task *task)
{
	_cleanup_json_ json_t *line = json_object();
	_cleanup_free_ char *text = NULL;

	if (progress->dry_run)
		json_put_bool(line, "dry-run", true);
	json_put_string(line, "parent_id", task->parent);
	json_put_string(line, "id", task->id);
	json_put_string(line, "status", status_names[task->status]);
	json_put_string(line, "text", task->text);
	if (task->details[0])
		json_put_string(line, "details", task->details);
	if (task->total) {
		json_put_int(line, "current", (int64_t)task->current);
		json_put_int(line, "total", (int64_t)task->total);
		json_put_int(line, "percent", (int64_t)(task->current * 100 / task->total));
	}
	text = json_text(line);
	fprintf(progress->out, "%s\n", text);
	fflush(progress->out);
}

static void print_plain(const struct progress *progress, const struct progress_task *task)
{
	fprintf(progress->out, " %s %s%s%s\n", task->id, task->text, task->details[0] ? " " : "",
		task->details);
	fflush(progress->out);
}

static void draw(struct progress *progress)
{
	_cleanup_strbuf_ struct strbuf frame = {0};
	unsigned short columns, rows;
	int64_t now = units_monotonic_usec();

	if (drawn_on < 0)
		begin_drawing(progress);
	/* Stopped by Ctrl-Z and resumed: the shell and others wrote below what was drawn. */
	if (progress->resumes != terminal_resumes())
		progress_screen_leave(&progress->screen);
	progress->resumes = terminal_resumes();
	output_terminal_size(fileno(progress->out), &columns, &rows);
	progress_screen_draw(&progress->screen, progress->tasks, progress->count, columns, rows,
			     now, &frame);
	/* In one piece, or the eye sees the lines go and come: stderr has no buffer. */
	fwrite(frame.data, 1, frame.length, progress->out);
	fflush(progress->out);
	progress->last_draw_usec = now;
}

/* Errors are told by who asked for it all, with the reason; parts by what they are parts of. */
static void tell_journal(const struct progress_task *task)
{
	const char *space = task->details[0] ? " " : "";

	if (task->parent || task->status == PROGRESS_ERROR)
		return;
	if (task->status == PROGRESS_WARNING)
		log_warning("%s: %s%s%s", task->id, task->text, space, task->details);
	else if (str_starts_with(task->id, "Image ") && strcmp(task->text, "Skipped") != 0)
		log_info("%s %s%s%s", task->id, task->text, space, task->details);
}

/* @news: worth a line where lines stay. */
static void update(struct progress *progress, struct progress_task *task,
		   enum progress_status status, const char *text, const char *details, bool news)
{
	bool changed = !str_equal(task->text, text) || task->status != status;

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
		if (news)
			print_plain(progress, task);
		break;
	case MODE_TTY:
		if (progress->frozen)
			print_plain(progress, task);
		else
			progress_tick(progress);
		break;
	case MODE_JOURNAL:
		if (changed)
			tell_journal(task);
		break;
	case MODE_QUIET:
		break;
	}
}

void progress_set(struct progress *progress, const char *id, enum progress_status status,
		  const char *text, const char *details)
{
	update(progress, find_task(progress, NULL, id), status, text, details, true);
}

#define BAR_WIDTH 20

static void draw_bar(uint64_t current, uint64_t total, char *out, size_t size)
{
	char done[16], all[16], bar[BAR_WIDTH + 1];
	size_t full = current >= total ? BAR_WIDTH : (size_t)(current * BAR_WIDTH / total);

	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '=', full);
	if (full < BAR_WIDTH)
		bar[full] = '>';
	bar[BAR_WIDTH] = '\0';
	units_format_size(current, done, sizeof(done));
	units_format_size(total, all, sizeof(all));
	snprintf(out, size, "[%s] %s/%s", bar, done, all);
}

void progress_set_part(struct progress *progress, const char *parent, const char *id,
		       enum progress_status status, const char *text, uint64_t current,
		       uint64_t total)
{
	struct progress_task *task = find_task(progress, parent, id);
	bool news = !str_equal(task->text, text);
	char bar[80] = "";

	task->current = current;
	task->total = total;
	if (total && progress->mode == MODE_TTY)
		draw_bar(current, total, bar, sizeof(bar));
	update(progress, task, status, text, bar, news);
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

char *progress_unfinished(const struct progress *progress)
{
	_cleanup_strbuf_ struct strbuf names = {0};
	size_t count = 0;

	for (size_t i = 0; i < progress->count; i++) {
		const struct progress_task *task = &progress->tasks[i];

		if (task->parent || task->status != PROGRESS_WORKING)
			continue;
		if (count++ < UNFINISHED_MOST)
			strbuf_addf(&names, "%s%s", names.length ? ", " : "", task->id);
	}
	if (count > UNFINISHED_MOST)
		strbuf_addf(&names, " and %zu more", count - UNFINISHED_MOST);
	return count ? strbuf_take(&names) : NULL;
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
	/* In the background the screen is another's; only the last frame is drawn there. */
	if (!terminal_is_ours(fileno(progress->out))) {
		progress_screen_leave(&progress->screen);
		progress->last_draw_usec += since;
		return;
	}
	progress->screen.frame++;
	draw(progress);
}

void progress_by_lines(struct progress *progress)
{
	if (progress->mode == MODE_TTY)
		progress->mode = MODE_PLAIN;
}

void progress_freeze(struct progress *progress)
{
	progress->screen.still = true;
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
		free(progress->tasks[i].parent);
		free(progress->tasks[i].text);
		free(progress->tasks[i].details);
	}
	free(progress->tasks);
	progress_screen_done(&progress->screen);
	free(progress);
}
