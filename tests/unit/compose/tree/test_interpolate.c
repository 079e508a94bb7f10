// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/tree/dotenv.h"

static char unset_names[256];

static const char *lookup(void *data, const char *name)
{
	return !strcmp(name, "SET") ? "s$X" : !strcmp(name, "EMPTY") ? "" : NULL;
}

static void unset(void *data, const char *name)
{
	strcat(strcat(unset_names, name), " ");
}

static const struct interpolation with = {.lookup = lookup, .unset = unset};

#define INVALID(text)                                                                        \
	"invalid interpolation format for what.\nYou may need to escape any $ with another " \
	"$.\n" text

#define NO_NAME(where) "\n\"" where "\" begins no variable: a dollar is written $$"
#define OPEN(where)    "\n\"" where "\" has no } that closes it"
#define NO_FORM(where) \
	"\n\"" where "\" is none of ${NAME}, ${NAME:-default}, ${NAME:?message}, ${NAME:+other}"

static const struct {
	const char *text, *expect, *unset;
} cases[] = {
	{"plain", "plain", ""},
	{"$SET-${SET}", "s$X-s$X", ""},
	{"$$SET $${SET}", "$SET ${SET}", ""},
	{"$NOPE|${NOPE}", "|", "NOPE NOPE "},
	{"${NOPE:-d}${NOPE-d}${EMPTY:-d}${EMPTY-d}", "ddd", ""},
	{"${SET:+r}${SET+r}${EMPTY:+r}${EMPTY+r}${NOPE+r}", "rrr", ""},
	{"${NOPE:-${ALSO:-x${SET}y}z}", "xs$Xyz", ""},
	{"${NOPE-$SET}", "s$X", ""},
	{"${NOPE:-}", "", ""},
	{"${NOPE:-a}b}", "ab}", ""},
	{"${NOPE:-a$$}", "a$", ""},
	{"${SET:?no}${EMPTY?no}", "s$X", ""},
	{"${NOPE:?say $SET}",
	 "error while interpolating what: required variable NOPE is missing a value: say s$X", ""},
	{"${EMPTY:?}", "error while interpolating what: required variable EMPTY is missing a value",
	 ""},
	{"$", INVALID("$") NO_NAME("$"), ""},
	{"a $5", INVALID("a $5") NO_NAME("$5"), ""},
	{"${", INVALID("${") OPEN("${"), ""},
	{"${}", INVALID("${}") NO_FORM("${}"), ""},
	{"${A b}", INVALID("${A b}") NO_FORM("${A b}"), ""},
	{"${A:x}", INVALID("${A:x}") NO_FORM("${A:x}"), ""},
	{"${SET", INVALID("${SET") OPEN("${SET"), ""},
};

Test(interpolate, texts)
{
	array_foreach(c, cases) {
		struct error err = ERROR_INIT;
		char *result = NULL;
		int r;

		unset_names[0] = '\0';
		r = interpolate_text(&with, c->text, "what", &result, &err);
		cr_expect_str_eq(r < 0 ? err.message : result, c->expect, "%s", c->text);
		cr_expect_str_eq(unset_names, c->unset, "%s", c->text);
		free(result);
	}
}

static void add(void *data, const char *key, const char *value)
{
	strbuf_addf(data, "%s=%s;", key, value ? value : "<unset>");
}

static const struct {
	const char *text;
	bool raw;
	const char *expect;
} files[] = {
	{"A=1\nB = 2 \nexport C=3", false, "A=1;B=2;C=3;"},
	{"# c\n\n A=1 # c\nB=a#b\nC=#x", false, "A=1;B=a#b;C=;"},
	{"A: v\nB:w", false, "A=v;B=w;"},
	{"A='$SET # \\' x'\nB=\"a\\nb\\t\\\"\\$c \\q\"", false, "A=$SET # ' x;B=a\nb\t\"$c \\q;"},
	{"A=1\nB=$A-${NOPE:-d}-$SET", false, "A=1;B=1-d-s$X;"},
	{"A=\"one\ntwo\" # c\nB=1", false, "A=one\ntwo;B=1;"},
	{"SET\nNOPE\nA=", false, "SET=s$X;NOPE=<unset>;A=;"},
	{"\xef\xbb\xbf"
	 "A=1\r\nB=2\r\n",
	 false, "A=1;B=2;"},
	{"A=\"q\" # $SET\nB='x\n# c\nSET", true, "A=\"q\" # $SET;B='x;SET=s$X;"},
	{"A+B=1", false, "t.env:1:2: unexpected character \"+\" in variable name near \"A+B=1\""},
	{"\nA B=1", false, "t.env:2:3: a key cannot contain a space: \"A B\""},
	{"A=\"x\nB=1\n", false, "t.env:1:3: unterminated quoted value of A"},
	{"A='x' y", false, "t.env:1:7: unexpected text behind the closing quote"},
	{"=x", false, "t.env:1:1: unexpected character \"=\" in variable name near \"=x\""},
};

Test(dotenv, files)
{
	array_foreach(f, files) {
		struct source *source = source_new("t.env", NULL);
		struct strbuf out = {0};
		struct dotenv dotenv = {.with = &with, .raw = f->raw, .add = add, .data = &out};
		struct error err = ERROR_INIT;
		char text[ERROR_TEXT_MAX];
		int r;

		source->text = alloc_string(f->text);
		source->size = strlen(f->text);
		r = dotenv_parse(&dotenv, source, &err);
		cr_expect_str_eq(r < 0 ? error_text(&err, text, sizeof(text)) : out.data, f->expect,
				 "%s", f->text);
		strbuf_done(&out);
		source_free(source);
	}
}
