// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#include "compose/cli/view/go_template.h"

static const char row[] =
	"{\"Name\":\"x-web-1\",\"Up\":true,\"N\":3,\"Empty\":\"\",\"Labels\":\"a=1,b.c=two\","
	"\"List\":[\"p\",\"q\"],\"Map\":{\"k\":\"v\",\"n\":{\"deep\":1}},\"Ratio\":0.5}";

static const struct {
	const char *template, *expect; /* or the error */
} cases[] = {
	{"{{.Name}}", "x-web-1"},
	{"{{ .Name | upper }}!", "X-WEB-1!"},
	{"{{json .List}} {{json .}}", NULL},
	{"{{.List}} {{.Map}} {{.Ratio}}", "[p q] map[k:v n:map[deep:1]] 0.5"},
	{"{{.Map.n.deep}} {{.Map.none}}", "1 <no value>"},
	{"{{range .List}}<{{.}}>{{end}}", "<p><q>"},
	{"{{range $i, $v := .List}}{{$i}}={{$v}},{{$.N}} {{end}}", "0=p,3 1=q,3 "},
	{"{{range $k, $v := .Map}}{{$k}} {{end}}", "k n "},
	{"{{range .Empty}}x{{else}}none{{end}}", "none"},
	{"{{if .Up}}up{{else}}down{{end}}{{if .Empty}}x{{else if .N}}n{{end}}", "upn"},
	{"{{if and .Up (gt .N 2)}}yes{{end}}{{if or .Empty false}}no{{end}}", "yes"},
	{"{{if eq .Name \"a\" \"x-web-1\"}}same{{end}}{{if not .Up}}x{{end}}", "same"},
	{"{{with .Map}}{{.k}}{{end}}", "v"},
	{"{{$x := len .Name}}{{$x}}", "7"},
	{"{{if $x := .Name}}{{$x}}{{end}}", "x-web-1"},
	{"{{index .List 1}} {{index .Map \"k\"}} {{index .Map \"n\" \"deep\"}}", "q v 1"},
	{"{{printf \"%-8s|%3d|%q|%.2s|%03d%%\" .Name .N .Name .Name 7}}",
	 "x-web-1 |  3|\"x-web-1\"|x-|007%"},
	{"{{join (split .Name \"-\") \"/\"}}", "x/web/1"},
	{"{{slice .Name 2 5}} {{truncate .Name 3}} {{title \"ab cd\"}} {{pad \"x\" 1 2}}|",
	 "web x-w Ab Cd  x  |"},
	{"{{.Label \"b.c\"}} {{.Label \"none\"}}|", "two |"},
	{"a {{- /* gone */ -}} b\\t{{\"\\t\"}}", "ab\t\t"},
	{"{{`raw \"x\"`}}{{print 1 2}}{{println \"a\"}}", "raw \"x\"1 2a\n"},
	{"{{.Nope}}", "template: can't evaluate field Nope"},
	{"{{range .List}}",
	 "template parsing error: unexpected end: an {{end}} is missing, before ''"},
	{"{{.Name", "template parsing error: unclosed action, before ''"},
	{"{{nope .Name}}", "template: function \"nope\" not defined"},
	{"{{end}}", "template parsing error: unexpected {{end}} or {{else}}, before ''"},
	{"{{index .List 9}}", "template: error calling index: index out of range"},
	{"{{.Name | .Up}}", "template: has arguments but is not a method: Up"},
	{"{{\"open}}", "template parsing error: unterminated quoted string, before ''"},
	{"{{$none}}", "template: undefined variable none"},
	{"{{join .List}}", "template: wrong number of args for join: want at least 2 got 1"},
};

Test(go_template, what_people_write)
{
	json_t *value = NULL;
	struct error err = ERROR_INIT;

	cr_assert_eq(json_parse(row, strlen(row), &value, &err), 0);
	array_foreach(c, cases) {
		struct template *template = NULL;
		struct strbuf out = {0};

		error_clear(&err);
		if (template_parse(c->template, &template, &err) >= 0)
			(void)template_render(template, value, &out, &err);
		template_free(template);
		if (c->expect)
			cr_expect_str_eq(err.code   ? err.message
					 : out.data ? out.data
						    : "",
					 c->expect, "%s", c->template);
		strbuf_done(&out);
	}
	json_decref(value);
}
