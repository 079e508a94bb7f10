// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * timeline_draw.c - the rows of a chart as bars, for terminals and as SVG.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/timeline/timeline_chart.h"
#include "compose/cli/view/columns.h"

#define BAR_MIN     20
#define LABEL_MAX   40
#define LABEL_LEAST 12
#define TAIL        9 /* "  123.45s" */
#define WAITS_MOST  12

#define SVG_WIDTH     960
#define SVG_RIGHT     24
#define SVG_TOP       56
#define SVG_ROW       24
#define SVG_BAR       16
#define SVG_DENSE     40 /* rows; with more of them they are lower */
#define SVG_DENSE_ROW 18
#define SVG_DENSE_BAR 12
#define SVG_CHAR      7.5 /* of a label, about; bold ones are wider */
#define SVG_TICKS     8   /* at most */
#define SVG_LEGEND    88

static const struct {
	const char *mark, *escape, *color;
} looks[PHASES] = {
	[PHASE_WAITING] = {"·", "2", "#d5d8dc"},     [PHASE_PULLING] = {"▽", "35", "#a569bd"},
	[PHASE_BUILDING] = {"◆", "35", "#7d3c98"},   [PHASE_CREATING] = {"░", "34", "#5dade2"},
	[PHASE_STARTING] = {"█", "36", "#1f618d"},   [PHASE_PROBING] = {"▒", "33", "#f5b041"},
	[PHASE_COMPLETING] = {"▓", "33", "#b9770e"}, [PHASE_STOPPING] = {"▪", "31", "#cd6155"},
	[PHASE_CHANGING] = {"▫", "34", "#7fb3d5"},   [PHASE_RUNNING] = {"─", "32", "#58d68d"},
	[PHASE_FAILED] = {"✘", "31", "#922b21"},
};

static double seconds(int64_t usec)
{
	return (double)usec / (double)USEC_PER_SEC;
}

/* @most: columns. */
static size_t label_width(const struct chart *chart, size_t most)
{
	size_t width = 0;

	for (size_t i = 0; i < chart->count; i++) {
		size_t own = columns_width(chart->rows[i].label);

		width = own > width ? own : width;
	}
	return width > most ? most : width;
}

static void add_label(struct strbuf *text, const char *label, size_t width)
{
	size_t own = columns_add_elided(text, label, width);

	strbuf_addf(text, "%*s", (int)(width - own), "");
}

/* What has the largest part of a cell has the cell; waiting and running only what is left. */
static const struct chart_span *span_of_cell(const struct chart_row *row, int64_t from, int64_t to)
{
	const struct chart_span *best = NULL;
	int64_t best_usec = -1;

	for (size_t i = 0; i < row->count; i++) {
		const struct chart_span *span = &row->spans[i];
		int64_t begin = span->begin_usec > from ? span->begin_usec : from;
		int64_t end = span->end_usec < to ? span->end_usec : to;
		bool idle = span->phase == PHASE_WAITING || span->phase == PHASE_RUNNING;
		bool best_idle =
			best && (best->phase == PHASE_WAITING || best->phase == PHASE_RUNNING);

		if (end < begin || (end == begin && (idle || begin == to)))
			continue;
		if (!best || (best_idle && !idle) ||
		    (best_idle == idle && end - begin > best_usec)) {
			best = span;
			best_usec = end - begin;
		}
	}
	return best;
}

static void add_bar(struct strbuf *text, const struct chart *chart, const struct chart_row *row,
		    size_t cells, bool color)
{
	int64_t total = chart->duration_usec ?: 1;

	for (size_t i = 0; i < cells; i++) {
		int64_t from = (int64_t)((double)total * (double)i / (double)cells);
		int64_t to = (int64_t)((double)total * (double)(i + 1) / (double)cells);
		const struct chart_span *span = span_of_cell(row, from, to);

		if (!span)
			strbuf_addc(text, ' ');
		else if (color)
			strbuf_addf(text, "\033[%s%sm%s\033[0m", span->critical ? "1;" : "",
				    looks[span->phase].escape, looks[span->phase].mark);
		else
			strbuf_add(text, looks[span->phase].mark);
	}
}

static bool is_used(const struct chart *chart, enum phase phase)
{
	for (size_t i = 0; i < chart->count; i++)
		for (size_t s = 0; s < chart->rows[i].count; s++)
			if (chart->rows[i].spans[s].phase == phase)
				return true;
	return false;
}

/* When the row came to rest: its last operation's end. */
static int64_t settled_usec(const struct chart_row *row)
{
	const struct chart_span *last = row->count ? &row->spans[row->count - 1] : NULL;

	if (!last)
		return 0;
	return last->phase == PHASE_RUNNING ? last->begin_usec : last->end_usec;
}

struct wait {
	const char *label;
	const struct chart_span *span;
};

static int longest_first(const void *a, const void *b)
{
	const struct chart_span *left = ((const struct wait *)a)->span;
	const struct chart_span *right = ((const struct wait *)b)->span;
	int64_t difference =
		(right->end_usec - right->begin_usec) - (left->end_usec - left->begin_usec);

	return difference < 0 ? -1 : difference > 0;
}

static void add_waits(struct strbuf *text, const struct chart *chart)
{
	_cleanup_free_ struct wait *waits = NULL;
	size_t count = 0;

	for (size_t i = 0; i < chart->count; i++)
		for (size_t s = 0; s < chart->rows[i].count; s++)
			if (chart->rows[i].spans[s].what)
				*array_add(waits, count) = (struct wait){chart->rows[i].label,
									 &chart->rows[i].spans[s]};
	if (count)
		qsort(waits, count, sizeof(*waits), longest_first);
	for (size_t i = 0; i < count && i < WAITS_MOST; i++)
		strbuf_addf(text, "%s waited %.2fs for %s\n", waits[i].label,
			    seconds(waits[i].span->end_usec - waits[i].span->begin_usec),
			    waits[i].span->what);
	if (count > WAITS_MOST)
		strbuf_addf(text, "%zu shorter waits are not shown\n", count - WAITS_MOST);
	if (count)
		strbuf_addc(text, '\n');
}

static void add_legend(struct strbuf *text, const struct chart *chart, size_t columns)
{
	static const char path[] = "* critical path";
	size_t used = 0, n;

	for (int phase = 0; phase < PHASES; phase++) {
		if (!is_used(chart, phase))
			continue;
		n = strlen("x ") + strlen(phase_name(phase)) + strlen("  ");
		if (used && used + n > columns) {
			strbuf_addc(text, '\n');
			used = 0;
		}
		strbuf_addf(text, "%s %s  ", looks[phase].mark, phase_name(phase));
		used += n;
	}
	strbuf_addf(text, "%s%s\n\n", used + strlen(path) > columns ? "\n" : "", path);
}

char *chart_text(const struct chart *chart, size_t columns, bool color)
{
	size_t most = columns / 3 < LABEL_LEAST ? LABEL_LEAST
		      : columns / 3 > LABEL_MAX ? LABEL_MAX
						: columns / 3;
	size_t width = label_width(chart, most), other = 2 + width + 1 + TAIL;
	size_t cells = columns > other + BAR_MIN ? columns - other : BAR_MIN;
	struct strbuf text = {0};

	strbuf_addf(&text, "%s of %s: %.2fs\n\n", chart->command, chart->project,
		    seconds(chart->duration_usec));
	for (size_t i = 0; i < chart->count; i++) {
		const struct chart_row *row = &chart->rows[i];

		strbuf_add(&text, row->critical ? "* " : "  ");
		add_label(&text, row->label, width);
		strbuf_addc(&text, ' ');
		add_bar(&text, chart, row, cells, color);
		strbuf_addf(&text, "%8.2fs\n", seconds(settled_usec(row)));
	}
	strbuf_addc(&text, '\n');
	add_legend(&text, chart, columns);
	add_waits(&text, chart);
	strbuf_add(&text, "critical path:\n");
	for (size_t i = 0; i < chart->path_count; i++) {
		const struct chart_step *step = &chart->path[i];

		strbuf_addf(&text, "%8.2fs  +%.2fs  %s %s\n", seconds(step->begin_usec),
			    seconds(step->end_usec - step->begin_usec), phase_name(step->phase),
			    step->label);
	}
	if (chart->omitted)
		strbuf_addf(&text, "%jd more operations are not shown\n", (intmax_t)chart->omitted);
	return strbuf_take(&text);
}

static void add_xml(struct strbuf *svg, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			strbuf_add(svg, "&lt;");
			break;
		case '>':
			strbuf_add(svg, "&gt;");
			break;
		case '&':
			strbuf_add(svg, "&amp;");
			break;
		case '"':
			strbuf_add(svg, "&quot;");
			break;
		default:
			/* XML has no way to write the others. */
			strbuf_addc(svg, (unsigned char)*text < ' ' ? ' ' : *text);
		}
}

/* Where things are. */
struct drawing {
	const struct chart *chart;
	size_t label; /* characters of a name */
	double left;  /* where the bars begin */
	size_t row, bar, height;
};

static struct drawing make_drawing(const struct chart *chart)
{
	bool dense = chart->count > SVG_DENSE;
	struct drawing d = {.chart = chart,
			    .label = label_width(chart, LABEL_MAX),
			    .row = dense ? SVG_DENSE_ROW : SVG_ROW,
			    .bar = dense ? SVG_DENSE_BAR : SVG_BAR};

	d.left = 24 + (double)d.label * SVG_CHAR;
	d.height = SVG_TOP + chart->count * d.row + 44;
	return d;
}

static double x_of(const struct drawing *d, int64_t usec)
{
	double total = d->chart->duration_usec ? (double)d->chart->duration_usec : 1;

	return d->left + (SVG_WIDTH - d->left - SVG_RIGHT) * (double)usec / total;
}

static void add_svg_span(struct strbuf *svg, const struct drawing *d, const struct chart_span *span,
			 size_t y)
{
	double left = x_of(d, span->begin_usec), right = x_of(d, span->end_usec);
	bool thin = span->phase == PHASE_WAITING;
	size_t height = thin ? 2 : span->shared ? d->bar / 2 : d->bar;

	strbuf_addf(svg,
		    "<rect x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"%zu\" rx=\"%d\" "
		    "fill=\"%s\"%s%s><title>%s",
		    left, y + (d->bar - height) / 2, right - left < 1 ? 1 : right - left, height,
		    thin ? 0 : 2, looks[span->phase].color,
		    span->shared ? " fill-opacity=\"0.45\"" : "",
		    span->critical ? " stroke=\"#c0392b\" stroke-width=\"2\" class=\"critical\""
				   : "",
		    phase_name(span->phase));
	if (span->what) {
		strbuf_add(svg, " for ");
		add_xml(svg, span->what);
	}
	strbuf_addf(svg, " %.3fs</title></rect>\n", seconds(span->end_usec - span->begin_usec));
}

static void add_svg_row(struct strbuf *svg, const struct drawing *d, size_t index)
{
	const struct chart_row *row = &d->chart->rows[index];
	_cleanup_strbuf_ struct strbuf label = {0};
	size_t y = SVG_TOP + index * d->row;

	(void)columns_add_elided(&label, row->label, d->label);
	strbuf_addf(svg, "<text x=\"%.1f\" y=\"%zu\" text-anchor=\"end\"%s>", d->left - 8,
		    y + d->bar / 2 + 4, row->critical ? " font-weight=\"bold\"" : "");
	add_xml(svg, label.data ?: "");
	strbuf_add(svg, "<title>");
	add_xml(svg, row->label);
	strbuf_add(svg, "</title></text>\n");
	for (size_t i = 0; i < row->count; i++)
		add_svg_span(svg, d, &row->spans[i], y);
}

/* Only what is used, in the order of a start. */
static void add_svg_legend(struct strbuf *svg, const struct drawing *d)
{
	size_t x = 12, y = d->height - 24;

	for (int phase = 0; phase < PHASES; phase++) {
		if (!is_used(d->chart, phase))
			continue;
		strbuf_addf(svg,
			    "<rect x=\"%zu\" y=\"%zu\" width=\"10\" height=\"10\" rx=\"2\" "
			    "fill=\"%s\"/><text x=\"%zu\" y=\"%zu\">%s</text>\n",
			    x, y, looks[phase].color, x + 14, y + 9, phase_name(phase));
		x += SVG_LEGEND;
	}
}

/* 1, 2 or 5 times a power of ten, so that there are at most SVG_TICKS of them. */
static int64_t tick_usec(int64_t duration_usec)
{
	int64_t unit = 1000;

	for (;; unit *= 10) {
		static const int steps[] = {1, 2, 5};

		array_foreach(step, steps)
			if (duration_usec / (unit * *step) < SVG_TICKS)
				return unit * *step;
	}
}

static void add_svg_scale(struct strbuf *svg, const struct drawing *d)
{
	int64_t tick = tick_usec(d->chart->duration_usec);
	int digits = tick >= (int64_t)USEC_PER_SEC ? 0 : tick >= 100000 ? 1 : tick >= 10000 ? 2 : 3;

	for (int64_t at = 0; at <= d->chart->duration_usec; at += tick)
		strbuf_addf(
			svg,
			"<line x1=\"%.1f\" y1=\"48\" x2=\"%.1f\" y2=\"%zu\" stroke=\"#eceff1\"/>"
			"<text x=\"%.1f\" y=\"42\" fill=\"#666\" text-anchor=\"middle\">%.*fs"
			"</text>\n",
			x_of(d, at), x_of(d, at), d->height - 40, x_of(d, at), digits, seconds(at));
}

char *chart_svg(const struct chart *chart)
{
	struct drawing d = make_drawing(chart);
	struct strbuf svg = {0};

	strbuf_addf(&svg,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
		    "viewBox=\"0 0 %d %zu\" font-family=\"sans-serif\" font-size=\"12\">\n"
		    "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		    "<text x=\"12\" y=\"22\" font-size=\"15\">",
		    SVG_WIDTH, d.height, SVG_WIDTH, d.height);
	add_xml(&svg, chart->command);
	strbuf_add(&svg, " of ");
	add_xml(&svg, chart->project);
	strbuf_addf(&svg, ": %.2fs (outlined: critical path)</text>\n",
		    seconds(chart->duration_usec));
	add_svg_scale(&svg, &d);
	for (size_t i = 0; i < chart->count; i++)
		add_svg_row(&svg, &d, i);
	add_svg_legend(&svg, &d);
	strbuf_add(&svg, "</svg>\n");
	return strbuf_take(&svg);
}
