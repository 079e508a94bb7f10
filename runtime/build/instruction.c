// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/instruction.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#define FLAGS_MAX 256
#define WORDS_MAX 10000 /* of one instruction; a list grows word by word */

enum form {
	FORM_WORDS,   /* separated by blanks, or a JSON list */
	FORM_PLAIN,   /* separated by blanks */
	FORM_COMMAND, /* for the shell, or a JSON list */
	FORM_LIST,    /* a JSON list only */
	FORM_PAIRS,   /* NAME=value ..., or NAME value */
	FORM_NAMES,   /* NAME[=value] ... */
	FORM_TEXT,    /* as it is */
	FORM_HEALTHCHECK,
	FORM_TRIGGER,
};

static const struct rule {
	const char *keyword;
	enum form form;
	size_t min;
	size_t max; /* words; 0: any number */
	const char *flags, *usage;
} rules[] = {
	[INSTRUCTION_ADD] = {"ADD", FORM_WORDS, 2, 0,
			     "chown chmod link exclude checksum keep-git-dir unpack",
			     "ADD SOURCE... DESTINATION"},
	[INSTRUCTION_ARG] = {"ARG", FORM_NAMES, 1, 0, "", "ARG NAME[=VALUE]..."},
	[INSTRUCTION_CMD] = {"CMD", FORM_COMMAND, 0, 0, "", "CMD [\"program\", \"argument\"]"},
	[INSTRUCTION_COPY] = {"COPY", FORM_WORDS, 2, 0, "from chown chmod link parents exclude",
			      "COPY SOURCE... DESTINATION"},
	[INSTRUCTION_ENTRYPOINT] = {"ENTRYPOINT", FORM_COMMAND, 0, 0, "",
				    "ENTRYPOINT [\"program\", \"argument\"]"},
	[INSTRUCTION_ENV] = {"ENV", FORM_PAIRS, 1, 0, "", "ENV NAME=VALUE..."},
	[INSTRUCTION_EXPOSE] = {"EXPOSE", FORM_PLAIN, 1, 0, "", "EXPOSE PORT[/PROTOCOL]..."},
	[INSTRUCTION_FROM] = {"FROM", FORM_PLAIN, 1, 3, "platform", "FROM IMAGE [AS NAME]"},
	[INSTRUCTION_HEALTHCHECK] = {"HEALTHCHECK", FORM_HEALTHCHECK, 1, 0,
				     "interval timeout start-period start-interval retries",
				     "HEALTHCHECK CMD COMMAND, or HEALTHCHECK NONE"},
	[INSTRUCTION_LABEL] = {"LABEL", FORM_PAIRS, 1, 0, "", "LABEL NAME=VALUE..."},
	[INSTRUCTION_MAINTAINER] = {"MAINTAINER", FORM_TEXT, 1, 0, "", "MAINTAINER NAME"},
	[INSTRUCTION_ONBUILD] = {"ONBUILD", FORM_TRIGGER, 1, 0, NULL, "ONBUILD INSTRUCTION"},
	[INSTRUCTION_RUN] = {"RUN", FORM_COMMAND, 0, 0, "mount network security device",
			     "RUN COMMAND"},
	[INSTRUCTION_SHELL] = {"SHELL", FORM_LIST, 1, 0, "", "SHELL [\"program\", \"argument\"]"},
	[INSTRUCTION_STOPSIGNAL] = {"STOPSIGNAL", FORM_PLAIN, 1, 1, "", "STOPSIGNAL SIGNAL"},
	[INSTRUCTION_USER] = {"USER", FORM_TEXT, 1, 1, "", "USER NAME[:GROUP]"},
	[INSTRUCTION_VOLUME] = {"VOLUME", FORM_WORDS, 1, 0, "", "VOLUME PATH..."},
	[INSTRUCTION_WORKDIR] = {"WORKDIR", FORM_TEXT, 1, 1, "", "WORKDIR PATH"},
};

const char *instruction_name(enum instruction_kind kind)
{
	return kind < ARRAY_SIZE(rules) ? rules[kind].keyword : "?";
}

static const char *text_of(const struct instruction_reader *reader)
{
	return reader->line->text.data;
}

static enum instruction_kind find_kind(const char *word, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (strlen(rules[i].keyword) == n && !strncasecmp(rules[i].keyword, word, n))
			return (enum instruction_kind)i;
	return INSTRUCTION_UNKNOWN;
}

static bool unknown_instruction(struct instruction_reader *reader, size_t at, size_t n)
{
	_cleanup_free_ char *word = alloc_string_n(text_of(reader) + at, n < 60 ? n : 60);
	struct place place = logical_line_place(reader->line, at, n);
	const char *names[ARRAY_SIZE(rules)], *meant;
	_cleanup_free_ char *upper = alloc_string(word);

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		names[i] = rules[i].keyword;
	for (char *c = upper; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	meant = str_suggest(upper, names, ARRAY_SIZE(names));
	problems_add(reader->problems, &place, "unknown instruction \"%s\"%s%s%s", word,
		     meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	return false;
}

/* One flag's word, quotes undone; *at is moved behind it. */
static char *take_flag(const char *text, size_t *at, char escape)
{
	struct strbuf word = {0};
	const char *s = text + *at;
	char quote = 0;

	for (; *s && (quote || !isspace((unsigned char)*s)); s++) {
		if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
			quote = quote ? 0 : *s;
			continue;
		}
		if (*s == escape && s[1])
			s++;
		strbuf_addc(&word, *s);
	}
	*at = (size_t)(s - text);
	return strbuf_take(&word);
}

static void check_flag(struct instruction_reader *reader, const struct rule *rule,
		       const struct instruction_flag *flag, bool *ret_ok)
{
	_cleanup_strv_ char **known = strv_split(rule->flags, " ");
	const char *meant;

	if (strv_contains(known, flag->name))
		return;
	meant = str_suggest(flag->name, (const char *const *)known, strv_length(known));
	problems_add(reader->problems, &flag->place, "%s has no flag --%.60s%s%s%s", rule->keyword,
		     flag->name, meant ? "; did you mean --" : "", meant ? meant : "",
		     meant ? "?" : "");
	*ret_ok = false;
}

/* May be given more than once. */
static bool is_repeatable(const char *name)
{
	return !strcmp(name, "mount") || !strcmp(name, "exclude") || !strcmp(name, "device");
}

/* Of these a mere --name says something. */
static bool is_switch(const char *name)
{
	return !strcmp(name, "link") || !strcmp(name, "parents") || !strcmp(name, "keep-git-dir") ||
	       !strcmp(name, "unpack");
}

static bool add_flag(struct instruction_reader *reader, const struct rule *rule,
		     struct instruction *ret, char *word, const struct place *place)
{
	char *equals = strchr(word, '=');
	struct instruction_flag *flag;
	bool ok = true;

	if (equals)
		*equals = '\0';
	if (instruction_flag(ret, word + 2) && !is_repeatable(word + 2)) {
		problems_add(reader->problems, place, "--%.60s is given twice", word + 2);
		ok = false;
	}
	flag = array_add(ret->flags, ret->flag_count);
	flag->name = alloc_string(word + 2);
	flag->value = equals ? alloc_string(equals + 1) : NULL;
	flag->place = *place;
	check_flag(reader, rule, flag, &ok);
	if (ok && !is_switch(flag->name) && (!flag->value || !*flag->value)) {
		problems_add(reader->problems, place, "--%s needs a value: --%s=VALUE", flag->name,
			     flag->name);
		ok = false;
	}
	if (ok && is_switch(flag->name) && flag->value && strcmp(flag->value, "true") &&
	    strcmp(flag->value, "false") && !strchr(flag->value, '$')) {
		problems_add(reader->problems, place, "--%s=%.40s: it must be true or false",
			     flag->name, flag->value);
		ok = false;
	}
	return ok;
}

/* --x and --x=y at the front; "--" ends them. */
static bool read_flags(struct instruction_reader *reader, const struct rule *rule, size_t *at,
		       struct instruction *ret)
{
	const char *text = text_of(reader);
	bool ok = true;

	while (rule->flags && ret->flag_count < FLAGS_MAX) {
		_cleanup_free_ char *word = NULL;
		size_t start;
		struct place place;

		*at += strspn(text + *at, " \t\r\f\v");
		start = *at;
		if (strncmp(text + start, "--", 2) != 0)
			break;
		word = take_flag(text, at, reader->escape);
		if (!strcmp(word, "--"))
			break;
		place = logical_line_place(reader->line, start, *at - start);
		ok = add_flag(reader, rule, ret, word, &place) && ok;
	}
	*at += strspn(text + *at, " \t\r\f\v");
	return ok;
}

/* A JSON list of strings; NULL: it is not one, and meant for the shell. */
static char **read_list(const char *text, bool *ret_json)
{
	struct error ignored = ERROR_INIT;
	_cleanup_json_ json_t *list = NULL;
	json_t *item;
	char **words = NULL;
	size_t i;

	*ret_json = false;
	if (*text != '[' || json_parse(text, strlen(text), &list, &ignored) < 0 ||
	    !json_is_array(list))
		return NULL;
	json_array_foreach(list, i, item)
		if (!json_is_string(item))
			return NULL;
	json_array_foreach(list, i, item)
		strv_append(&words, json_string_value(item));
	*ret_json = true;
	return words;
}

static void warn(struct instruction_reader *reader, const struct place *place, const char *text)
{
	if (!reader->warnings)
		return;
	strbuf_addf(reader->warnings, "%s:%u:%u: %s\n", reader->problems->source->name, place->line,
		    place->column, text);
	problems_excerpt(reader->problems->source, place, reader->warnings);
}

/* Words with their quotes, parted at blanks that are not quoted. */
static char **split_quoted(const char *text, char escape)
{
	struct strbuf word = {0};
	char **words = NULL, quote = 0;
	bool begun = false;

	for (; *text; text++) {
		if (!quote && isspace((unsigned char)*text)) {
			if (begun)
				strv_take(&words, strbuf_take(&word));
			begun = false;
			continue;
		}
		begun = true;
		if (quote ? *text == quote : (*text == '"' || *text == '\''))
			quote = quote ? 0 : *text;
		else if (*text == escape && quote != '\'' && text[1])
			strbuf_addc(&word, *text++);
		strbuf_addc(&word, *text);
	}
	if (begun)
		strv_take(&words, strbuf_take(&word));
	strbuf_done(&word);
	return words;
}

static bool bad_pair(struct instruction_reader *reader, const struct rule *rule, size_t at,
		     const char *word)
{
	const char *found = strstr(text_of(reader) + at, word);
	struct place place = logical_line_place(
		reader->line, found ? (size_t)(found - text_of(reader)) : at, strlen(word));

	problems_add(reader->problems, &place, "%s: \"%.60s\" must be given as NAME=VALUE",
		     rule->keyword, word);
	return false;
}

/* "A=b C=d", or the old "A b c", which is made "A=b c" with its value quoted by nobody. */
static bool read_pairs(struct instruction_reader *reader, const struct rule *rule, size_t at,
		       struct instruction *ret)
{
	const char *arguments = ret->arguments;

	ret->words = split_quoted(arguments, reader->escape);
	if (!ret->words)
		return true; /* counted elsewhere */
	if (!strchr(ret->words[0], '=')) {
		size_t n = strcspn(arguments, " \t");
		const char *value = arguments + n + strspn(arguments + n, " \t");

		if (!*value)
			return bad_pair(reader, rule, at, ret->words[0]);
		strv_free(ret->words);
		ret->words = NULL;
		strv_take(&ret->words, str_printf("%.*s=%s", (int)n, arguments, value));
		warn(reader, &ret->place,
		     "the form NAME VALUE is of old: write NAME=VALUE, with quotes where there are "
		     "blanks (LegacyKeyValueFormat)");
		return true;
	}
	strv_foreach(word, ret->words)
		if (!strchr(word, '=') || *word == '=')
			return bad_pair(reader, rule, at, word);
	return true;
}

static bool read_names(struct instruction_reader *reader, const struct rule *rule, size_t at,
		       struct instruction *ret)
{
	ret->words = split_quoted(ret->arguments, reader->escape);
	strv_foreach(word, ret->words)
		if (*word == '=')
			return bad_pair(reader, rule, at, word);
	return true;
}

static bool read_healthcheck(struct instruction_reader *reader, size_t at, struct instruction *ret)
{
	const char *text = ret->arguments;
	size_t n = strcspn(text, " \t");
	const char *command = text + n + strspn(text + n, " \t");
	struct place place = logical_line_place(reader->line, at, n);
	bool none = n == 4 && !strncasecmp(text, "NONE", 4);

	if (!none && !(n == 3 && !strncasecmp(text, "CMD", 3))) {
		problems_add(reader->problems, &place,
			     "HEALTHCHECK: \"%.*s\" must be CMD and a command, or NONE",
			     n < 40 ? (int)n : 40, text);
		return false;
	}
	if (none == (*command != '\0')) {
		problems_add(reader->problems, &place, "HEALTHCHECK %s",
			     none ? "NONE takes no arguments" : "CMD: the command is missing");
		return false;
	}
	strv_append(&ret->words, none ? "NONE" : "CMD");
	if (none)
		return true;
	{
		char **list = read_list(command, &ret->json);

		strv_foreach(word, list)
			strv_append(&ret->words, word);
		strv_free(list);
	}
	if (!ret->json)
		strv_append(&ret->words, command);
	return true;
}

static bool read_trigger(struct instruction_reader *reader, size_t at, struct instruction *ret)
{
	struct instruction_reader inner = *reader;

	inner.trigger = true;
	ret->trigger = new (struct instruction);
	return instruction_read(&inner, at, ret->trigger);
}

static bool read_form(struct instruction_reader *reader, const struct rule *rule, size_t at,
		      struct instruction *ret)
{
	switch (rule->form) {
	case FORM_WORDS:
	case FORM_COMMAND:
	case FORM_LIST:
		ret->words = read_list(ret->arguments, &ret->json);
		if (!ret->json && rule->form == FORM_WORDS)
			ret->words = strv_split(ret->arguments, " \t");
		if (!ret->json && *ret->arguments == '[' && rule->form == FORM_COMMAND &&
		    ret->arguments[strlen(ret->arguments) - 1] == ']')
			warn(reader, &ret->place,
			     "this is no JSON list of strings (they take double quotes), so the "
			     "shell gets it as it is");
		return true;
	case FORM_PLAIN:
		ret->words = strv_split(ret->arguments, " \t");
		return true;
	case FORM_TEXT:
		if (*ret->arguments)
			strv_append(&ret->words, ret->arguments);
		return true;
	case FORM_PAIRS:
		return read_pairs(reader, rule, at, ret);
	case FORM_NAMES:
		return read_names(reader, rule, at, ret);
	case FORM_HEALTHCHECK:
		return !*ret->arguments || read_healthcheck(reader, at, ret);
	case FORM_TRIGGER:
		return !*ret->arguments || read_trigger(reader, at, ret);
	}
	return true;
}

/* Where the arguments are to be parted, in how many at most. */
static bool check_words(struct instruction_reader *reader, const struct rule *rule,
			const struct instruction *instruction)
{
	const char *text = instruction->arguments, *between = *text == '[' ? "," : " \t";
	size_t words = 1;

	if (*text != '[' && rule->form != FORM_WORDS && rule->form != FORM_PLAIN &&
	    rule->form != FORM_PAIRS && rule->form != FORM_NAMES)
		return true;
	for (; *text; text++)
		words += strchr(between, *text) != NULL;
	if (words <= WORDS_MAX)
		return true;
	problems_add(reader->problems, &instruction->place, "%s has more than %d arguments",
		     rule->keyword, WORDS_MAX);
	return false;
}

static void copy_heredocs(const struct logical_line *line, struct instruction *ret)
{
	for (size_t i = 0; i < line->heredoc_count; i++) {
		const struct heredoc *from = &line->heredocs[i];
		struct heredoc *to = array_add(ret->heredocs, ret->heredoc_count);

		*to = *from;
		to->name = alloc_string(from->name);
		to->content = alloc_string(from->content);
	}
}

/* How many words there are; of ONBUILD and the shell form, whether there are any. */
static bool check_count(struct instruction_reader *reader, const struct rule *rule,
			const struct instruction *ret)
{
	size_t n = strv_length(ret->words);

	if (rule->form == FORM_LIST && !ret->json) {
		problems_add(reader->problems, &ret->place,
			     "SHELL takes a JSON list: [\"/bin/bash\", \"-c\"]");
		return false;
	}
	if (rule->form == FORM_TRIGGER)
		n = ret->trigger != NULL;
	if (ret->kind == INSTRUCTION_RUN && (ret->json ? n == 0 : !*ret->arguments)) {
		problems_add(reader->problems, &ret->place, "RUN: the command is missing");
		return false;
	}
	if (n < rule->min) {
		problems_add(reader->problems, &ret->place, "%s requires %s argument%s: %s",
			     rule->keyword, rule->min == 1 ? "an" : "at least two",
			     rule->min == 1 ? "" : "s", rule->usage);
		return false;
	}
	if (rule->max && n > rule->max) {
		problems_add(reader->problems, &ret->place, "%s has too many arguments: %s",
			     rule->keyword, rule->usage);
		return false;
	}
	return true;
}

static bool check_trigger(struct instruction_reader *reader, const struct instruction *ret)
{
	if (!reader->trigger ||
	    (ret->kind != INSTRUCTION_FROM && ret->kind != INSTRUCTION_ONBUILD &&
	     ret->kind != INSTRUCTION_MAINTAINER))
		return true;
	problems_add(reader->problems, &ret->place, "%s is not allowed as an ONBUILD trigger",
		     instruction_name(ret->kind));
	return false;
}

bool instruction_read(struct instruction_reader *reader, size_t at, struct instruction *ret)
{
	const char *text = text_of(reader);
	size_t start = at, n = strcspn(text + at, " \t\r\f\v"), arguments;
	const struct rule *rule;
	bool ok;

	*ret = (struct instruction){.kind = find_kind(text + at, n),
				    .place = logical_line_place(reader->line, at, n),
				    .last_line = reader->line->last_line};
	if (ret->kind == INSTRUCTION_UNKNOWN)
		return unknown_instruction(reader, at, n);
	rule = &rules[ret->kind];
	if (!check_trigger(reader, ret))
		return false;
	at += n;
	ok = read_flags(reader, rule, &at, ret);
	ret->text = str_printf("%s%s%s", rule->keyword, text[start + n] ? " " : "",
			       text + start + n + strspn(text + start + n, " \t"));
	ret->arguments = alloc_string(text + at);
	arguments = at;
	/* An ONBUILD's are its trigger's. */
	if (ret->kind != INSTRUCTION_ONBUILD)
		copy_heredocs(reader->line, ret);
	if (!check_words(reader, rule, ret) || !read_form(reader, rule, arguments, ret))
		return false;
	return check_count(reader, rule, ret) && ok;
}

void instruction_done(struct instruction *instruction)
{
	for (size_t i = 0; i < instruction->flag_count; i++) {
		free(instruction->flags[i].name);
		free(instruction->flags[i].value);
	}
	for (size_t i = 0; i < instruction->heredoc_count; i++)
		heredoc_done(&instruction->heredocs[i]);
	free(instruction->flags);
	free(instruction->heredocs);
	free(instruction->text);
	free(instruction->arguments);
	strv_free(instruction->words);
	if (instruction->trigger)
		instruction_done(instruction->trigger);
	free(instruction->trigger);
	*instruction = (struct instruction){0};
}

const char *instruction_flag(const struct instruction *instruction, const char *name)
{
	for (size_t i = 0; i < instruction->flag_count; i++)
		if (!strcmp(instruction->flags[i].name, name))
			return instruction->flags[i].value ?: "";
	return NULL;
}

bool instruction_flag_on(const struct instruction *instruction, const char *name)
{
	const char *value = instruction_flag(instruction, name);

	return value && (!*value || !strcmp(value, "true"));
}
