// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading templates. */
#include "compose/cli/view/go_template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"

#define DEPTH_MAX 64

struct parser {
	const char *at;
	bool trim; /* the action before ended with -}} */
	unsigned int depth;
	struct error *err;
};

static void expression_free(struct expression *expression)
{
	if (!expression)
		return;
	for (size_t i = 0; i < expression->child_count; i++)
		expression_free(expression->children[i]);
	free(expression->children);
	free(expression->name);
	json_decref(expression->value);
	free(expression);
}

static void nodes_free(struct template_node *node)
{
	for (struct template_node *next; node; node = next) {
		next = node->next;
		free(node->text);
		free(node->index_variable);
		expression_free(node->expression);
		nodes_free(node->body);
		nodes_free(node->otherwise);
		free(node);
	}
}

void template_free(struct template *template)
{
	if (!template)
		return;
	nodes_free(template->nodes);
	free(template);
}

static int fail(struct parser *parser, const char *what)
{
	if (parser->err->code)
		return -parser->err->code;
	return error_set(parser->err, EINVAL, "template parsing error: %s, before '%.20s'", what,
			 parser->at);
}

static struct expression *expression_new(enum expression_kind kind, char *name)
{
	struct expression *expression = new (struct expression);

	expression->kind = kind;
	expression->name = name;
	return expression;
}

static void add_child(struct expression *expression, struct expression *child)
{
	*array_add(expression->children, expression->child_count) = child;
}

static void skip_space(struct parser *parser)
{
	while (isspace((unsigned char)*parser->at))
		parser->at++;
}

static char *take_word(struct parser *parser)
{
	const char *begin = parser->at;

	while (isalnum((unsigned char)*parser->at) || *parser->at == '_')
		parser->at++;
	return alloc_string_n(begin, (size_t)(parser->at - begin));
}

static void add_escaped(struct strbuf *text, char c)
{
	static const char from[] = "nrt", to[] = "\n\r\t";
	const char *at = strchr(from, c);

	strbuf_addc(text, at && c ? to[at - from] : c);
}

static struct expression *parse_string(struct parser *parser)
{
	char quote = *parser->at++;
	struct expression *expression = expression_new(EXPRESSION_LITERAL, NULL);
	_cleanup_strbuf_ struct strbuf text = {0};

	while (*parser->at && *parser->at != quote) {
		if (quote == '"' && *parser->at == '\\' && parser->at[1])
			add_escaped(&text, *++parser->at);
		else
			strbuf_addc(&text, *parser->at);
		parser->at++;
	}
	if (*parser->at != quote)
		fail(parser, "unterminated quoted string");
	else
		parser->at++;
	expression->value = json_string(text.data ? text.data : "");
	if (!expression->value)
		fail(parser, "a string that is not UTF-8");
	return expression;
}

static struct expression *parse_number(struct parser *parser)
{
	struct expression *expression = expression_new(EXPRESSION_LITERAL, NULL);
	char *end;
	double real = strtod(parser->at, &end);
	const char *point = memchr(parser->at, '.', (size_t)(end - parser->at));

	expression->value = point ? json_real(real) : json_integer(strtoll(parser->at, NULL, 0));
	if (!point)
		(void)strtoll(parser->at, &end, 0);
	parser->at = end;
	return expression;
}

static struct expression *parse_pipeline(struct parser *parser);

static struct expression *parse_word(struct parser *parser)
{
	char *word = take_word(parser);
	struct expression *expression;

	if (!strcmp(word, "true") || !strcmp(word, "false") || !strcmp(word, "nil")) {
		expression = expression_new(EXPRESSION_LITERAL, NULL);
		expression->value = word[0] == 'n' ? json_null() : json_boolean(word[0] == 't');
		free(word);
		return expression;
	}
	if (!parser->err->code && !template_function_exists(word))
		error_set(parser->err, EINVAL, "template: function \"%s\" not defined", word);
	return expression_new(EXPRESSION_CALL, word);
}

static struct expression *parse_primary(struct parser *parser)
{
	struct expression *expression;

	switch (*parser->at) {
	case '"':
	case '`':
		return parse_string(parser);
	case '.':
		if (isalpha((unsigned char)parser->at[1]) || parser->at[1] == '_')
			return expression_new(EXPRESSION_DOT, NULL);
		parser->at++;
		return expression_new(EXPRESSION_DOT, NULL);
	case '$':
		parser->at++;
		return expression_new(EXPRESSION_VARIABLE, take_word(parser));
	case '(':
		parser->at++;
		expression = parse_pipeline(parser);
		skip_space(parser);
		if (*parser->at == ')')
			parser->at++;
		else
			fail(parser, "unclosed left paren");
		return expression;
	default:
		if (isdigit((unsigned char)*parser->at) ||
		    ((*parser->at == '-' || *parser->at == '+') &&
		     isdigit((unsigned char)parser->at[1])))
			return parse_number(parser);
		if (isalpha((unsigned char)*parser->at) || *parser->at == '_')
			return parse_word(parser);
		fail(parser, "unexpected character");
		return NULL;
	}
}

/* A primary with the fields behind it: .A.B, $x.C, (...).D */
static struct expression *parse_operand(struct parser *parser)
{
	struct expression *expression = parse_primary(parser);

	while (expression && *parser->at == '.' &&
	       (isalpha((unsigned char)parser->at[1]) || parser->at[1] == '_')) {
		struct expression *field;

		parser->at++;
		field = expression_new(EXPRESSION_FIELD, take_word(parser));
		add_child(field, expression);
		expression = field;
	}
	return expression;
}

static bool operand_follows(struct parser *parser)
{
	skip_space(parser);
	return *parser->at && *parser->at != '|' && *parser->at != ')' && *parser->at != '}' &&
	       *parser->at != ',' && *parser->at != ':' && *parser->at != '=' &&
	       !(parser->at[0] == '-' && parser->at[1] == '}');
}

static struct expression *parse_command(struct parser *parser)
{
	struct expression *command;

	skip_space(parser);
	command = parse_operand(parser);
	while (command && !parser->err->code && operand_follows(parser)) {
		struct expression *argument;

		if (command->kind == EXPRESSION_FIELD)
			command->kind = EXPRESSION_METHOD;
		if (command->kind != EXPRESSION_CALL && command->kind != EXPRESSION_METHOD) {
			fail(parser, "a value takes no argument");
			break;
		}
		argument = parse_operand(parser);
		if (argument)
			add_child(command, argument);
	}
	return command;
}

static struct expression *parse_pipeline(struct parser *parser)
{
	struct expression *left = NULL;

	if (++parser->depth > DEPTH_MAX)
		fail(parser, "nested too deeply");
	else
		left = parse_command(parser);
	skip_space(parser);
	while (left && !parser->err->code && *parser->at == '|') {
		struct expression *right;

		parser->at++;
		right = parse_command(parser);
		if (right && right->kind == EXPRESSION_FIELD)
			right->kind = EXPRESSION_METHOD;
		if (!right ||
		    (right->kind != EXPRESSION_CALL && right->kind != EXPRESSION_METHOD)) {
			fail(parser, "non executable command in pipeline");
			expression_free(right);
			break;
		}
		add_child(right, left);
		left = right;
		skip_space(parser);
	}
	parser->depth--;
	return left;
}

/* "$x :=" or "$i, $x :=" before a pipeline. */
static void parse_declaration(struct parser *parser, struct template_node *node)
{
	const char *begin = parser->at;
	char *first, *second = NULL;

	skip_space(parser);
	if (*parser->at != '$')
		return;
	parser->at++;
	first = take_word(parser);
	skip_space(parser);
	if (*parser->at == ',') {
		parser->at++;
		skip_space(parser);
		if (*parser->at == '$')
			parser->at++;
		second = take_word(parser);
		skip_space(parser);
	}
	if (parser->at[0] == ':' && parser->at[1] == '=') {
		parser->at += 2;
		node->declares = true;
	} else if (parser->at[0] == '=') {
		parser->at++;
	} else {
		parser->at = begin;
		free(first);
		free(second);
		return;
	}
	node->text = second ? second : first;
	node->index_variable = second ? first : NULL;
}

static int end_action(struct parser *parser)
{
	skip_space(parser);
	parser->trim = false;
	if (*parser->at == '-' && parser->at[1] == '}') {
		parser->trim = true;
		parser->at++;
	}
	if (parser->at[0] != '}' || parser->at[1] != '}')
		return fail(parser, "unclosed action");
	parser->at += 2;
	return 0;
}

/* Text up to the next action, with \t and \n as docker has them. */
static struct template_node *parse_text(struct parser *parser)
{
	const char *open = strstr(parser->at, "{{");
	const char *end = open ? open : parser->at + strlen(parser->at);
	struct template_node *node;
	struct strbuf text = {0};

	if (parser->trim)
		while (parser->at < end && isspace((unsigned char)*parser->at))
			parser->at++;
	for (; parser->at < end; parser->at++) {
		if (parser->at[0] == '\\' && parser->at + 1 < end && strchr("nt", parser->at[1]))
			strbuf_addc(&text, *++parser->at == 'n' ? '\n' : '\t');
		else
			strbuf_addc(&text, *parser->at);
	}
	if (open && open[2] == '-' && isspace((unsigned char)open[3]))
		while (text.length && isspace((unsigned char)text.data[text.length - 1]))
			text.data[--text.length] = '\0';
	node = new (struct template_node);
	node->kind = TEMPLATE_TEXT;
	node->text = strbuf_take(&text);
	return node;
}

static void begin_action(struct parser *parser)
{
	parser->at += 2;
	if (parser->at[0] == '-' && isspace((unsigned char)parser->at[1]))
		parser->at++;
	skip_space(parser);
}

static bool takes_keyword(struct parser *parser, const char *keyword)
{
	size_t length = strlen(keyword);

	if (strncmp(parser->at, keyword, length) != 0 ||
	    isalnum((unsigned char)parser->at[length]) || parser->at[length] == '_')
		return false;
	parser->at += length;
	skip_space(parser);
	return true;
}

enum list_end { LIST_EOF, LIST_END, LIST_ELSE };

static enum list_end parse_list(struct parser *parser, struct template_node **ret);

/* `if`, `range` or `with`, up to its end; `else if` is one more inside. */
static void parse_block(struct parser *parser, struct template_node *node)
{
	enum list_end end;

	if (++parser->depth > DEPTH_MAX) {
		fail(parser, "nested too deeply");
		return;
	}
	parse_declaration(parser, node);
	node->expression = parse_pipeline(parser);
	if (!node->expression || end_action(parser) < 0)
		return;
	end = parse_list(parser, &node->body);
	if (end == LIST_ELSE && takes_keyword(parser, "if")) {
		node->otherwise = new (struct template_node);
		node->otherwise->kind = TEMPLATE_IF;
		parse_block(parser, node->otherwise);
	} else if (end == LIST_ELSE && end_action(parser) >= 0) {
		end = parse_list(parser, &node->otherwise);
	}
	if (end == LIST_EOF)
		fail(parser, "unexpected end: an {{end}} is missing");
	parser->depth--;
}

static struct template_node *parse_action(struct parser *parser)
{
	static const struct {
		const char *keyword;
		enum template_kind kind;
	} blocks[] = {{"if", TEMPLATE_IF}, {"range", TEMPLATE_RANGE}, {"with", TEMPLATE_WITH}};
	struct template_node *node = new (struct template_node);

	array_foreach(block, blocks) {
		if (!takes_keyword(parser, block->keyword))
			continue;
		node->kind = block->kind;
		parse_block(parser, node);
		return node;
	}
	node->kind = TEMPLATE_ACTION;
	parse_declaration(parser, node);
	node->expression = parse_pipeline(parser);
	if (!parser->err->code)
		(void)end_action(parser);
	return node;
}

static bool skip_comment(struct parser *parser)
{
	const char *end = strncmp(parser->at, "/*", 2) ? NULL : strstr(parser->at, "*/");

	if (!end)
		return false;
	parser->at = end + 2;
	(void)end_action(parser);
	return true;
}

static enum list_end parse_list(struct parser *parser, struct template_node **ret)
{
	while (*parser->at && !parser->err->code) {
		if (strncmp(parser->at, "{{", 2) != 0) {
			*ret = parse_text(parser);
			ret = &(*ret)->next;
			parser->trim = false;
			continue;
		}
		begin_action(parser);
		if (skip_comment(parser))
			continue;
		if (takes_keyword(parser, "end")) {
			(void)end_action(parser);
			return LIST_END;
		}
		if (takes_keyword(parser, "else"))
			return LIST_ELSE;
		*ret = parse_action(parser);
		ret = &(*ret)->next;
	}
	return LIST_EOF;
}

int template_parse(const char *text, struct template **ret, struct error *err)
{
	struct parser parser = {.at = text, .err = err};
	struct template *template = new (struct template);

	if (parse_list(&parser, &template->nodes) != LIST_EOF)
		fail(&parser, "unexpected {{end}} or {{else}}");
	if (err->code) {
		template_free(template);
		return -err->code;
	}
	*ret = template;
	return 0;
}
