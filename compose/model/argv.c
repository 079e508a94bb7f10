// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

/* Copies up to the closing quote; in double quotes a backslash quotes " \ $ and `. */
static const char *copy_quoted(const char *s, char quote, struct strbuf *word)
{
	for (; *s && *s != quote; s++) {
		if (quote == '"' && *s == '\\' && s[1] && strchr("\"\\$`", s[1]))
			s++;
		strbuf_addc(word, *s);
	}
	return *s ? s + 1 : NULL;
}

/* As strv_take(), without looking for the end each time. */
static void add_word(char ***words, size_t *count, char *word)
{
	*array_add(*words, *count) = word;
	*array_add(*words, *count) = NULL;
	--*count;
}

int argv_split(const char *line, char ***ret)
{
	_cleanup_strv_ char **words = NULL;
	_cleanup_strbuf_ struct strbuf word = {0};
	bool in_word = false;
	size_t count = 0;

	while (line && *line) {
		if (strchr(" \t\r\n", *line)) {
			if (in_word)
				add_word(&words, &count, strbuf_take(&word));
			in_word = false;
			line++;
			continue;
		}
		in_word = true;
		if (*line == '\'' || *line == '"') {
			line = copy_quoted(line + 1, *line, &word);
		} else {
			line += *line == '\\' && line[1];
			strbuf_addc(&word, *line++);
		}
	}
	if (!line)
		return -EINVAL;
	if (in_word)
		add_word(&words, &count, strbuf_take(&word));
	*ret = TAKE_PTR(words);
	return 0;
}

static void decode_words(struct decoder *d, const struct node *node, struct argv *argv)
{
	size_t i = 0, count = 0;

	node_foreach(item, node) {
		char *text = NULL;

		decoder_push_index(d, i++);
		if (decode_string(d, item, &text))
			add_word(&argv->args, &count, text);
		decoder_pop(d);
	}
}

static void argv_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct argv *argv = slot->field;

	if (node->kind == NODE_NULL)
		return;
	argv->set = true;
	if (node->kind == NODE_SEQUENCE)
		decode_words(d, node, argv);
	else if (node->kind != NODE_STRING)
		decode_wrong_type(d, node, "a string or a list of strings");
	else if (argv_split(node->text, &argv->args) < 0)
		decode_problem(d, node, "invalid command line string: a quote is not closed");
}

static json_t *words_encode(const struct argv *argv)
{
	json_t *json = json_array();

	strv_foreach(word, argv->args)
		json_array_append_new(json, json_string_nocheck(word));
	return json;
}

/* null says "the image's own", [] says "none". */
static json_t *argv_encode(const struct slot *slot)
{
	const struct argv *argv = slot->field;

	return argv->set ? words_encode(argv) : json_null();
}

static void argv_release(const struct slot *slot)
{
	struct argv *argv = slot->field;

	strv_free(argv->args);
	*argv = (struct argv){0};
}

const struct shape shape_argv = {argv_decode, argv_encode, argv_release, .nullable = true};

/* A text is for the shell; a list says how it is meant in its first word. */
static void health_test_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct argv *test = slot->field;

	test->set = true;
	if (node->kind == NODE_STRING) {
		strv_append(&test->args, "CMD-SHELL");
		strv_append(&test->args, node->text);
		return;
	}
	if (node->kind != NODE_SEQUENCE) {
		decode_wrong_type(d, node, "a string or a list of strings");
		return;
	}
	decode_words(d, node, test);
	if (test->args && strcmp(test->args[0], "NONE") && strcmp(test->args[0], "CMD") &&
	    strcmp(test->args[0], "CMD-SHELL"))
		decode_problem(d, node, "must start either by \"CMD\", \"CMD-SHELL\" or \"NONE\"");
}

static json_t *health_test_encode(const struct slot *slot)
{
	const struct argv *test = slot->field;

	return test->args ? words_encode(test) : NULL;
}

const struct shape shape_health_test = {health_test_decode, health_test_encode, argv_release};
