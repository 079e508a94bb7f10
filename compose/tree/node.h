/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_TREE_NODE_H
#define COMPOSE_TREE_NODE_H

/*
 * node.h - what a file says, each value with the place where it stands.
 *
 * A node owns its text and its children. Positions point into a struct source, which outlives
 * every node made from it: merging moves and copies nodes between trees, and each still tells
 * where the user wrote it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/map.h"

/* A file as it was read; @text is kept to show the line an error is about. */
struct source {
	char *name;      /* as the user knows it: relative to where they stand, if it is below */
	char *path;      /* absolute; NULL for stdin and for what is not a file */
	char *directory; /* what relative paths in it start from; NULL: the project's directory */
	const struct map *variables; /* what ${...} in it sees; borrowed, may be NULL */
	char *text;
	size_t size;
	size_t number; /* in the order in which they were read */
};

struct source *source_new(const char *name, const char *path);
void source_free(struct source *source);

struct position {
	const struct source *source; /* NULL: nowhere, it is berth's own */
	uint32_t line, column;       /* from 1; a line of 0: the file as a whole */
};

/* "compose.yaml:7:9", or "" for nowhere. Returns @buffer. */
const char *position_text(const struct position *at, char *buffer, size_t size);

/* As error_set(EINVAL), with the position beside the message. */
int error_at(struct error *err, const struct position *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum node_kind {
	NODE_NULL,
	NODE_BOOL,
	NODE_INT,
	NODE_FLOAT,
	NODE_STRING,
	NODE_SEQUENCE,
	NODE_MAPPING,
};

enum node_tag {
	NODE_UNTAGGED,
	NODE_RESET,    /* !reset: as if nobody had said it */
	NODE_OVERRIDE, /* !override: replaces what earlier files say */
};

struct node {
	enum node_kind kind;
	enum node_tag tag;
	bool date;   /* a string that YAML calls a timestamp: refused where text is wanted */
	bool broken; /* what is wrong with it was told already */
	struct position at;
	char *key; /* in a mapping: its key and where that stands */
	struct position key_at;
	char *text; /* scalars: as written, or as interpolated */
	union {
		bool boolean;
		int64_t integer;
		double number;
	};
	struct node **items; /* sequence and mapping */
	size_t count;
	struct map *index; /* of a large mapping; node_get() makes it */
};

struct node *node_new(enum node_kind kind, const struct position *at);
struct node *node_string(const char *text, const struct position *at);
struct node *node_copy(const struct node *node);
void node_free(struct node *node);
DEFINE_CLEANUP(struct node *, node_free);
#define _cleanup_node_ _cleanup_(cleanup_node_free)

/* The value of @key; NULL when there is none, or @mapping is NULL or something else. */
struct node *node_get(const struct node *mapping, const char *key);
/* Puts @value, which it takes, in place of the one with this key, or at the end. Copies @key. */
void node_set(struct node *mapping, const char *key, struct node *value);
/* Takes @item. */
void node_append(struct node *sequence, struct node *item);
/* Removes item number @i and gives it to the caller. */
struct node *node_take(struct node *parent, size_t i);
void node_remove(struct node *mapping, const char *key);
/* Makes @node what @other is, keeping its key; takes @other. */
void node_replace(struct node *node, struct node *other);

/* Itself and all below it. */
size_t node_count(const struct node *node);
bool node_equal(const struct node *a, const struct node *b);
bool node_is_scalar(const struct node *node);
/* "a string", "a mapping", ... */
const char *node_kind_name(const struct node *node);

/*
 * A scalar as text the way Go prints the decoded value: 0x10 is "16", 1e3 is "1000". NULL has
 * none: it returns NULL. New string.
 */
char *node_scalar_text(const struct node *node);

/* Decides what an unquoted scalar is, by the rules of YAML 1.2 with Go's numbers. */
void node_resolve_plain(struct node *node);

/*
 * A float as Go's %v and yaml.v3 write it: the shortest that reads back, with an exponent below
 * 1e-4 and from 1e6 on.
 */
void node_format_number(double number, char *buffer, size_t size);
/* As encoding/json writes it: with an exponent below 1e-6 and from 1e21 on. Finite ones only. */
void node_format_json(double number, char *buffer, size_t size);

/* Walks the children of a sequence or mapping; @node may be NULL. */
#define node_foreach(child, parent)                                                          \
	for (struct node **child##_at = (parent) ? (parent)->items : NULL,                   \
			 **child##_end = child##_at ? child##_at + (parent)->count : NULL;   \
	     child##_at < child##_end; child##_at = child##_end)                             \
		for (struct node * child; child##_at < child##_end && (child = *child##_at); \
		     child##_at++)

/* True when it is an integer that a double still counts exactly. */
static inline bool node_number_is_whole(double number)
{
	return number > -9007199254740992.0 && number < 9007199254740992.0 &&
	       (double)(int64_t)number == number;
}

#endif
