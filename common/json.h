/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

/*
 * json.h - jansson with limits, our errors, and short getters with defaults.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* Parses @size bytes (bounded by jansson's depth limit; duplicate keys refused). New reference. */
int json_parse(const char *data, size_t size, json_t **ret, struct error *err);
/* Reads and parses a file below @dirfd of at most @limit bytes. -ENOENT when there is none. */
int json_read(int dirfd, const char *name, size_t limit, json_t **ret, struct error *err);
/* Compact text, keys as inserted; the caller's to free(). */
char *json_text(const json_t *json);
/* The same with keys sorted: for hashing. */
char *json_text_sorted(const json_t *json);

const char *json_get_string(const json_t *object, const char *key); /* NULL if absent or other */
int64_t json_get_int(const json_t *object, const char *key, int64_t otherwise);
bool json_get_bool(const json_t *object, const char *key, bool otherwise);
char **json_get_strv(const json_t *object, const char *key); /* new; NULL if absent or empty */
json_t *json_from_strv(char *const *list);                   /* new array */
json_t *json_from_pairs(char *const *list); /* "KEY=VALUE", "KEY" with "": new object */
/* The object at @key, made where there is none or another value; borrowed. */
json_t *json_object_at(json_t *object, const char *key);
/* Sets a string, or nothing when @value is NULL. */
void json_put_string(json_t *object, const char *key, const char *value);
void json_put_int(json_t *object, const char *key, int64_t value);
void json_put_bool(json_t *object, const char *key, bool value);

#endif
