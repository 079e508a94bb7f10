// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/units.h"

#include "runtime/image/image.h"
#include "runtime/image/registry_internal.h"
#include "runtime/image/url.h"

#define HUB_AUTHORITY "registry-1.docker.io"

struct endpoint_list {
	struct registry_endpoint **items;
	size_t count;
};

int registry_name_parse(const char *name, struct registry_name *ret, struct error *err)
{
	_cleanup_free_ char *normalized = NULL;
	struct registry_name parsed = {0};
	char *path, *digest, *tag;
	int r = reference_parse(name, &normalized, err);

	if (r < 0)
		return r;
	path = strchr(normalized, '/');
	*path++ = '\0';
	digest = strchr(path, '@');
	if (digest)
		*digest++ = '\0';
	tag = strchr(path, ':');
	if (tag)
		*tag++ = '\0';
	parsed.registry = alloc_string(normalized);
	parsed.repository = alloc_string(path);
	parsed.tag = alloc_string(tag);
	parsed.digest = alloc_string(digest);
	*ret = parsed;
	return 0;
}

void registry_name_done(struct registry_name *name)
{
	free(name->registry);
	free(name->repository);
	free(name->tag);
	free(name->digest);
	*name = (struct registry_name){0};
}

int registry_open(struct registry **ret, struct error *err)
{
	struct registry *registry = new (struct registry);

	if (registry_config_read(&registry->config, err) < 0 ||
	    transport_new(&registry->transport, err) < 0) {
		registry_close(registry);
		return -err->code;
	}
	*ret = registry;
	return 0;
}

static void free_endpoint(struct registry_endpoint *endpoint)
{
	free(endpoint->authority);
	free(endpoint->name);
	registry_tls_done(&endpoint->tls);
	auth_challenge_done(&endpoint->challenge);
	auth_credentials_done(&endpoint->credentials);
	free(endpoint->identity_token);
	map_done(&endpoint->tokens, free);
	free(endpoint);
}

static void free_endpoints(void *pointer)
{
	struct endpoint_list *list = pointer;

	for (size_t i = 0; i < list->count; i++)
		free_endpoint(list->items[i]);
	free(list->items);
	free(list);
}

static void free_tls(void *pointer)
{
	registry_tls_done(pointer);
	free(pointer);
}

static void free_credentials(void *pointer)
{
	auth_credentials_done(pointer);
	free(pointer);
}

void registry_close(struct registry *registry)
{
	if (!registry)
		return;
	map_done(&registry->endpoints, free_endpoints);
	map_done(&registry->foreign, free_tls);
	map_done(&registry->given, free_credentials);
	transport_free(registry->transport);
	registry_config_done(&registry->config);
	free(registry);
}

const struct registry_config *registry_config_of(const struct registry *registry)
{
	return &registry->config;
}

void registry_set_credentials(struct registry *registry, const char *name,
			      const struct auth_credentials *credentials)
{
	struct auth_credentials *copy = new (struct auth_credentials);
	struct auth_credentials *before;

	copy->username = alloc_string(credentials->username);
	copy->password = alloc_string(credentials->password);
	copy->identity_token = alloc_string(credentials->identity_token);
	copy->registry_token = alloc_string(credentials->registry_token);
	before = map_set(&registry->given, name, copy);
	if (before)
		free_credentials(before);
}

static int add_endpoint(struct registry *registry, struct endpoint_list *list, const char *name,
			const char *authority, bool mirror, bool plain, struct error *err)
{
	struct registry_endpoint *endpoint = new (struct registry_endpoint);

	*array_add(list->items, list->count) = endpoint;
	endpoint->authority = alloc_string(authority);
	endpoint->name = alloc_string(name);
	endpoint->mirror = mirror;
	endpoint->plain = endpoint->decided = plain;
	return registry_config_tls(&registry->config, authority, &endpoint->tls, err);
}

static int add_endpoints(struct registry *registry, const char *name, struct endpoint_list *list,
			 struct error *err)
{
	strv_foreach(address, map_get(&registry->config.mirrors, name)) {
		struct url url = {0};
		int r = url_resolve(NULL, address, &url, err);

		if (r == 0)
			r = add_endpoint(registry, list, url.authority, url.authority, true,
					 strcmp(url.scheme, "http") == 0, err);
		url_done(&url);
		if (r < 0)
			return r;
	}
	return add_endpoint(registry, list, name,
			    strcmp(name, REGISTRY_HUB) == 0 ? HUB_AUTHORITY : name, false, false,
			    err);
}

struct registry_endpoint *registry_endpoint_at(struct registry *registry, const char *name,
					       size_t index, struct error *err)
{
	struct endpoint_list *list = map_get(&registry->endpoints, name);

	if (!list) {
		list = new (struct endpoint_list);
		if (add_endpoints(registry, name, list, err) < 0) {
			free_endpoints(list);
			return NULL;
		}
		map_set(&registry->endpoints, name, list);
	}
	return index < list->count ? list->items[index] : NULL;
}

const char *registry_identity_token(const struct registry *registry, const char *name)
{
	const struct endpoint_list *list = map_get(&registry->endpoints, name);

	return list ? list->items[list->count - 1]->identity_token : NULL;
}

const struct transport_tls *registry_foreign_tls(struct registry *registry, const char *authority,
						 struct error *err)
{
	struct transport_tls *tls = map_get(&registry->foreign, authority);

	if (tls)
		return tls;
	tls = new (struct transport_tls);
	if (registry_config_tls(&registry->config, authority, tls, err) < 0) {
		free(tls);
		return NULL;
	}
	map_set(&registry->foreign, authority, tls);
	return tls;
}

/* Sends those whose time has come; when the next one's comes, in milliseconds, or -1. */
static int wake(struct registry *registry)
{
	int64_t now = units_monotonic_usec(), first = INT64_MAX;
	struct registry_request *request = registry->requests, *next;

	for (; request; request = next) {
		next = request->next;
		if (!request->due_usec)
			continue;
		if (request->due_usec > now) {
			first = request->due_usec < first ? request->due_usec : first;
			continue;
		}
		request->due_usec = 0;
		registry_resend(request);
		next = registry->requests; /* whatever that did to the list */
		first = INT64_MAX;
	}
	return first == INT64_MAX ? -1 : (int)((first - now) / 1000) + 1;
}

void registry_step(struct registry *registry, struct pollfd *fds, size_t fd_count, int timeout_msec)
{
	int next = wake(registry);

	if (next >= 0 && (timeout_msec < 0 || next < timeout_msec))
		timeout_msec = next;
	/* One that could not even be sent ends at once: whoever sent it has not looked yet. */
	if (registry->stirred)
		timeout_msec = 0;
	registry->stirred = false;
	transport_step(registry->transport, fds, fd_count, timeout_msec);
	wake(registry);
}
