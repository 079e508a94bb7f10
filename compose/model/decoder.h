/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_DECODER_H
#define COMPOSE_MODEL_DECODER_H

/*
 * decoder.h - what every decode function has at hand: where it is, and where problems go.
 */

#include <stdbool.h>
#include <stdint.h>

#include "compose/model/project.h"
#include "compose/tree/report.h"

#define DECODER_DEPTH_MAX 24

/* What stands in decoder.broken. */
#define DECODER_BROKEN  ((void *)1) /* nothing of the object or attribute can be relied on */
#define DECODER_PARTIAL ((void *)2) /* something of the object is missing */

struct decoder {
	struct report *report;
	void (*warn)(void *data, const char *message);
	void *warn_data;
	/* A path of the file, made absolute (new string); NULL: paths stay as they are. */
	char *(*resolve)(void *data, const struct position *at, const char *path);
	void *resolve_data;
	struct {
		const char *key; /* NULL: number @index of a list */
		size_t index;
	} path[DECODER_DEPTH_MAX];
	unsigned int depth;
	struct map *broken; /* "services.web", "services.web.ports": is wrong; may be NULL */
	struct map *told;   /* "FILE:LINE:COLUMN" of what a warning was of: once is enough for an
			       anchor; may be NULL */
	bool no_unheeded;   /* no warnings of what has no effect here */
	size_t ports;       /* so far, in the whole project: a range is short to write */
};

void decoder_push(struct decoder *d, const char *key);
void decoder_push_index(struct decoder *d, size_t index);
void decoder_pop(struct decoder *d);
/* "services.web.ports.0" into @buffer, which is returned. */
const char *decoder_path(const struct decoder *d, char *buffer, size_t size);

/* "validating FILE: PATH message" at the node. */
void decode_problem(struct decoder *d, const struct node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* PATH must be @what. */
void decode_wrong_type(struct decoder *d, const struct node *node, const char *what);
void decode_warning(struct decoder *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Each reports a wrong type and returns false. Strings are new. */
bool decode_string(struct decoder *d, const struct node *node, char **ret);
/* The same; what is empty, as of a variable that is not set, is as if it were not written. */
bool decode_string_if_any(struct decoder *d, const struct node *node, char **ret);
/* A string or a number, as text. */
bool decode_text(struct decoder *d, const struct node *node, char **ret);
bool decode_bool(struct decoder *d, const struct node *node, bool *ret);
bool decode_int(struct decoder *d, const struct node *node, int64_t *ret);
bool decode_number(struct decoder *d, const struct node *node, double *ret);
bool decode_bytes(struct decoder *d, const struct node *node, int64_t *ret);
bool decode_duration(struct decoder *d, const struct node *node, int64_t *ret_usec);
/* Makes *path, which stands at @node, absolute. */
void decode_resolve(struct decoder *d, const struct node *node, char **path);
bool decode_mapping_kind(struct decoder *d, const struct node *node);
bool decode_sequence_kind(struct decoder *d, const struct node *node);
/* Reports the first two items that are the same. */
void decode_unique_items(struct decoder *d, const struct node *sequence);

#endif
