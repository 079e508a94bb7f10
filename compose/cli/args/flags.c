// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/flags.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

struct parser {
	const struct option *tables[2];
	int argc, at;
	char **argv;
	struct error *err;
};

static const struct option *find(const struct parser *parser, const char *name, size_t length,
				 char letter)
{
	array_foreach(table, parser->tables) {
		for (const struct option *o = *table; o && o->name; o++) {
			if (letter ? o->letter == letter
				   : strlen(o->name) == length && !strncmp(o->name, name, length))
				return o;
		}
	}
	return NULL;
}

/* As pflag names a flag in a complaint: "-t, --timeout". */
static const char *shown(const struct option *option, char *buffer, size_t size)
{
	if (option->letter)
		snprintf(buffer, size, "-%c, --%s", option->letter, option->name);
	else
		snprintf(buffer, size, "--%s", option->name);
	return buffer;
}

static bool parse_bool(const char *text, bool *ret)
{
	static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const not_words[] = {"0", "f", "F", "false", "FALSE", "False"};

	array_foreach(word, words)
		if (!strcmp(*word, text))
			return *ret = true;
	array_foreach(word, not_words)
		if (!strcmp(*word, text)) {
			*ret = false;
			return true;
		}
	return false;
}

static int refuse(struct parser *parser, const struct option *option, const char *value,
		  const char *function)
{
	char name[64];

	return error_set(parser->err, EINVAL,
			 "invalid argument \"%s\" for \"%s\" flag: strconv.%s: parsing \"%s\": "
			 "invalid syntax",
			 value, shown(option, name, sizeof(name)), function, value);
}

static int store_int(struct parser *parser, const struct option *option, const char *value)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (end == value || *end || errno || n > INT_MAX || n < INT_MIN)
		return refuse(parser, option, value, "ParseInt");
	*(int *)option->value = (int)n;
	return 0;
}

static int store(struct parser *parser, const struct option *option, const char *value)
{
	if (option->given)
		*option->given = true;
	switch (option->kind) {
	case OPTION_FLAG:
		if (!parse_bool(value, option->value))
			return refuse(parser, option, value, "ParseBool");
		return 0;
	case OPTION_STRING:
		*(const char **)option->value = value;
		return 0;
	case OPTION_LIST:
		strv_append(option->value, value);
		return 0;
	case OPTION_INT:
		return store_int(parser, option, value);
	}
	return 0;
}

/* What was probably meant, of those that the help text shows. */
static int unknown_flag(const struct parser *parser, const char *word, size_t length)
{
	_cleanup_free_ char *name = alloc_string_n(word, length);
	const char *names[128], *meant;
	size_t n = 0;

	array_foreach(table, parser->tables) {
		for (const struct option *o = *table; o && o->name && n < ARRAY_SIZE(names); o++)
			if (o->help)
				names[n++] = o->name;
	}
	meant = str_suggest(name, names, n);
	if (!meant)
		return error_set(parser->err, EINVAL, "unknown flag: --%s", name);
	return error_set(parser->err, EINVAL, "unknown flag: --%s (did you mean --%s?)", name,
			 meant);
}

static int parse_long(struct parser *parser, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const struct option *option = find(parser, word, length, 0);

	if (!option && length == 4 && !strncmp(word, "help", 4))
		return FLAGS_HELP;
	if (length == 0)
		return error_set(parser->err, EINVAL, "bad flag syntax: --%s", word);
	if (!option)
		return unknown_flag(parser, word, length);
	if (equals)
		return store(parser, option, equals + 1);
	if (option->kind == OPTION_FLAG)
		return store(parser, option, "true");
	if (parser->at >= parser->argc)
		return error_set(parser->err, EINVAL, "flag needs an argument: --%s", word);
	return store(parser, option, parser->argv[parser->at++]);
}

static int parse_letters(struct parser *parser, const char *word)
{
	for (const char *p = word; *p; p++) {
		const struct option *option = find(parser, NULL, 0, *p);
		int r;

		if (!option && *p == 'h')
			return FLAGS_HELP;
		if (!option)
			return error_set(parser->err, EINVAL, "unknown shorthand flag: '%c' in -%s",
					 *p, word);
		if (p[1] == '=' && p[2])
			return store(parser, option, p + 2);
		if (option->kind != OPTION_FLAG && p[1])
			return store(parser, option, p + 1);
		if (option->kind != OPTION_FLAG) {
			if (parser->at >= parser->argc)
				return error_set(parser->err, EINVAL,
						 "flag needs an argument: '%c' in -%s", *p, word);
			return store(parser, option, parser->argv[parser->at++]);
		}
		r = store(parser, option, "true");
		if (r != 0)
			return r;
	}
	return 0;
}

int flags_parse(const struct option *options, const struct option *also, bool stop_at_operand,
		int argc, char **argv, int *ret_operands, struct error *err)
{
	struct parser parser = {{options, also}, argc, 0, argv, err};
	int operands = 0;

	while (parser.at < argc) {
		char *word = argv[parser.at++];
		int r;

		if (word[0] != '-' || !word[1]) {
			argv[operands++] = word;
			if (stop_at_operand)
				break;
			continue;
		}
		if (!strcmp(word, "--"))
			break;
		r = word[1] == '-' ? parse_long(&parser, word + 2)
				   : parse_letters(&parser, word + 1);
		if (r != 0)
			return r;
	}
	while (parser.at < argc)
		argv[operands++] = argv[parser.at++];
	argv[operands] = NULL;
	*ret_operands = operands;
	return 0;
}

void flags_help(const struct option *options, FILE *out)
{
	int width = 0;

	for (const struct option *o = options; o && o->name; o++) {
		int n = o->help ? snprintf(NULL, 0, "%s %s", o->name, o->argument ?: "") : 0;

		width = n > width ? n : width;
	}
	for (const struct option *o = options; o && o->name; o++) {
		char letter[8] = "    ";
		int n;

		if (!o->help)
			continue;
		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		n = fprintf(out, "  %s--%s %s", letter, o->name, o->argument ?: "");
		fprintf(out, "%*s%s\n", width + 8 + 3 - n, "", o->help);
	}
}
