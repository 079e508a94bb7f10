// SPDX-License-Identifier: GPL-2.0-or-later
/* Rendering templates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"

#include "compose/cli/view/go_template.h"

#define OUTPUT_MAX    (16 << 20)
#define ARGUMENTS_MAX 16

struct scope {
	struct scope *up;
	const char *name;
	json_t *value; /* counted */
};

struct rendering {
	json_t *root, *dot;
	struct scope *scopes;
	struct strbuf *out;
	struct error *err;
};

bool template_true(const json_t *value)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	case JSON_REAL:
		return json_real_value(value) != 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	default:
		return true;
	}
}

static void add_text(struct strbuf *out, const json_t *value)
{
	json_t *item;
	const char *key;
	size_t i;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		strbuf_add(out, json_string_value(value));
		break;
	case JSON_NULL:
		strbuf_add(out, "<no value>");
		break;
	case JSON_REAL:
		strbuf_addf(out, "%g", json_real_value(value));
		break;
	case JSON_ARRAY:
		strbuf_addc(out, '[');
		json_array_foreach((json_t *)value, i, item) {
			if (i)
				strbuf_addc(out, ' ');
			add_text(out, item);
		}
		strbuf_addc(out, ']');
		break;
	case JSON_OBJECT:
		strbuf_add(out, "map[");
		i = 0;
		json_object_foreach((json_t *)value, key, item) {
			strbuf_addf(out, "%s%s:", i++ ? " " : "", key);
			add_text(out, item);
		}
		strbuf_addc(out, ']');
		break;
	default: {
		_cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY);

		strbuf_add(out, text ? text : "");
	}
	}
}

char *template_text(const json_t *value)
{
	struct strbuf out = {0};

	add_text(&out, value);
	return strbuf_take(&out);
}

static struct scope *find_variable(struct rendering *r, const char *name)
{
	struct scope *scope = r->scopes;

	while (scope && strcmp(scope->name, name) != 0)
		scope = scope->up;
	return scope;
}

/* Takes @value. */
static void declare(struct rendering *r, const char *name, json_t *value)
{
	struct scope *scope = new (struct scope);

	*scope = (struct scope){r->scopes, name, value};
	r->scopes = scope;
}

static void close_scopes(struct rendering *r, struct scope *until)
{
	while (r->scopes != until) {
		struct scope *scope = r->scopes;

		r->scopes = scope->up;
		json_decref(scope->value);
		free(scope);
	}
}

static json_t *evaluate(struct rendering *r, const struct expression *expression);

static json_t *fail(struct rendering *r, const char *what, const char *name)
{
	if (!r->err->code)
		error_set(r->err, EINVAL, "template: %s %s", what, name);
	return NULL;
}

static json_t *field(struct rendering *r, json_t *of, const char *name)
{
	json_t *value = json_object_get(of, name);

	if (value)
		return json_incref(value);
	if (of == r->root || !(json_is_object(of) || json_is_null(of)))
		return fail(r, "can't evaluate field", name);
	return json_null();
}

/* {{.Label "com.example.x"}}: the one method that docker's own rows have. */
static json_t *label(json_t *row, const char *name)
{
	json_t *labels = json_object_get(row, "Labels");
	_cleanup_strv_ char **list = NULL;
	const char *value;

	if (json_is_object(labels)) {
		value = json_string_value(json_object_get(labels, name));
		return json_string(value ? value : "");
	}
	list = strv_split(json_string_value(labels) ?: "", ",");
	value = strv_env_get(list, name);
	return json_string(value ? value : "");
}

static json_t *call(struct rendering *r, const struct expression *expression)
{
	json_t *arguments[ARGUMENTS_MAX] = {0}, *result = NULL;
	size_t count = 0;

	if (expression->child_count > ARGUMENTS_MAX)
		return fail(r, "too many arguments for", expression->name);
	while (count < expression->child_count) {
		arguments[count] = evaluate(r, expression->children[count]);
		if (!arguments[count])
			break;
		count++;
		/* What decides the result is all that is looked at. */
		if ((!strcmp(expression->name, "and") && !template_true(arguments[count - 1])) ||
		    (!strcmp(expression->name, "or") && template_true(arguments[count - 1])))
			break;
	}
	if (!r->err->code)
		(void)template_call(expression->name, arguments, count, &result, r->err);
	for (size_t i = 0; i < count; i++)
		json_decref(arguments[i]);
	return result;
}

static json_t *method(struct rendering *r, const struct expression *expression)
{
	json_t *of = evaluate(r, expression->children[0]), *argument, *result = NULL;

	if (!of)
		return NULL;
	if (strcmp(expression->name, "Label") != 0 || expression->child_count != 2) {
		json_decref(of);
		return fail(r, "has arguments but is not a method:", expression->name);
	}
	argument = evaluate(r, expression->children[1]);
	if (argument)
		result = label(of, json_string_value(argument) ?: "");
	json_decref(argument);
	json_decref(of);
	return result;
}

/* New reference, or NULL with an error. */
static json_t *evaluate(struct rendering *r, const struct expression *expression)
{
	struct scope *variable;
	json_t *of, *value;

	switch (expression->kind) {
	case EXPRESSION_LITERAL:
		return json_incref(expression->value);
	case EXPRESSION_DOT:
		return json_incref(r->dot);
	case EXPRESSION_VARIABLE:
		if (!expression->name[0])
			return json_incref(r->root);
		variable = find_variable(r, expression->name);
		return variable ? json_incref(variable->value)
				: fail(r, "undefined variable", expression->name);
	case EXPRESSION_FIELD:
		of = evaluate(r, expression->children[0]);
		value = of ? field(r, of, expression->name) : NULL;
		json_decref(of);
		return value;
	case EXPRESSION_METHOD:
		return method(r, expression);
	case EXPRESSION_CALL:
		return call(r, expression);
	}
	return NULL;
}

static void render_list(struct rendering *r, const struct template_node *node);

static void render_with_dot(struct rendering *r, const struct template_node *list, json_t *dot)
{
	json_t *before = r->dot;
	struct scope *scopes = r->scopes;

	r->dot = dot;
	render_list(r, list);
	r->dot = before;
	close_scopes(r, scopes);
}

static void render_item(struct rendering *r, const struct template_node *node, json_t *index,
			json_t *item)
{
	struct scope *scopes = r->scopes;

	if (node->index_variable)
		declare(r, node->index_variable, json_incref(index));
	if (node->text)
		declare(r, node->text, json_incref(item));
	render_with_dot(r, node->body, item);
	close_scopes(r, scopes);
	json_decref(index);
}

static void render_range(struct rendering *r, const struct template_node *node, json_t *over)
{
	const char *key;
	json_t *item;
	size_t i;

	if (!template_true(over)) {
		render_with_dot(r, node->otherwise, r->dot);
	} else if (json_is_array(over)) {
		json_array_foreach(over, i, item) {
			if (!r->err->code)
				render_item(r, node, json_integer((json_int_t)i), item);
		}
	} else if (json_is_object(over)) {
		json_object_foreach(over, key, item) {
			if (!r->err->code)
				render_item(r, node, json_string(key), item);
		}
	} else {
		fail(r, "range can't iterate over", json_is_string(over) ? "a string" : "it");
	}
}

static void render_action(struct rendering *r, const struct template_node *node, json_t *value)
{
	struct scope *variable = node->text ? find_variable(r, node->text) : NULL;

	if (!node->text) {
		add_text(r->out, value);
	} else if (node->declares) {
		declare(r, node->text, json_incref(value));
	} else if (variable) {
		json_decref(variable->value);
		variable->value = json_incref(value);
	} else {
		fail(r, "undefined variable", node->text);
	}
}

static void render_node(struct rendering *r, const struct template_node *node)
{
	struct scope *scopes = r->scopes;
	json_t *value;

	if (node->kind == TEMPLATE_TEXT) {
		strbuf_add(r->out, node->text);
		return;
	}
	value = evaluate(r, node->expression);
	if (!value)
		return;
	/* {{if $x := .Name}} */
	if (node->text && (node->kind == TEMPLATE_IF || node->kind == TEMPLATE_WITH))
		declare(r, node->text, json_incref(value));
	switch (node->kind) {
	case TEMPLATE_RANGE:
		render_range(r, node, value);
		break;
	case TEMPLATE_IF:
		render_with_dot(r, template_true(value) ? node->body : node->otherwise, r->dot);
		break;
	case TEMPLATE_WITH:
		if (!template_true(value))
			render_with_dot(r, node->otherwise, r->dot);
		else
			render_with_dot(r, node->body, value);
		break;
	default:
		render_action(r, node, value);
		scopes = r->scopes;
	}
	close_scopes(r, scopes);
	json_decref(value);
}

static void render_list(struct rendering *r, const struct template_node *node)
{
	for (; node && !r->err->code; node = node->next) {
		render_node(r, node);
		if (r->out->length > OUTPUT_MAX)
			fail(r, "its output is larger than", "16 MB");
	}
}

int template_render(const struct template *template, json_t *value, struct strbuf *out,
		    struct error *err)
{
	struct rendering rendering = {.root = value, .dot = value, .out = out, .err = err};

	render_list(&rendering, template->nodes);
	close_scopes(&rendering, NULL);
	return err->code ? -err->code : 0;
}
