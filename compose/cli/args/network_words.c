// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/network_words.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

enum how { WORD_TEXT, WORD_NUMBER, WORD_LIST, WORD_PAIRS };

/* A number where it is one; what is none is for the decoder to complain of. */
static json_t *number_of(const char *text)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	return end != text && !*end ? json_integer(n) : json_string(text);
}

static bool is_mode(const char *network)
{
	return !strcmp(network, "bridge") || !strcmp(network, "host") || !strcmp(network, "none") ||
	       !strcmp(network, "default") || str_starts_with(network, "container:");
}

/* docker's long form: name=X,alias=Y,ip=Z; which attribute of a service's network each is. */
static const struct {
	const char *key, *attribute;
	enum how how;
} endpoint_keys[] = {
	{"alias", "aliases", WORD_LIST},
	{"driver-opt", "driver_opts", WORD_PAIRS},
	{"gw-priority", "gw_priority", WORD_NUMBER},
	{"ip", "ipv4_address", WORD_TEXT},
	{"ip6", "ipv6_address", WORD_TEXT},
	{"link-local-ip", "link_local_ips", WORD_LIST},
	{"mac-address", "mac_address", WORD_TEXT},
};

static void put_endpoint_value(json_t *row, const char *attribute, enum how how, const char *value)
{
	const char *equals = strchr(value, '=');

	if (how == WORD_LIST) {
		if (!json_object_get(row, attribute))
			json_object_set_new(row, attribute, json_array());
		json_array_append_new(json_object_get(row, attribute), json_string(value));
	} else if (how == WORD_PAIRS) {
		_cleanup_free_ char *key =
			alloc_string_n(value, equals ? (size_t)(equals - value) : strlen(value));

		json_put_string(json_object_at(row, attribute), key, equals ? equals + 1 : "");
	} else {
		json_object_set_new(row, attribute,
				    how == WORD_NUMBER ? number_of(value) : json_string(value));
	}
}

static int put_endpoint_word(json_t *row, const char *word, const char *text, struct error *err)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);

	array_foreach(key, endpoint_keys) {
		if (strlen(key->key) != length || strncmp(key->key, word, length) != 0)
			continue;
		if (!equals)
			return error_set(err, EINVAL, "--network %s: %s needs a value", text, word);
		put_endpoint_value(row, key->attribute, key->how, equals + 1);
		return 0;
	}
	return error_set(err, EINVAL, "--network %s: unexpected key '%.*s'", text, (int)length,
			 word);
}

/* The network's name, new, and in @row what the long form says besides. */
static int read_network(const char *text, json_t *row, char **ret, struct error *err)
{
	_cleanup_strv_ char **words = strv_split(text, ",");
	_cleanup_free_ char *name = NULL;

	if (!strchr(text, '=')) {
		*ret = alloc_string(text);
		return 0;
	}
	strv_foreach(word, words) {
		if (str_starts_with(word, "name=")) {
			free(name);
			name = alloc_string(word + strlen("name="));
		} else if (put_endpoint_word(row, word, text, err) < 0) {
			return -err->code;
		}
	}
	if (!name)
		return error_set(err, EINVAL, "--network %s: it has no name=", text);
	*ret = TAKE_PTR(name);
	return 0;
}

static json_t *endpoint(const struct network_words *words)
{
	json_t *row = json_object();

	if (words->aliases)
		json_object_set_new(row, "aliases", json_from_strv(words->aliases));
	json_put_string(row, "ipv4_address", words->ip);
	json_put_string(row, "ipv6_address", words->ip6);
	if (words->link_local_ips)
		json_object_set_new(row, "link_local_ips", json_from_strv(words->link_local_ips));
	return row;
}

/* Networks are there already; by `network create`, or a project's. */
int network_words_put(json_t *project, json_t *service, const struct network_words *words,
		      struct error *err)
{
	const char *first = words->networks ? words->networks[0] : "bridge";
	bool addresses = words->ip || words->ip6 || words->aliases || words->link_local_ips;

	if (is_mode(first)) {
		if (words->networks && words->networks[1])
			return error_set(err, EINVAL, "--network %s goes with no other network",
					 first);
		if (addresses)
			return error_set(err, EINVAL,
					 "addresses and aliases are for user-defined networks: "
					 "name one by --network");
		json_put_string(service, "network_mode",
				strcmp(first, "default") ? first : "bridge");
		return 0;
	}
	strv_foreach(text, words->networks) {
		json_t *row = text == first ? endpoint(words) : json_object();
		_cleanup_json_ json_t *owned = row;
		_cleanup_free_ char *name = NULL;

		if (read_network(text, row, &name, err) < 0)
			return -err->code;
		if (is_mode(name))
			return error_set(err, EINVAL, "--network %s goes with no other network",
					 name);
		json_object_set_new(json_object_at(project, "networks"), name,
				    json_pack("{s:s, s:b}", "name", name, "external", 1));
		json_object_set(json_object_at(service, "networks"), name, row);
	}
	return 0;
}
