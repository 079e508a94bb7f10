// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/timeline/timeline_chart.h"

/* db with its image, then web, which waits until db is healthy; log is beside them. */
static const char start[] =
	"{'command':'up','time':0,'duration':2000000,'operations':["
	"{'operation':'create_network','name':'x_default','outcome':'done','ready':0,'begun':0,"
	"'ended':100000},"
	"{'operation':'await_image','name':'redis','outcome':'done','ready':0,'begun':0,"
	"'ended':500000},"
	"{'operation':'create_container','name':'x-db-1','service':'db','number':1,"
	"'outcome':'done','ready':500000,'begun':500000,'ended':600000,'last':1,'image':1},"
	"{'operation':'start_container','name':'x-db-1','service':'db','number':1,"
	"'outcome':'done','ready':600000,'begun':600000,'ended':800000,'last':2},"
	"{'operation':'wait','name':'x-db-1','service':'db','number':1,'condition':'healthy',"
	"'outcome':'done','ready':800000,'begun':800000,'ended':1800000,'last':3},"
	"{'operation':'start_container','name':'x-log-1','service':'log','number':1,"
	"'outcome':'done','ready':100000,'begun':100000,'ended':200000,'last':0},"
	"{'operation':'start_container','name':'x-web-1','service':'web','number':1,"
	"'outcome':'done','ready':1800000,'begun':1800000,'ended':2000000,'last':4}]}";

static json_t *parse(const char *text)
{
	char *copy = strdup(text);
	struct error err = ERROR_INIT;
	json_t *json = NULL;

	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	cr_assert_eq(json_parse(copy, strlen(copy), &json, &err), 0, "%s", err.message);
	free(copy);
	return json;
}

static void read_chart(const char *text, struct chart *chart)
{
	struct error err = ERROR_INIT;
	json_t *json = parse(text);

	cr_assert_eq(chart_init(chart, "x", json, &err), 0, "%s", err.message);
	json_decref(json);
}

static void expect_span(const struct chart_row *row, size_t index, enum phase phase,
			int64_t begin_usec, int64_t end_usec)
{
	const struct chart_span *span = &row->spans[index];

	cr_assert_lt(index, row->count);
	cr_expect_eq(span->phase, phase, "%s: %s", row->label, phase_name(span->phase));
	cr_expect_eq(span->begin_usec, begin_usec);
	cr_expect_eq(span->end_usec, end_usec);
}

Test(timeline, rows_have_the_spans_in_order)
{
	struct chart chart;
	const struct chart_row *db, *web;

	read_chart(start, &chart);
	cr_assert_eq(chart.count, 5);
	db = &chart.rows[3];
	web = &chart.rows[4];
	cr_expect_str_eq(db->label, "x-db-1");
	cr_expect_eq(db->count, 5);
	expect_span(db, 0, PHASE_PULLING, 0, 500000);
	expect_span(db, 1, PHASE_CREATING, 500000, 600000);
	expect_span(db, 2, PHASE_STARTING, 600000, 800000);
	expect_span(db, 3, PHASE_PROBING, 800000, 1800000);
	expect_span(db, 4, PHASE_RUNNING, 1800000, 2000000);
	cr_expect_str_eq(web->label, "x-web-1");
	cr_expect_eq(web->count, 2);
	expect_span(web, 0, PHASE_WAITING, 0, 1800000);
	cr_expect_str_eq(web->spans[0].what, "x-db-1 healthy");
	chart_done(&chart);
}

Test(timeline, the_critical_path_goes_back_over_the_last_prerequisites)
{
	static const char *const names[] = {"redis", "x-db-1", "x-db-1", "x-db-1", "x-web-1"};
	struct chart chart;

	read_chart(start, &chart);
	cr_assert_eq(chart.path_count, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_str_eq(chart.path[i].label, names[i]);
	cr_expect(!chart.rows[0].critical && !chart.rows[2].critical && chart.rows[4].critical);
	chart_done(&chart);
}

Test(timeline, text_is_as_wide_as_told)
{
	struct chart chart;
	char *text;

	read_chart(start, &chart);
	text = chart_text(&chart, 40, false);
	cr_expect(strstr(text, "* x-web-1   ··················██    2.00s\n"), "%s", text);
	cr_expect(strstr(text, "x-web-1 waited 1.80s for x-db-1 healthy\n"), "%s", text);
	cr_expect(strstr(text, "    0.80s  +1.00s  probing x-db-1\n"), "%s", text);
	cr_expect_null(strchr(text, '\033'));
	free(text);
	text = chart_text(&chart, 40, true);
	cr_expect(strstr(text, "\033[1;36m█\033[0m"));
	free(text);
	chart_done(&chart);
}

Test(timeline, svg_escapes_names)
{
	struct chart chart;
	char *svg;

	read_chart("{'duration':0,'operations':[{'operation':'create_network','name':'<a&b>',"
		   "'begun':0,'ended':0}]}",
		   &chart);
	svg = chart_svg(&chart);
	cr_expect(strstr(svg, "&lt;a&amp;b&gt;<title>"), "%s", svg);
	cr_expect_null(strstr(svg, "<a&"));
	free(svg);
	chart_done(&chart);
}

Test(timeline, what_is_no_start_is_refused)
{
	static const char *const wrong[] = {
		"{}",
		"{'duration':1,'operations':[]}",
		"{'duration':1,'operations':[{'operation':'wait'}]}",
		"{'duration':1,'operations':[{'operation':'wait','name':'a','last':0}]}",
		"{'duration':9,'operations':[{'operation':'wait','name':'a','begun':5,'ended':4}]}",
		"{'operations':[{'operation':'wait','name':'a'}]}",
	};

	array_foreach(text, wrong) {
		struct error err = ERROR_INIT;
		struct chart chart;
		json_t *json = parse(*text);

		cr_expect_eq(chart_init(&chart, "x", json, &err), -EINVAL, "%s", *text);
		chart_done(&chart);
		json_decref(json);
	}
}
