// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/view/progress_screen.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/cli/view/columns.h"

#define MARK_WIDTH  3 /* " ✔ " */
#define ID_MIN      10
#define ELAPSED_MAX 16
#define PART_INDENT 2
#define WIDE        60

/* Where the columns of all lines are. */
struct layout {
	size_t room; /* the last column stays free: some terminals wrap when it is written */
	size_t id;
	bool elapsed;
};

static void add_blanks(struct strbuf *out, size_t count)
{
	while (count--)
		strbuf_addc(out, ' ');
}

static const char *format_elapsed(const struct progress_task *task, int64_t now_usec,
				  char buffer[ELAPSED_MAX])
{
	int64_t end = task->ended_usec ? task->ended_usec : now_usec;

	snprintf(buffer, ELAPSED_MAX, "%.1fs", (double)(end - task->started_usec) / 1e6);
	return buffer;
}

static size_t indent_of(const struct progress_task *task)
{
	return task->parent ? PART_INDENT : 0;
}

static struct layout make_layout(const struct progress_task *tasks, size_t count,
				 unsigned short columns, int64_t now_usec)
{
	struct layout layout = {.room = columns > 1 ? columns - 1U : 1, .elapsed = true};
	size_t id = 0, text = 0, elapsed = 0, details = 0, others;
	char buffer[ELAPSED_MAX];

	for (size_t i = 0; i < count; i++) {
		size_t n = columns_width(tasks[i].id) + indent_of(&tasks[i]);

		id = n > id ? n : id;
		n = columns_width(tasks[i].text);
		text = n > text ? n : text;
		n = strlen(format_elapsed(&tasks[i], now_usec, buffer));
		elapsed = n > elapsed ? n : elapsed;
		n = columns_width(tasks[i].details);
		details = n > details ? n : details;
	}
	others = MARK_WIDTH + 1 + text + 1 + elapsed;
	if (others + ID_MIN > layout.room) {
		layout.elapsed = false;
		others -= 1 + elapsed;
	}
	layout.id = others + ID_MIN > layout.room ? ID_MIN : layout.room - others;
	/* Half of a wide line is a name's; the rest it leaves to what is told beside it. */
	if (details && columns >= WIDE && layout.id > layout.room / 2) {
		layout.id -= details + 1 < layout.id ? details + 1 : layout.id;
		if (layout.id < layout.room / 2)
			layout.id = layout.room / 2;
	}
	layout.id = id < layout.id ? id : layout.id;
	return layout;
}

static const char *paint(const struct progress_screen *screen, enum progress_status status)
{
	static const char *const colors[] = {"\033[34m", "\033[32m", "\033[33m", "\033[31m"};

	return screen->color ? colors[status] : "";
}

static const char *mark(const struct progress_screen *screen, const struct progress_task *task)
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
	if (screen->still)
		return "·";
	return spinner[screen->frame % ARRAY_SIZE(spinner)];
}

/* The last thing of a line: how wide it was is remembered. */
static void end_line(struct progress_screen *screen, size_t width, struct strbuf *out)
{
	strbuf_add(out, "\033[K\n");
	*array_add(screen->widths, screen->line_count) = width;
}

static void draw_header(struct progress_screen *screen, size_t done, size_t count, size_t room,
			struct strbuf *out)
{
	_cleanup_free_ char *text = str_printf("[+] %s %zu/%zu", screen->verb, done, count);
	bool painted = screen->color && done == count;
	size_t width;

	strbuf_add(out, painted ? "\033[34m" : "");
	width = columns_add_cut(out, text, room);
	strbuf_add(out, painted ? "\033[0m" : "");
	end_line(screen, width, out);
}

static size_t left_of(size_t room, size_t used)
{
	return used < room ? room - used : 0;
}

static void draw_task(struct progress_screen *screen, const struct layout *layout,
		      const struct progress_task *task, int64_t now_usec, struct strbuf *out)
{
	const char *reset = screen->color ? "\033[0m" : "";
	char elapsed[ELAPSED_MAX];
	size_t width = MARK_WIDTH, room = layout->room, id;

	if (layout->elapsed)
		room -= strlen(format_elapsed(task, now_usec, elapsed)) + 1;
	strbuf_addf(out, " %s%s%s ", paint(screen, task->status), mark(screen, task), reset);
	id = left_of(room, width) < layout->id ? left_of(room, width) : layout->id;
	width += id;
	if (id > indent_of(task)) {
		add_blanks(out, indent_of(task));
		id -= indent_of(task);
	}
	id -= columns_add_elided(out, task->id, id);
	add_blanks(out, id);
	if (width + 1 < room) {
		strbuf_addf(out, " %s", paint(screen, task->status));
		width += 1 + columns_add_cut(out, task->text, room - width - 1);
		strbuf_add(out, reset);
	}
	if (task->details[0] && width + 1 < room) {
		strbuf_addc(out, ' ');
		width += 1 + columns_add_cut(out, task->details, room - width - 1);
	}
	if (layout->elapsed) {
		add_blanks(out, left_of(room, width) + 1);
		if (!screen->still || task->status != PROGRESS_WORKING)
			strbuf_add(out, elapsed);
		width = layout->room;
	}
	end_line(screen, width, out);
}

/* When there are more tasks than lines, those that are at work or failed matter most. */
static bool hidden(const struct progress_task *task, size_t *to_hide)
{
	if (*to_hide == 0 || task->status != PROGRESS_DONE)
		return false;
	--*to_hide;
	return true;
}

/* Lines that are now wider than the screen have been wrapped by it. */
static void go_back_up(struct progress_screen *screen, unsigned short columns, struct strbuf *out)
{
	size_t lines = 0;

	for (size_t i = 0; i < screen->line_count; i++)
		lines += screen->widths[i] ? (screen->widths[i] + columns - 1) / columns : 1;
	if (lines)
		strbuf_addf(out, "\033[%zuA\r", lines);
	screen->line_count = 0;
}

void progress_screen_draw(struct progress_screen *screen, const struct progress_task *tasks,
			  size_t count, unsigned short columns, unsigned short rows,
			  int64_t now_usec, struct strbuf *out)
{
	struct layout layout = make_layout(tasks, count, columns, now_usec);
	size_t room = columns <= MARK_WIDTH ? 0 : rows > 3 ? (size_t)rows - 2 : 1;
	size_t to_hide = count > room ? count - room : 0, done = 0, shown = 0;

	for (size_t i = 0; i < count; i++)
		done += tasks[i].status != PROGRESS_WORKING;
	strbuf_add(out, "\033[?25l");
	go_back_up(screen, columns, out);
	draw_header(screen, done, count, layout.room, out);
	for (size_t i = 0; i < count && shown < room; i++) {
		if (hidden(&tasks[i], &to_hide))
			continue;
		draw_task(screen, &layout, &tasks[i], now_usec, out);
		shown++;
	}
	strbuf_add(out, "\033[J" PROGRESS_CURSOR);
}

void progress_screen_leave(struct progress_screen *screen)
{
	screen->line_count = 0;
}

void progress_screen_done(struct progress_screen *screen)
{
	free(screen->widths);
	screen->widths = NULL;
	screen->line_count = 0;
}
