// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/args/flags.h"

static bool all, detach, given;
static const char *user;
static char **files;
static int timeout;

static const struct option options[] = {
	{"all", 'a', OPTION_FLAG, &all, NULL, "Everything"},
	{"detach", 'd', OPTION_FLAG, &detach, NULL, "Leave"},
	{"file", 'f', OPTION_LIST, &files, "list", "Files"},
	{"timeout", 't', OPTION_INT, &timeout, "int", "Seconds", &given},
	{"user", 'u', OPTION_STRING, &user, "string", "Who"},
	{NULL},
};

/* "a=1 d=0 t=5 u=x f=a,b | operands", or the error. */
static char *parse(const char *line, bool stop)
{
	_cleanup_strv_ char **words = strv_split(line, " ");
	size_t count = strv_length(words);
	/* The parser moves words about, so they are owned by another list. */
	_cleanup_free_ char **argv = alloc_copy(words, (count + 1) * sizeof(*words));
	_cleanup_free_ char *list = NULL;
	struct error err = ERROR_INIT;
	struct strbuf out = {0};
	int n, r;

	all = detach = given = false;
	user = NULL;
	strv_free(files);
	files = NULL;
	timeout = 0;
	r = flags_parse(options, NULL, stop, (int)count, argv, &n, &err);
	if (r < 0)
		return str_printf("%s", err.message);
	if (r == FLAGS_HELP)
		return str_printf("help");
	list = strv_join(files, ",");
	strbuf_addf(&out, "a=%d d=%d t=%d%s u=%s f=%s |", all, detach, timeout, given ? "!" : "",
		    user ?: "", list ?: "");
	for (int i = 0; i < n; i++)
		strbuf_addf(&out, " %s", argv[i]);
	return strbuf_take(&out);
}

static const struct {
	const char *line;
	bool stop;
	const char *expect;
} cases[] = {
	{"web", false, "a=0 d=0 t=0 u= f= | web"},
	{"-ad web", false, "a=1 d=1 t=0 u= f= | web"},
	{"web -a", false, "a=1 d=0 t=0 u= f= | web"},
	{"web -a", true, "a=0 d=0 t=0 u= f= | web -a"},
	{"-f a -f b --file=c", false, "a=0 d=0 t=0 u= f=a,b,c |"},
	{"-t5", false, "a=0 d=0 t=5! u= f= |"},
	{"-t=5", false, "a=0 d=0 t=5! u= f= |"},
	{"-at 5 x", false, "a=1 d=0 t=5! u= f= | x"},
	{"--timeout -1", false, "a=0 d=0 t=-1! u= f= |"},
	{"--all=false", false, "a=0 d=0 t=0 u= f= |"},
	{"--all=maybe", false,
	 "invalid argument \"maybe\" for \"-a, --all\" flag: strconv.ParseBool: parsing \"maybe\": "
	 "invalid syntax"},
	{"-t x", false,
	 "invalid argument \"x\" for \"-t, --timeout\" flag: strconv.ParseInt: parsing \"x\": "
	 "invalid "
	 "syntax"},
	{"-- -a x", false, "a=0 d=0 t=0 u= f= | -a x"},
	{"web sh -c -- x", true, "a=0 d=0 t=0 u= f= | web sh -c -- x"},
	{"-u root web sh -u x", true, "a=0 d=0 t=0 u=root f= | web sh -u x"},
	{"-", false, "a=0 d=0 t=0 u= f= | -"},
	{"--nope", false, "unknown flag: --nope"},
	{"--nope=1", false, "unknown flag: --nope"},
	{"-az", false, "unknown shorthand flag: 'z' in -az"},
	{"--user", false, "flag needs an argument: --user"},
	{"-du", false, "flag needs an argument: 'u' in -du"},
	{"--=x", false, "bad flag syntax: --=x"},
	{"-h", false, "help"},
	{"web --help", false, "help"},
};

Test(flags, as_pflag)
{
	array_foreach(c, cases) {
		char *got = parse(c->line, c->stop);

		cr_expect_str_eq(got, c->expect, "%s", c->line);
		free(got);
	}
}
