// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/registry_config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/url.h"

#define CONFIG_MAX   (1 << 20)
#define ATTEMPTS_MAX 100
#define PARALLEL_MAX 64

static void free_strv(void *list)
{
	strv_free(list);
}

void registry_config_done(struct registry_config *config)
{
	map_done(&config->mirrors, free_strv);
	strv_free(config->insecure);
	*config = (struct registry_config){0};
}

/* "https://mirror.example" or, as some write it, "mirror.example": the address without a path. */
static int add_mirror(struct registry_config *config, const char *registry, const char *text,
		      struct error *err)
{
	_cleanup_free_ char *whole =
		str_printf("%s%s", strstr(text, "://") ? "" : "https://", text);
	char **list = map_get(&config->mirrors, registry);
	size_t n = strlen(whole);
	struct url url = {0};

	while (n && whole[n - 1] == '/')
		whole[--n] = '\0';
	if (url_resolve(NULL, whole, &url, err) < 0)
		return error_wrap(err, "mirror of %s", registry);
	if (strcasecmp(strstr(whole, "://") + 3, url.authority) != 0) {
		url_done(&url);
		return error_set(err, EINVAL,
				 "mirror of %s: '%.200s' is more than http(s)://HOST[:PORT]",
				 registry, text);
	}
	strv_append(&list, whole);
	map_set(&config->mirrors, registry, list);
	url_done(&url);
	return 0;
}

static int add_mirrors(struct registry_config *config, const char *registry, const json_t *list,
		       struct error *err)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return error_set(err, EINVAL, "mirrors of %s: not a list of addresses", registry);
	json_array_foreach((json_t *)list, i, item) {
		const char *text = json_string_value(item);

		if (!text)
			return error_set(err, EINVAL, "mirrors of %s: not a list of addresses",
					 registry);
		if (add_mirror(config, registry, text, err) < 0)
			return -err->code;
	}
	return 0;
}

static int take_insecure(struct registry_config *config, const json_t *list, struct error *err)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return error_set(err, EINVAL, "insecure-registries: not a list of hosts");
	json_array_foreach((json_t *)list, i, item) {
		const char *text = json_string_value(item), *scheme;

		if (!text)
			return error_set(err, EINVAL, "insecure-registries: not a list of hosts");
		scheme = strstr(text, "://");
		strv_append(&config->insecure, scheme ? scheme + 3 : text);
	}
	return 0;
}

static int take_number(const json_t *json, const char *key, int max, int *ret, struct error *err)
{
	json_t *value = json_object_get(json, key);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
	    json_integer_value(value) > max)
		return error_set(err, EINVAL, "%s: not a number from 1 to %d", key, max);
	*ret = (int)json_integer_value(value);
	return 0;
}

static int decode(const json_t *json, struct registry_config *config, struct error *err)
{
	json_t *mirrors = json_object_get(json, "mirrors"), *value;
	const char *key;

	if (!json_is_object(json))
		return error_set(err, EINVAL, "it is not an object");
	value = json_object_get(json, "registry-mirrors");
	if (value && add_mirrors(config, "docker.io", value, err) < 0)
		return -err->code;
	json_object_foreach(mirrors, key, value)
		if (add_mirrors(config, key, value, err) < 0)
			return -err->code;
	value = json_object_get(json, "insecure-registries");
	if (value && take_insecure(config, value, err) < 0)
		return -err->code;
	if (take_number(json, "max-concurrent-downloads", PARALLEL_MAX, &config->downloads, err) <
		    0 ||
	    take_number(json, "max-concurrent-uploads", PARALLEL_MAX, &config->uploads, err) < 0)
		return -err->code;
	return take_number(json, "max-download-attempts", ATTEMPTS_MAX, &config->attempts, err);
}

int registry_config_read(struct registry_config *ret, struct error *err)
{
	const char *asked = getenv("BERTH_REGISTRIES");
	const char *const paths[] = {asked && *asked ? asked : "/etc/berth/registries.json",
				     "/etc/docker/daemon.json"};
	struct registry_config config = {.downloads = 3, .uploads = 5, .attempts = 5};
	_cleanup_json_ json_t *json = NULL;
	int r = -ENOENT;

	for (size_t i = 0; r == -ENOENT && i < (asked && *asked ? 1 : 2); i++) {
		error_clear(err);
		r = json_read(AT_FDCWD, paths[i], CONFIG_MAX, &json, err);
		if (r == 0)
			r = decode(json, &config, err);
		if (r < 0 && (r != -ENOENT || (asked && *asked))) {
			registry_config_done(&config);
			return error_wrap(err, "%s", paths[i]);
		}
	}
	error_clear(err);
	*ret = config;
	return 0;
}

char *registry_host_of(const char *authority)
{
	const char *bracket = strchr(authority, ']');

	if (authority[0] == '[' && bracket)
		return alloc_string_n(authority + 1, (size_t)(bracket - authority - 1));
	return alloc_string_n(authority, strcspn(authority, ":"));
}

bool registry_is_local(const char *authority)
{
	_cleanup_free_ char *host = registry_host_of(authority);
	struct in_addr address;

	if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
		return true;
	return inet_pton(AF_INET, host, &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

/* "10.0.0.0/8" or "fd00::/8". */
struct prefix {
	int family, bits;
	uint8_t bytes[16];
};

static bool parse_prefix(const char *text, struct prefix *prefix)
{
	const char *slash = strchr(text, '/');
	_cleanup_free_ char *address = slash ? alloc_string_n(text, (size_t)(slash - text)) : NULL;
	char *end;

	if (!slash)
		return false;
	prefix->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	prefix->bits = (int)strtol(slash + 1, &end, 10);
	return !*end && end > slash + 1 && prefix->bits >= 0 &&
	       prefix->bits <= (prefix->family == AF_INET ? 32 : 128) &&
	       inet_pton(prefix->family, address, prefix->bytes) == 1;
}

static bool prefix_has(const struct prefix *prefix, const struct sockaddr *address)
{
	const uint8_t *bytes =
		address->sa_family == AF_INET
			? (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)
				  ->sin_addr
			: (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)address)
				  ->sin6_addr;

	if (address->sa_family != prefix->family)
		return false;
	for (int i = 0; i < prefix->bits; i++)
		if ((bytes[i / 8] ^ prefix->bytes[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static bool in_networks(char *const *list, const char *host)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *addresses = NULL;
	bool found = false;

	if (getaddrinfo(host, NULL, &hints, &addresses) != 0)
		return false;
	strv_foreach(text, list) {
		struct prefix prefix;

		if (!parse_prefix(text, &prefix))
			continue;
		for (struct addrinfo *a = addresses; a && !found; a = a->ai_next)
			if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
				found = prefix_has(&prefix, a->ai_addr);
	}
	freeaddrinfo(addresses);
	return found;
}

bool registry_config_insecure(const struct registry_config *config, const char *authority)
{
	_cleanup_free_ char *host = NULL;
	bool networks = false;

	if (registry_is_local(authority))
		return true;
	strv_foreach(text, config->insecure) {
		if (strcasecmp(text, authority) == 0)
			return true;
		networks = networks || strchr(text, '/');
	}
	host = registry_host_of(authority);
	return networks && in_networks(config->insecure, host);
}

static int add_authority(int dir, const char *name, struct strbuf *pem, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = fs_read(dir, name, CONFIG_MAX, &text, NULL, err);

	if (r < 0)
		return r;
	strbuf_addf(pem, "%s\n", text);
	return 0;
}

static int read_folder(int dir, const char *path, struct transport_tls *tls, struct error *err)
{
	_cleanup_strbuf_ struct strbuf pem = {0};
	_cleanup_strv_ char **names = NULL;
	int r = fs_list(dir, ".", &names, err);

	if (r < 0)
		return r;
	strv_foreach(name, names) {
		_cleanup_free_ char *key = NULL, *certificate = NULL;

		if (str_ends_with(name, ".key")) {
			certificate = str_printf("%.*s.cert", (int)(strlen(name) - 4), name);
			if (!strv_contains(names, certificate))
				return error_set(err, ENOENT, "there is no %s beside %s",
						 certificate, name);
		}
		if (str_ends_with(name, ".crt") && add_authority(dir, name, &pem, err) < 0)
			return -err->code;
		if (!str_ends_with(name, ".cert") || tls->certificate)
			continue;
		key = str_printf("%.*s.key", (int)(strlen(name) - 5), name);
		if (!strv_contains(names, key))
			return error_set(err, ENOENT, "there is no %s beside %s", key, name);
		tls->certificate = str_printf("%s/%s", path, name);
		tls->key = str_printf("%s/%s", path, key);
	}
	tls->authorities = pem.length ? strbuf_take(&pem) : NULL;
	return 0;
}

int registry_config_tls(const struct registry_config *config, const char *authority,
			struct transport_tls *ret, struct error *err)
{
	static const char *const roots[] = {"/etc/berth", "/etc/docker", "/etc/containers"};
	struct transport_tls tls = {.insecure = registry_config_insecure(config, authority)};

	array_foreach(root, roots) {
		_cleanup_free_ char *path = str_printf("%s/certs.d/%s", *root, authority);
		_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0)
			continue;
		if (read_folder(dir, path, &tls, err) < 0) {
			registry_tls_done(&tls);
			return error_wrap(err, "%s", path);
		}
		break;
	}
	*ret = tls;
	return 0;
}

void registry_tls_done(struct transport_tls *tls)
{
	free(tls->authorities);
	free(tls->certificate);
	free(tls->key);
	*tls = (struct transport_tls){0};
}
