// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/loader.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/path.h"

#include "compose/model/shapes.h"

const char *loader_variable(const struct loader *l, const char *name)
{
	return map_get(&l->variables, name);
}

struct scope loader_scope(struct loader *l)
{
	return (struct scope){
		.l = l,
		.directory = l->directory,
		.variables = &l->variables,
		.files = l->files,
	};
}

void loader_warn(struct loader *l, const char *format, ...)
{
	char message[512];
	va_list args;

	if (!l->options->warn)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	l->options->warn(l->options->warn_data, message);
}

static const char *home_of(const struct loader *l)
{
	const char *home = loader_variable(l, "HOME");
	const struct passwd *user;

	if (home && *home)
		return home;
	user = getpwuid(getuid());
	return user && user->pw_dir ? user->pw_dir : "/";
}

char *loader_path(const struct loader *l, const char *base, const char *path)
{
	_cleanup_free_ char *joined = NULL;

	if (path[0] == '~' && (!path[1] || path[1] == '/'))
		joined = str_printf("%s%s", home_of(l), path + 1);
	else if (path[0] == '/')
		joined = alloc_string(path);
	else
		joined = str_printf("%s/%s", base, path);
	return path_clean(joined);
}

/* A list's items are found by their text: `networks: [front]` has a place for "front", too. */
static const struct node *find_item(const struct node *node, const char *text)
{
	if (node->kind != NODE_SEQUENCE)
		return node_get(node, text);
	node_foreach(item, node) {
		const struct node *source = node_get(item, "source");
		size_t length = strlen(text);

		if (source && str_equal(source->text, text))
			return source;
		if (item->kind == NODE_STRING && !strncmp(item->text, text, length) &&
		    (!item->text[length] || item->text[length] == ':'))
			return item;
	}
	return NULL;
}

const struct position *loader_at(const struct loader *l, const char *key, ...)
{
	const struct node *node = l->root, *next;
	const struct position *at = &l->root->at;
	va_list keys;

	va_start(keys, key);
	while (key && node && (next = find_item(node, key))) {
		at = next->key && next->key_at.source ? &next->key_at : &next->at;
		node = next;
		key = va_arg(keys, const char *);
	}
	va_end(keys);
	return at;
}

struct position loader_position(const struct loader *l, const char *where)
{
	struct position at = {0};

	for (size_t i = 0; i < l->source_count && *where; i++) {
		const struct source *source = l->sources[i];
		size_t length = strlen(source->name);

		if (strncmp(where, source->name, length) ||
		    sscanf(where + length, ":%u:%u", &at.line, &at.column) != 2)
			continue;
		at.source = source;
		return at;
	}
	return (struct position){0};
}

int loader_failure(struct loader *l, const struct error *err)
{
	struct position at = loader_position(l, err->where);

	if (err->code == E2BIG || err->code == EFBIG)
		return -err->code;
	report_error(&l->report, &at, err);
	return 0;
}

void loader_problem(struct loader *l, const struct position *at, const char *format, ...)
{
	char message[320];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	report_add(&l->report, at, "%s: invalid compose project", message);
}
