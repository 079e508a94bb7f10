/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_TREE_INTERPOLATE_H
#define COMPOSE_TREE_INTERPOLATE_H

/*
 * interpolate.h - $V, ${V}, ${V:-d}, ${V-d}, ${V:?e}, ${V?e}, ${V:+r}, ${V+r}; $$ is a dollar.
 *
 * The word behind an operator may hold further variables. Values are not looked into again. An
 * unset variable is the empty text, and @unset is told.
 */

#include "compose/tree/node.h"
#include "compose/tree/report.h"

/* A text does not grow beyond this. */
#define INTERPOLATE_MAX (4 << 20)

struct interpolation {
	const char *(*lookup)(void *data, const char *name); /* NULL: not set */
	void (*unset)(void *data, const char *name);         /* may be NULL */
	void *data;
};

/* @what names the text in errors: "services.web.image". New string. */
int interpolate_text(const struct interpolation *with, const char *text, const char *what,
		     char **ret, struct error *err);

/* Every string of the tree, keys left alone. Problems go to @report. */
void interpolate_tree(const struct interpolation *with, struct node *root, struct report *report);

struct interpolate_variable {
	const char *name;
	bool required;
	const char *fallback, *alternate; /* NULL: none */
};

/* Calls @found for each variable that the tree's strings mention. */
void interpolate_mentions(const struct node *root,
			  void (*found)(void *data, const struct interpolate_variable *variable),
			  void *data);

#endif
