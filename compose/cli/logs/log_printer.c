// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/logs/log_printer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/view/columns.h"

#define WRITE_SIZE ((size_t)32 << 10)

static const char *const colors[] = {
	"\033[36m",   "\033[33m",   "\033[32m",   "\033[35m",   "\033[34m",
	"\033[36;1m", "\033[33;1m", "\033[32;1m", "\033[35;1m", "\033[34;1m",
};

void log_printer_add_name(struct log_printer *printer, const char *name)
{
	size_t n = strlen(name);

	printer->width = n > printer->width ? n : printer->width;
}

static void add_prefix(const struct log_printer *printer, struct strbuf *line, const char *name,
		       unsigned int index)
{
	if (!printer->prefix)
		return;
	if (printer->color)
		strbuf_add(line, colors[index % ARRAY_SIZE(colors)]);
	strbuf_addf(line, "%-*s | ", (int)printer->width + 1, name);
	if (printer->color)
		strbuf_add(line, "\033[0m");
}

void log_printer_flush(struct log_printer *printer)
{
	int r = 0;

	if (printer->lines.length)
		r = fd_write_all(printer->fd, printer->lines.data, printer->lines.length);
	if (r < 0)
		printer->write_error = -r;
	printer->lines.length = 0;
}

void log_printer_done(struct log_printer *printer)
{
	log_printer_flush(printer);
	strbuf_done(&printer->lines);
}

static struct strbuf *lines_for(struct log_printer *printer, int fd)
{
	if (printer->fd != fd || printer->lines.length > WRITE_SIZE)
		log_printer_flush(printer);
	printer->fd = fd;
	return &printer->lines;
}

/* Several share it: none may clear it, or write over what others said. */
static bool is_terminal(struct log_printer *printer, int fd)
{
	signed char *known = &printer->terminals[fd == STDERR_FILENO];

	if (!*known)
		*known = isatty(fd) ? 1 : -1;
	return *known > 0;
}

void log_printer_print(struct log_printer *printer, const char *name, unsigned int index,
		       const struct log_record *record)
{
	int fd = record->stream == 2 ? STDERR_FILENO : STDOUT_FILENO;
	struct strbuf *lines = lines_for(printer, fd);
	char when[UNITS_TIME_MAX];

	add_prefix(printer, lines, name, index);
	if (printer->timestamps) {
		strbuf_add(lines, units_format_time(record->nsec, when, sizeof(when)));
		strbuf_addc(lines, ' ');
	}
	if (printer->prefix && is_terminal(printer, fd)) {
		columns_add_line(lines, record->text, record->size, true);
		/* What it forgot to end would go on in the next prefix. */
		if (memchr(record->text, '\033', record->size))
			strbuf_add(lines, "\033[0m");
	} else {
		strbuf_add_n(lines, record->text, record->size);
	}
	strbuf_addc(lines, '\n');
}

void log_printer_exited(struct log_printer *printer, const char *name, unsigned int index,
			int exit_code)
{
	struct strbuf *lines = lines_for(printer, STDOUT_FILENO);

	if (printer->color)
		strbuf_add(lines, colors[index % ARRAY_SIZE(colors)]);
	strbuf_addf(lines, "%s exited with code %d", name, exit_code);
	if (printer->color)
		strbuf_add(lines, "\033[0m");
	strbuf_addc(lines, '\n');
	log_printer_flush(printer);
}
