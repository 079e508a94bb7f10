// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/view/output.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/view/columns.h"
#include "compose/control/place.h"

#define NO_FILE "no configuration file provided"

static bool json_mode(void)
{
	return project_args.progress && !strcmp(project_args.progress, "json");
}

static void print_json_message(const char *key, const char *message)
{
	_cleanup_json_ json_t *object =
		json_pack("{s:b, s:s%}", key, 1, "message", message, strlen(message));
	_cleanup_free_ char *text = object ? json_text(object) : NULL;

	if (text)
		fprintf(stderr, "%s\n", text);
}

void output_warn(const char *format, ...)
{
	char message[1024], when[40];
	_cleanup_json_ json_t *quoted = NULL;
	_cleanup_free_ char *text = NULL;
	time_t now = time(NULL);
	struct tm tm;
	va_list list;

	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	if (json_mode()) {
		print_json_message("warning", message);
		return;
	}
	if (log_in_journal()) {
		log_warning("%s", message);
		return;
	}
	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "WARN[0000] %s\n", message);
		return;
	}
	quoted = json_string(message);
	text = quoted ? json_dumps(quoted, JSON_ENCODE_ANY) : NULL;
	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &tm);
	/* strftime says +0100 where RFC 3339 wants +01:00, or Z. */
	if (str_ends_with(when, "+0000"))
		strcpy(when + strlen(when) - 5, "Z");
	else
		memmove(when + strlen(when) - 1, when + strlen(when) - 2, 3),
			when[strlen(when) - 3] = ':';
	fprintf(stderr, "time=\"%s\" level=warning msg=%s\n", when, text ? text : "\"\"");
}

int output_fail_text(const struct project_args *args, const char *text)
{
	const char *end = str_ends_with(text, "\n") ? "" : "\n";

	if (!args->failure && log_in_journal()) {
		log_error("%.*s", (int)(strlen(text) - (end[0] ? 0 : 1)), text);
		return 1;
	}
	if (!args->failure) {
		fprintf(stderr, "%s%s", text, end);
		return 1;
	}
	free(args->failure->text);
	args->failure->text = alloc_string_n(text, strlen(text) - (end[0] ? 0 : 1));
	return 1;
}

void output_blame(const struct project_args *args, const char *service)
{
	if (args->failure && service && !args->failure->service)
		args->failure->service = alloc_string(service);
}

void output_failure_done(struct output_failure *failure)
{
	free(TAKE_PTR(failure->text));
	free(TAKE_PTR(failure->service));
}

int output_fail(const struct project_args *args, const struct error *err)
{
	_cleanup_strv_ char **unplaced = place_keys(err->where);
	char text[ERROR_TEXT_MAX];

	fflush(stdout);
	if (unplaced)
		snprintf(text, sizeof(text), "%s", err->message);
	else
		error_text(err, text, sizeof(text));
	if (json_mode() && !args->failure)
		print_json_message("error", text);
	else
		(void)output_fail_text(args, args->report && args->report[0] ? args->report : text);
	if (isatty(STDERR_FILENO) && !json_mode() && str_starts_with(text, NO_FILE))
		fputs("Go to a folder with a compose.yaml (or one below it), name a file with -f, "
		      "or a "
		      "project with -p; \"berth ls -a\" shows those there are.\n",
		      stderr);
	return 1;
}

bool output_ask(const char *question)
{
	char answer[16] = "";

	printf("%s [y/N] ", question);
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin))
		putchar('\n');
	str_trim(answer);
	return !strcasecmp(answer, "y") || !strcasecmp(answer, "yes");
}

bool output_ansi(const struct project_args *args, int fd)
{
	const char *term = getenv("TERM");

	if (args->ansi && !strcmp(args->ansi, "always"))
		return true;
	if (args->ansi && !strcmp(args->ansi, "never"))
		return false;
	return isatty(fd) && !(term && !strcmp(term, "dumb"));
}

bool output_color(const struct project_args *args, int fd)
{
	const char *no_color = getenv("NO_COLOR");

	return !(no_color && no_color[0]) && output_ansi(args, fd);
}

void output_terminal_size(int fd, unsigned short *ret_columns, unsigned short *ret_rows)
{
	struct winsize size = {0};

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		size.ws_col = 0;
	*ret_columns = size.ws_col ? size.ws_col : 80;
	*ret_rows = size.ws_row ? size.ws_row : 24;
}

void table_add(struct table *table, const char *cell)
{
	char *copy = alloc_string(cell ? cell : "");

	/* A cell never breaks its line. */
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	*array_add(table->cells, table->count) = copy;
}

static size_t column_width(const struct table *table, size_t column, size_t min_width)
{
	size_t width = 0;

	for (size_t i = column; i < table->count; i += table->columns) {
		size_t n = columns_width(table->cells[i]) + 3;

		width = n > width ? n : width;
	}
	return width < min_width ? min_width : width;
}

void table_print(const struct table *table, size_t min_width, FILE *out)
{
	_cleanup_free_ size_t *widths = new_array(size_t, table->columns + 1);

	for (size_t column = 0; column < table->columns; column++)
		widths[column] = column_width(table, column, min_width);
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->columns;

		fputs(table->cells[i], out);
		if (column == table->columns - 1)
			fputc('\n', out);
		else
			fprintf(out, "%*s", (int)(widths[column] - columns_width(table->cells[i])),
				"");
	}
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){.columns = table->columns};
}
