// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/auth_challenge.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/str.h"

/* RFC 9110, 5.6.2 */
static bool token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip(const char *at, const char *characters)
{
	return at + strspn(at, characters);
}

static const char *skip_token(const char *at)
{
	while (token_char(*at))
		at++;
	return at;
}

/* A token or a quoted string, as new string; NULL when neither stands there. */
static char *take_value(const char **at)
{
	struct strbuf value = {0};
	const char *c = *at;

	if (*c != '"') {
		const char *end = skip_token(c);

		/* Some servers forget the quotes around an address. */
		end += strcspn(end, ", \t\"");
		*at = end;
		return end == c ? NULL : alloc_string_n(c, (size_t)(end - c));
	}
	for (c++; *c && *c != '"'; c++) {
		if (*c == '\\' && c[1])
			c++;
		if ((unsigned char)*c < ' ') {
			strbuf_done(&value);
			return NULL;
		}
		strbuf_addc(&value, *c);
	}
	if (*c != '"') {
		strbuf_done(&value);
		return NULL;
	}
	*at = c + 1;
	return strbuf_take(&value);
}

static void put(struct auth_challenge *challenge, const char *name, size_t n, char *value)
{
	const struct {
		const char *name;
		char **field;
	} known[] = {
		{"realm", &challenge->realm},
		{"service", &challenge->service},
		{"scope", &challenge->scope},
		{"error", &challenge->problem},
	};

	array_foreach(parameter, known) {
		if (strlen(parameter->name) != n || strncasecmp(parameter->name, name, n) != 0)
			continue;
		free(*parameter->field);
		*parameter->field = value;
		return;
	}
	free(value);
}

/* "a=b, c=\"d\"" up to the next scheme, or the end; false: it makes no sense. */
static bool take_parameters(const char **at, struct auth_challenge *challenge)
{
	for (;;) {
		const char *name = skip(*at, ", \t"), *end = skip_token(name);
		const char *equals = skip(end, " \t");
		char *value;

		if (!*name) {
			*at = name;
			return true;
		}
		if (end == name)
			return false;
		if (*equals != '=') {
			*at = name; /* the next scheme */
			return true;
		}
		equals = skip(equals + 1, " \t");
		*at = equals;
		value = take_value(at);
		if (!value)
			return false;
		put(challenge, name, (size_t)(end - name), value);
	}
}

static void keep_better(struct auth_challenge *best, struct auth_challenge *challenge)
{
	/* Without a realm there is nobody to ask for a token. */
	if (challenge->scheme == AUTH_BEARER && !challenge->realm)
		challenge->scheme = AUTH_NONE;
	if (challenge->scheme <= best->scheme) {
		auth_challenge_done(challenge);
		return;
	}
	auth_challenge_done(best);
	*best = *challenge;
}

static void parse_header(const char *header, struct auth_challenge *best)
{
	const char *at = header;

	while (*(at = skip(at, ", \t"))) {
		struct auth_challenge challenge = {0};
		const char *end = skip_token(at);
		size_t n = (size_t)(end - at);
		bool good;

		if (n == 6 && strncasecmp(at, "bearer", n) == 0)
			challenge.scheme = AUTH_BEARER;
		else if (n == 5 && strncasecmp(at, "basic", n) == 0)
			challenge.scheme = AUTH_BASIC;
		at = end;
		good = n > 0 && take_parameters(&at, &challenge);
		if (!good)
			challenge.scheme = AUTH_NONE;
		keep_better(best, &challenge);
		if (!good)
			return;
	}
}

int auth_challenge_parse(char *const *headers, struct auth_challenge *ret, struct error *err)
{
	struct auth_challenge best = {0};

	strv_foreach(header, headers)
		if (strlen(header) <= AUTH_CHALLENGE_MAX)
			parse_header(header, &best);
	if (best.scheme == AUTH_NONE) {
		auth_challenge_done(&best);
		return error_set(err, EBADMSG,
				 "it wants credentials, but of no kind that is known (%.200s)",
				 headers && headers[0] ? headers[0] : "no WWW-Authenticate header");
	}
	*ret = best;
	return 0;
}

void auth_challenge_done(struct auth_challenge *challenge)
{
	free(challenge->realm);
	free(challenge->service);
	free(challenge->scope);
	free(challenge->problem);
	*challenge = (struct auth_challenge){0};
}
