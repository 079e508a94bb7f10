/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_VIEW_GO_TEMPLATE_H
#define COMPOSE_CLI_VIEW_GO_TEMPLATE_H

/*
 * go_template.h - Go's text/template over JSON, as far as people use it with --format: fields,
 * pipelines, variables, if, range, with, and docker's functions.
 *
 * A template is parsed whole before anything is printed. Fields of the value it is rendered for
 * have to exist (they are a struct's, in Go); those of maps inside need not.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"
#include "common/str.h"

struct template;

int template_parse(const char *text, struct template **ret, struct error *err);
void template_free(struct template *template);
int template_render(const struct template *template, json_t *value, struct strbuf *out,
		    struct error *err);

/* As Go prints it: strings bare, [a b], map[k:v], <no value> for null. New string. */
char *template_text(const json_t *value);
/* What `if` takes for true: not zero, empty, false or null. */
bool template_true(const json_t *value);

/*
 * Calls a function by name; -ENOSYS: there is none. *ret is a new reference. Arguments are
 * borrowed.
 */
int template_call(const char *name, json_t *const *arguments, size_t count, json_t **ret,
		  struct error *err);
bool template_function_exists(const char *name);

/* The tree; for go_template*.c. */
enum expression_kind {
	EXPRESSION_LITERAL,  /* value */
	EXPRESSION_DOT,      /* . */
	EXPRESSION_VARIABLE, /* name, "" for $ */
	EXPRESSION_FIELD,    /* children[0] . name */
	EXPRESSION_CALL,     /* name of a function, children its arguments */
	EXPRESSION_METHOD,   /* children[0] . name with further children as arguments */
};

struct expression {
	enum expression_kind kind;
	char *name;
	json_t *value;
	struct expression **children;
	size_t child_count;
};

enum template_kind { TEMPLATE_TEXT, TEMPLATE_ACTION, TEMPLATE_IF, TEMPLATE_RANGE, TEMPLATE_WITH };

struct template_node {
	enum template_kind kind;
	char *text;           /* text; action: the variable it sets, or NULL */
	char *index_variable; /* range $i, $v := ... */
	bool declares;        /* := rather than = */
	struct expression *expression;
	struct template_node *body, *otherwise; /* lists */
	struct template_node *next;
};

struct template
{
	struct template_node *nodes;
};

#endif
