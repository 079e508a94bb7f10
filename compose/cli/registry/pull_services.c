// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/pull_services.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/image/store_here.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

/* "1w2d12h30m10s", as the model has checked it. */
static int64_t span_usec(const char *text)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	int64_t seconds = 0;
	char *end;

	for (; text && *text; text = end + 1) {
		long n = strtol(text, &end, 10);

		array_foreach(unit, units)
			if (unit->unit == *end)
				seconds += n * unit->seconds;
		if (!*end)
			break;
	}
	return seconds * (int64_t)USEC_PER_SEC;
}

int64_t pull_services_period_usec(const struct service *service)
{
	const char *policy = service->pull_policy;

	if (str_equal(policy, "daily"))
		return span_usec("1d");
	if (str_equal(policy, "weekly"))
		return span_usec("1w");
	if (policy && str_starts_with(policy, "every_"))
		return span_usec(policy + strlen("every_"));
	return str_equal(policy, "refresh") ? span_usec(service->pull_refresh_after) : 0;
}

void pull_services_override(struct project *project, const char *policy)
{
	if (!policy || !strcmp(policy, "policy"))
		return;
	for (size_t i = 0; i < project->service_count; i++) {
		free(project->services[i].pull_policy);
		project->services[i].pull_policy = alloc_string(policy);
	}
}

/* What is here of it, of the platform that the service wants; NULL: nothing. */
static int find_here(struct image_store *store, const struct service *service, struct image **ret,
		     char **ret_other, bool *ret_missing, struct error *err)
{
	_cleanup_(cleanup_image_free) struct image *any = NULL;
	int r = image_find(store, service->image, &any, err);

	*ret = NULL;
	*ret_missing = r == -ENOENT;
	if (r == 0)
		r = image_find_platform(store, service->image, service->platform, ret, err);
	if (r == -ENOENT) {
		if (any)
			*ret_other = str_printf("%s/%s", any->os, any->architecture);
		error_clear(err);
		return 0;
	}
	return r < 0 ? error_wrap(err, "service %s", service->name) : 0;
}

static bool is_latest(const char *image)
{
	_cleanup_free_ char *normalized = NULL;
	struct error ignored = ERROR_INIT;

	return reference_parse(image, &normalized, &ignored) == 0 &&
	       str_ends_with(normalized, ":latest");
}

/* For up: whether the policy asks for it. */
static bool is_due(const struct service *service, const struct image *here)
{
	int64_t period = pull_services_period_usec(service);

	if (str_equal(service->pull_policy, "always"))
		return true;
	if (str_equal(service->pull_policy, "never") || str_equal(service->pull_policy, "build"))
		return false;
	if (here)
		return period && here->pulled_nsec / 1000 + period < units_now_nsec() / 1000;
	/* What is to be built is not asked for where anybody may have put something of that name.
	 */
	return !service->build.given || service->pull_policy;
}

/* For `pull`: why not, or NULL. */
static const char *reason_to_skip(const struct service *service, const struct image *here,
				  const struct pull_services_options *options)
{
	bool missing = options->missing_only || str_equal(service->pull_policy, "missing");

	if (str_equal(service->pull_policy, "never") || str_equal(service->pull_policy, "build"))
		return "its pull_policy says so";
	if (options->ignore_buildable && service->build.given)
		return "Image can be built";
	if (missing && here && (options->missing_only || !is_latest(service->image)))
		return "Image is already present locally";
	return NULL;
}

static void skip(struct pull_services *set, const char *image, const char *why)
{
	*array_add(set->skips, set->skip_count) =
		(struct pull_skip){.image = image, .why = alloc_string(why)};
}

static int consider(struct image_store *store, const struct service *service,
		    const struct pull_services_options *options, struct pull_services *set,
		    struct error *err)
{
	_cleanup_(cleanup_image_free) struct image *here = NULL;
	_cleanup_free_ char *other = NULL;
	const char *why = NULL;
	bool missing;
	int r = find_here(store, service, &here, &other, &missing, err);

	if (r < 0)
		return r;
	if (options->explicitly) {
		why = reason_to_skip(service, here, options);
		if (why) {
			skip(set, service->image, why);
			return 0;
		}
	} else if (!is_due(service, here)) {
		return 0;
	}
	*array_add(set->items, set->count) = (struct pull_item){
		.service = service,
		.image = service->image,
		.platform = service->platform,
		.policy = PULL_ALWAYS,
		.missing = missing,
		.other = TAKE_PTR(other),
		.buildable = service->build.given,
	};
	return 0;
}

static bool is_built(const struct project *project, const char *image)
{
	for (size_t i = 0; i < project->service_count; i++)
		if (project->services[i].build.given &&
		    str_equal(project->services[i].image, image))
			return true;
	return false;
}

/* Images that it has mounted: those that are missing, as with docker. */
static int consider_volumes(struct image_store *store, const struct project *project,
			    const struct service *service, struct map *seen,
			    struct pull_services *set, struct error *err)
{
	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];
		_cleanup_(cleanup_image_free) struct image *here = NULL;
		_cleanup_free_ char *key = NULL;
		int r;

		if (mount->type != MOUNT_IMAGE || !mount->source ||
		    str_equal(service->pull_policy, "never") || is_built(project, mount->source))
			continue;
		key = str_printf("%s ", mount->source);
		if (map_get(seen, key))
			continue;
		map_set(seen, key, (void *)service);
		r = image_find(store, mount->source, &here, err);
		if (r == 0)
			continue;
		if (r != -ENOENT)
			return r;
		error_clear(err);
		*array_add(set->items, set->count) = (struct pull_item){
			.service = service,
			.image = mount->source,
			.policy = PULL_MISSING,
			.missing = true,
		};
	}
	return 0;
}

int pull_services_select(const struct project *project, const struct pull_services_options *options,
			 struct pull_services *ret, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct map selected = {0}, seen = {0};
	int r = store_here_open(&store, err);

	if (r < 0)
		return r;
	project_select(project, options->services, options->no_deps, &selected);
	map_foreach(entry, &selected) {
		const struct service *service = entry->value;
		_cleanup_free_ char *key = NULL;

		if (!service->image || !*service->image || service->provider.given)
			continue;
		/* A hundred services of one image are one pull. */
		key = str_printf("%s %s", service->image, service->platform ?: "");
		if (map_get(&seen, key))
			continue;
		map_set(&seen, key, (void *)service);
		r = consider(store, service, options, ret, err);
		if (r < 0)
			break;
	}
	if (r == 0 && !options->explicitly)
		map_foreach(entry, &selected)
			if (r == 0)
				r = consider_volumes(store, project, entry->value, &seen, ret, err);
	map_done(&selected, NULL);
	map_done(&seen, NULL);
	return r;
}

void pull_services_done(struct pull_services *set)
{
	for (size_t i = 0; i < set->skip_count; i++)
		free(set->skips[i].why);
	for (size_t i = 0; i < set->count; i++)
		free(set->items[i].other);
	free(set->skips);
	free(set->items);
	*set = (struct pull_services){0};
}
