// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/interpolate.h"

#include <ctype.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#define NESTING_MAX 32

struct expansion {
	const struct interpolation *with;
	const char *text, *what; /* for messages */
	unsigned int depth;
	struct error *err;
};

/* One ${NAME op WORD}. */
struct reference {
	char *name;
	bool colon; /* an empty value counts as none */
	char op;    /* '-', '?', '+', or 0 */
	const char *word;
	size_t word_length;
};

static size_t name_length(const char *s, size_t n)
{
	size_t i = 0;

	if (!n || !(isalpha((unsigned char)*s) || *s == '_'))
		return 0;
	while (i < n && (isalnum((unsigned char)s[i]) || s[i] == '_'))
		i++;
	return i;
}

/* From behind "${": the length up to its own "}", or 0 when there is none. */
static size_t braced_length(const char *s, size_t n)
{
	unsigned int depth = 1;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '$' && i + 1 < n && s[i + 1] == '$') {
			i++;
		} else if (s[i] == '$' && i + 1 < n && s[i + 1] == '{') {
			depth++;
			i++;
		} else if (s[i] == '}' && !--depth) {
			return i;
		}
	}
	return 0;
}

/* Of a longer text only the line with the dollar is shown: an error has its limits. */
#define EXCERPT_MAX 100

static const char *excerpt(const char *text, const char *dollar, size_t *ret_length)
{
	const char *line = text, *next;

	*ret_length = strlen(text);
	if (*ret_length <= EXCERPT_MAX)
		return text;
	while ((next = strchr(line, '\n')) && next < dollar)
		line = next + 1;
	*ret_length = strcspn(line, "\n");
	if (*ret_length > EXCERPT_MAX)
		*ret_length = EXCERPT_MAX;
	return line;
}

/* @s: what stands behind the dollar. The first lines are docker compose's. */
static int format_error(const struct expansion *e, const char *s, size_t n)
{
	const char *why = "begins no variable: a dollar is written $$", *shown;
	size_t length, quoted = n ? 1 : 0;

	if (n && *s == '{') {
		quoted = braced_length(s + 1, n - 1) + 2;
		why = "is none of ${NAME}, ${NAME:-default}, ${NAME:?message}, ${NAME:+other}";
		if (quoted == 2 && !(n > 1 && s[1] == '}')) {
			why = "has no } that closes it";
			quoted = n;
		}
	}
	shown = excerpt(e->text, s, &length);
	return error_set(e->err, EINVAL,
			 "invalid interpolation format for %.80s.\n"
			 "You may need to escape any $ with another $.\n%.*s\n"
			 "\"$%.*s\" %s",
			 e->what, (int)length, shown, (int)(quoted < 40 ? quoted : 40), s, why);
}

static bool parse_braced(const char *s, size_t n, struct reference *ret)
{
	size_t length = name_length(s, n);

	if (!length)
		return false;
	ret->name = alloc_string_n(s, length);
	s += length;
	n -= length;
	if (!n)
		return true;
	ret->colon = *s == ':';
	s += ret->colon;
	n -= ret->colon;
	if (!n || !strchr("-?+", *s))
		return false;
	ret->op = *s;
	ret->word = s + 1;
	ret->word_length = n - 1;
	return true;
}

static int expand(const struct expansion *e, const char *s, size_t n, struct strbuf *out);

static int required_missing(const struct expansion *e, const struct reference *reference)
{
	_cleanup_strbuf_ struct strbuf message = {0};
	int r = expand(e, reference->word, reference->word_length, &message);

	if (r < 0)
		return r;
	return error_set(
		e->err, EINVAL,
		"error while interpolating %s: required variable %s is missing a value%s%s",
		e->what, reference->name, message.length ? ": " : "",
		message.length ? message.data : "");
}

static int substitute(const struct expansion *e, const struct reference *reference,
		      struct strbuf *out)
{
	const char *value = e->with->lookup(e->with->data, reference->name);
	bool has = value && !(reference->colon && !*value);

	if (reference->op == '+')
		return has ? expand(e, reference->word, reference->word_length, out) : 0;
	if (!has && reference->op == '-')
		return expand(e, reference->word, reference->word_length, out);
	if (!has && reference->op == '?')
		return required_missing(e, reference);
	if (!value && e->with->unset)
		e->with->unset(e->with->data, reference->name);
	if (value)
		strbuf_add(out, value);
	return 0;
}

/* What stands behind the dollar; *ret_used counts from behind it. */
static int expand_reference(const struct expansion *e, const char *s, size_t n, struct strbuf *out,
			    size_t *ret_used)
{
	struct reference reference = {0};
	struct expansion inner = *e;
	size_t length;
	int r;

	inner.depth++;
	if (n && *s == '{') {
		length = braced_length(s + 1, n - 1);
		*ret_used = length + 2;
		if (e->depth >= NESTING_MAX || !length ||
		    !parse_braced(s + 1, length, &reference)) {
			free(reference.name);
			return format_error(e, s, n);
		}
	} else {
		length = name_length(s, n);
		*ret_used = length;
		if (!length)
			return format_error(e, s, n);
		reference.name = alloc_string_n(s, length);
	}
	r = substitute(&inner, &reference, out);
	free(reference.name);
	return r;
}

static int expand(const struct expansion *e, const char *s, size_t n, struct strbuf *out)
{
	size_t i = 0;

	while (i < n) {
		const char *dollar = memchr(s + i, '$', n - i);
		size_t plain = dollar ? (size_t)(dollar - s) - i : n - i, used = 1;
		int r = 0;

		strbuf_add_n(out, s + i, plain);
		i += plain;
		if (!dollar)
			break;
		i++;
		if (i < n && s[i] == '$')
			strbuf_addc(out, '$');
		else
			r = expand_reference(e, s + i, n - i, out, &used);
		if (r < 0)
			return r;
		i += used;
		if (out->length > INTERPOLATE_MAX)
			return error_set(e->err, E2BIG, "%s: too long after interpolation",
					 e->what);
	}
	return 0;
}

int interpolate_text(const struct interpolation *with, const char *text, const char *what,
		     char **ret, struct error *err)
{
	struct expansion e = {.with = with, .text = text, .what = what, .err = err};
	_cleanup_strbuf_ struct strbuf out = {0};
	int r = expand(&e, text, strlen(text), &out);

	if (r < 0)
		return r;
	*ret = strbuf_take(&out);
	return 0;
}

/* Where the walk is; the path is only put together for the few that need it. */
struct place {
	const struct place *parent;
	const char *key; /* NULL: number @index of a list, or the root */
	size_t index;
};

struct walk {
	const struct interpolation *with;
	struct report *report;
};

static void add_path(struct strbuf *path, const struct place *place)
{
	if (!place->parent)
		return;
	add_path(path, place->parent);
	if (path->length)
		strbuf_addc(path, '.');
	if (place->key)
		strbuf_add(path, place->key);
	else
		strbuf_addf(path, "[%zu]", place->index);
}

/*
 * Where in the file the dollar stands that the error is about, which format_error() has put between
 * quotes at the end; a text of several lines, or one in quotes, does not begin at its position.
 */
static struct position dollar_position(const struct node *node, const char *message)
{
	struct position at = node->at;
	const char *shown = strrchr(message, '\n'), *text = at.source ? at.source->text : NULL;
	const char *end = shown ? strchr(shown, ' ') : NULL, *found, *start;
	size_t length = end ? strcspn(shown + 2, "\"") : 0;

	for (uint32_t line = 1; text && line < at.line; line++) {
		text = strchr(text, '\n');
		text += text != NULL;
	}
	if (!text || length == 0 || shown[1] != '"' || shown[2] != '$' ||
	    strnlen(text, at.column) < at.column)
		return at;
	start = text;
	found = text + at.column - 2;
	do {
		found++;
		found = memmem(found, strlen(found), shown + 2, length);
	} while (found && found > text && (found[-1] == '$' || (length == 1 && found[1] == '$')));
	/* Further away than the text is long, it is another's. */
	if (!found || (size_t)(found - text) > at.column + 4 * strlen(node->text) + 16)
		return at;
	for (; text < found; text++)
		if (*text == '\n') {
			at.line++;
			start = text + 1;
		}
	at.column = (uint32_t)(found - start) + 1;
	return at;
}

static void interpolate_node(const struct walk *walk, struct node *node, const struct place *place)
{
	_cleanup_strbuf_ struct strbuf path = {0};
	struct error err = ERROR_INIT;
	char where[sizeof(err.where)];
	char *text = NULL;

	add_path(&path, place);
	if (interpolate_text(walk->with, node->text, path.data ? path.data : "", &text, &err) < 0) {
		struct position at = dollar_position(node, err.message);

		(void)snprintf(err.where, sizeof(err.where), "%s",
			       position_text(&at, where, sizeof(where)));
		report_error(walk->report, &at, &err);
		node->broken = true;
		return;
	}
	free(node->text);
	node->text = text;
	node->date = false;
}

static void walk_tree(const struct walk *walk, struct node *node, const struct place *place)
{
	size_t i = 0;

	if (node->kind == NODE_STRING && strchr(node->text, '$'))
		interpolate_node(walk, node, place);
	node_foreach(child, node) {
		struct place inner = {place, node->kind == NODE_MAPPING ? child->key : NULL, i++};

		walk_tree(walk, child, &inner);
	}
}

void interpolate_tree(const struct interpolation *with, struct node *root, struct report *report)
{
	const struct walk walk = {.with = with, .report = report};
	const struct place top = {0};

	walk_tree(&walk, root, &top);
}

struct mentions {
	void (*found)(void *data, const struct interpolate_variable *variable);
	void *data;
	unsigned int depth;
};

static void mentions_in(struct mentions *m, const char *s, size_t n);

static void mention(struct mentions *m, const struct reference *reference)
{
	_cleanup_free_ char *word =
		alloc_string_n(reference->word ? reference->word : "", reference->word_length);
	struct interpolate_variable variable = {
		.name = reference->name,
		.required = reference->op == '?',
		.fallback = reference->op == '-' ? word : NULL,
		.alternate = reference->op == '+' ? word : NULL,
	};

	m->found(m->data, &variable);
	if (reference->word && m->depth < NESTING_MAX) {
		m->depth++;
		mentions_in(m, reference->word, reference->word_length);
		m->depth--;
	}
}

static void mentions_in(struct mentions *m, const char *s, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		struct reference reference = {0};
		size_t length;

		if (s[i] != '$')
			continue;
		i++;
		if (s[i] == '{') {
			length = braced_length(s + i + 1, n - i - 1);
			if (length && parse_braced(s + i + 1, length, &reference))
				mention(m, &reference);
			i += length;
		} else {
			length = name_length(s + i, n - i);
			reference.name = alloc_string_n(s + i, length);
			if (length)
				mention(m, &reference);
			i += length ? length - 1 : 0;
		}
		free(reference.name);
	}
}

void interpolate_mentions(const struct node *root,
			  void (*found)(void *data, const struct interpolate_variable *variable),
			  void *data)
{
	struct mentions m = {.found = found, .data = data};

	if (root->kind == NODE_STRING)
		mentions_in(&m, root->text, strlen(root->text));
	node_foreach(child, root)
		interpolate_mentions(child, found, data);
}
