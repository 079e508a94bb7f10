// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/name.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/load/variables.h"

static bool is_project_name(const char *name)
{
	if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '_' && *name != '-')
			return false;
	return true;
}

static int use_name(struct loader *l, const char *name, const struct position *at,
		    struct error *err)
{
	if (!is_project_name(name))
		return error_at(
			err, at,
			"invalid project name \"%s\": must consist only of lowercase "
			"alphanumeric characters, hyphens, and underscores as well as start "
			"with a letter or number",
			name);
	free(l->name);
	l->name = alloc_string(name);
	return 0;
}

/* The folder's name in lower case, without what a project's name may not have. */
static char *name_of_folder(const char *directory)
{
	const char *base = strrchr(directory, '/');
	struct strbuf name = {0};

	for (base = base ? base + 1 : directory; *base; base++) {
		char c = (char)tolower((unsigned char)*base);

		if (islower((unsigned char)c) || isdigit((unsigned char)c) ||
		    ((c == '_' || c == '-') && name.length))
			strbuf_addc(&name, c);
	}
	return strbuf_take(&name);
}

int name_from_outside(struct loader *l, struct error *err)
{
	const char *variable = loader_variable(l, "COMPOSE_PROJECT_NAME");

	if (l->options->project_name && *l->options->project_name)
		return use_name(l, l->options->project_name, NULL, err);
	if (variable && *variable)
		return use_name(l, variable, NULL, err);
	return 0;
}

/* The last file that has `name:` names the project, unless the command line did. */
static int name_from_file(struct loader *l, struct node *root, struct error *err)
{
	struct interpolation with = variables_interpolation(l);
	const struct node *name = node_get(root, "name");
	_cleanup_free_ char *text = NULL;
	int r;

	if (!name || name->kind != NODE_STRING)
		return 0;
	r = interpolate_text(&with, name->text, "name", &text, err);
	if (r < 0) {
		struct error inner = *err;

		return error_at(err, &name->at, "%s", inner.message);
	}
	return use_name(l, text, &name->at, err);
}

int name_project(struct loader *l, const struct yaml_documents *documents, size_t count,
		 struct error *err)
{
	int r = name_from_outside(l, err);
	bool named = l->name != NULL;

	for (size_t i = 0; r >= 0 && !named && i < count; i++)
		for (size_t n = 0; r >= 0 && n < documents[i].count; n++)
			r = name_from_file(l, documents[i].items[n], err);
	if (r < 0)
		return r;
	if (!l->name)
		l->name = name_of_folder(l->directory);
	if (!*l->name)
		return error_set(err, EINVAL,
				 "project name must not be empty: give one with -p or `name:`");
	free(map_set(&l->variables, "COMPOSE_PROJECT_NAME", alloc_string(l->name)));
	return 0;
}
