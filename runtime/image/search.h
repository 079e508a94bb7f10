/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_SEARCH_H
#define RUNTIME_IMAGE_SEARCH_H

/*
 * search.h - which images a registry has, by a word: the search of Docker Hub's API (v1) where a
 * registry has one, else its catalogue of repositories.
 *
 * Results are an array of {name, description, star_count, is_official, is_automated}, every text
 * free of what would move a terminal's cursor.
 */

#include <jansson.h>
#include <stddef.h>

#include "common/error.h"

#define SEARCH_LIMIT_MAX 100

/*
 * @term: "nginx", or with a registry in front "localhost:5000/nginx"; at most @limit results. New
 * reference. Errors are those of pull.h; -EOPNOTSUPP: the registry has neither.
 */
int image_search(const char *term, size_t limit, json_t **ret, struct error *err);

/* An answer of the search, and of the catalogue: adds what it has of @word, up to @limit in all. */
int search_take(const char *text, size_t size, size_t limit, json_t *rows, struct error *err);
int search_take_catalogue(const char *text, size_t size, const char *word, size_t limit,
			  json_t *rows, char **ret_last, struct error *err);

#endif
