// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * timeline_draw.c - the rows of a chart as bars, for terminals and as SVG.
 */
#include <stdio.h>
#include <string.h>

#include "common/str.h"
#include "common/units.h"

#include "compose/cli/columns.h"
#include "compose/cli/timeline_chart.h"

#define BAR_MIN   20
#define LABEL_MAX 40
#define TAIL      9 /* "  123.45s" */

#define SVG_WIDTH 900
#define SVG_LEFT  220
#define SVG_RIGHT 20
#define SVG_TOP   56
#define SVG_ROW   24
#define SVG_BAR   16

static const struct {
	const char *mark, *escape, *color;
} looks[PHASES] = {
	[PHASE_WAITING] = {"·", "2", "#d5d8dc"},   [PHASE_PULLING] = {"▽", "35", "#a569bd"},
	[PHASE_CREATING] = {"░", "34", "#5dade2"}, [PHASE_STARTING] = {"█", "36", "#1f618d"},
	[PHASE_PROBING] = {"▒", "33", "#f5b041"},  [PHASE_COMPLETING] = {"▓", "33", "#b9770e"},
	[PHASE_STOPPING] = {"▪", "31", "#cd6155"}, [PHASE_CHANGING] = {"▫", "34", "#7fb3d5"},
	[PHASE_RUNNING] = {"─", "32", "#58d68d"},  [PHASE_FAILED] = {"✘", "31", "#922b21"},
};

static double seconds(int64_t usec)
{
	return (double)usec / (double)USEC_PER_SEC;
}

static size_t label_width(const struct chart *chart)
{
	size_t width = 0;

	for (size_t i = 0; i < chart->count; i++) {
		size_t own = columns_width(chart->rows[i].label);

		width = own > width ? own : width;
	}
	return width > LABEL_MAX ? LABEL_MAX : width;
}

/* Names are ASCII; what is too long loses its end. */
static void add_label(struct strbuf *text, const char *label, size_t width)
{
	size_t own = columns_width(label);

	if (own > width) {
		strbuf_add_n(text, label, strnlen(label, width - 1));
		strbuf_add(text, "…");
		return;
	}
	strbuf_addf(text, "%s%*s", label, (int)(width - own), "");
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

static void add_waits(struct strbuf *text, const struct chart *chart)
{
	for (size_t i = 0; i < chart->count; i++)
		for (size_t s = 0; s < chart->rows[i].count; s++) {
			const struct chart_span *span = &chart->rows[i].spans[s];

			if (span->what)
				strbuf_addf(text, "%s waited %.2fs for %s\n", chart->rows[i].label,
					    seconds(span->end_usec - span->begin_usec), span->what);
		}
}

char *chart_text(const struct chart *chart, size_t columns, bool color)
{
	size_t width = label_width(chart), other = 2 + width + 1 + TAIL;
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
	for (int phase = 0; phase < PHASES; phase++)
		if (is_used(chart, phase))
			strbuf_addf(&text, "%s %s  ", looks[phase].mark, phase_name(phase));
	strbuf_add(&text, "* critical path\n\n");
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

static double x_of(const struct chart *chart, int64_t usec)
{
	double total = chart->duration_usec ? (double)chart->duration_usec : 1;

	return SVG_LEFT + (SVG_WIDTH - SVG_LEFT - SVG_RIGHT) * (double)usec / total;
}

static void add_svg_span(struct strbuf *svg, const struct chart *chart,
			 const struct chart_span *span, size_t y)
{
	double left = x_of(chart, span->begin_usec), right = x_of(chart, span->end_usec);
	bool thin = span->phase == PHASE_WAITING;

	strbuf_addf(svg,
		    "<rect x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"%d\" fill=\"%s\"%s>"
		    "<title>%s",
		    left, y + (thin ? SVG_BAR / 2 - 1 : 0), right - left < 1 ? 1 : right - left,
		    thin ? 2 : SVG_BAR, looks[span->phase].color,
		    span->critical ? " stroke=\"#c0392b\" stroke-width=\"2\" class=\"critical\""
				   : "",
		    phase_name(span->phase));
	if (span->what) {
		strbuf_add(svg, " for ");
		add_xml(svg, span->what);
	}
	strbuf_addf(svg, " %.3fs</title></rect>\n", seconds(span->end_usec - span->begin_usec));
}

static void add_svg_row(struct strbuf *svg, const struct chart *chart, size_t index)
{
	const struct chart_row *row = &chart->rows[index];
	size_t y = SVG_TOP + index * SVG_ROW;

	strbuf_addf(svg, "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\"%s>", SVG_LEFT - 8, y + 12,
		    row->critical ? " font-weight=\"bold\"" : "");
	add_xml(svg, row->label);
	strbuf_add(svg, "</text>\n");
	for (size_t i = 0; i < row->count; i++)
		add_svg_span(svg, chart, &row->spans[i], y);
}

static void add_svg_legend(struct strbuf *svg, const struct chart *chart, size_t y)
{
	size_t x = SVG_LEFT;

	for (int phase = 0; phase < PHASES; phase++) {
		if (!is_used(chart, phase))
			continue;
		strbuf_addf(svg,
			    "<rect x=\"%zu\" y=\"%zu\" width=\"10\" height=\"10\" fill=\"%s\"/>"
			    "<text x=\"%zu\" y=\"%zu\">%s</text>\n",
			    x, y, looks[phase].color, x + 14, y + 9, phase_name(phase));
		x += 92;
	}
}

char *chart_svg(const struct chart *chart)
{
	size_t height = SVG_TOP + chart->count * SVG_ROW + 40;
	struct strbuf svg = {0};

	strbuf_addf(&svg,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
		    "viewBox=\"0 0 %d %zu\" font-family=\"sans-serif\" font-size=\"12\">\n"
		    "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		    "<text x=\"12\" y=\"22\" font-size=\"15\">",
		    SVG_WIDTH, height, SVG_WIDTH, height);
	add_xml(&svg, chart->command);
	strbuf_add(&svg, " of ");
	add_xml(&svg, chart->project);
	strbuf_addf(&svg, ": %.2fs (outlined: critical path)</text>\n",
		    seconds(chart->duration_usec));
	for (int i = 0; i <= 4; i++) {
		int64_t at = chart->duration_usec * i / 4;

		strbuf_addf(&svg,
			    "<text x=\"%.1f\" y=\"44\" fill=\"#666\" text-anchor=\"%s\">%.2fs"
			    "</text>\n",
			    x_of(chart, at), i == 4 ? "end" : "middle", seconds(at));
	}
	for (size_t i = 0; i < chart->count; i++)
		add_svg_row(&svg, chart, i);
	add_svg_legend(&svg, chart, height - 24);
	strbuf_add(&svg, "</svg>\n");
	return strbuf_take(&svg);
}
