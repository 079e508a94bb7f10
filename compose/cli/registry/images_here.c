// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/images_here.h"

#include <string.h>

#include "common/alloc.h"
#include "common/map.h"
#include "common/str.h"

#include "compose/cli/converge.h"
#include "compose/cli/image/store_here.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);

struct check {
	const struct project_args *args;
	struct image_store *store;
	const struct converge *converge;
	struct map seen; /* a hundred services of one image are one look-up */
	struct strbuf report;
	int missing, buildable;
};

/* @why: it is here, but not as it is wanted; NULL: it is not. */
static void report(struct check *check, const struct service *service, const char *name,
		   const char *why)
{
	bool mounted = !str_equal(service->image, name);
	char at[128];

	project_args_image_at(check->args, service->name, mounted, at, sizeof(at));
	strbuf_addf(&check->report, "%s%sservice %s: ", at, at[0] ? ": " : "", service->name);
	strbuf_addf(&check->report, why ? "%s\n" : "image %s is not here\n", why ?: name);
	check->missing++;
	check->buildable += service->build.given && !mounted;
}

static bool is_coming(const struct converge *converge, const char *name)
{
	return converge &&
	       (pull_beside_has(converge->beside, name) || due_images_has(&converge->due, name));
}

static int check_image(struct check *check, const struct service *service, const char *name,
		       struct error *err)
{
	const char *platform = name == service->image ? service->platform ?: "" : "";
	_cleanup_free_ char *key = NULL;
	struct image *image = NULL;
	int r;

	if (!name || is_coming(check->converge, name))
		return 0;
	key = str_printf("%s %s", name, platform);
	if (map_get(&check->seen, key))
		return 0;
	map_set(&check->seen, key, (void *)service);
	r = image_find_platform(check->store, name, platform, &image, err);
	image_free(image);
	if (r != -ENOENT)
		return r;
	report(check, service, name, store_here_has(check->store, name) ? err->message : NULL);
	error_clear(err);
	return 0;
}

/* Its own, and those that it has mounted. */
static int check_service(struct check *check, const struct service *service, struct error *err)
{
	int r = check_image(check, service, service->image, err);

	for (size_t i = 0; r >= 0 && i < service->volume_count; i++)
		if (service->volumes[i].type == MOUNT_IMAGE)
			r = check_image(check, service, service->volumes[i].source, err);
	return r;
}

static int take_report(struct check *check, char **ret_report, struct error *err)
{
	struct strbuf *report = &check->report;

	report->data[--report->length] = 0;
	strbuf_addf(report, "%sget %s with \"berth pull\"%s or \"berth image load\"\n",
		    check->missing > 1 ? "\n" : "; ", check->missing > 1 ? "them" : "it",
		    check->buildable ? ", \"berth build\"" : "");
	*ret_report = strbuf_take(report);
	return error_set(err, ENOENT, "images are missing");
}

int images_here_check(const struct project_args *args, const struct project *project,
		      char *const *services, bool no_deps, const struct converge *converge,
		      char **ret_report, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct check check = {.args = args, .converge = converge};
	struct map selected = {0};
	int r;

	*ret_report = NULL;
	r = store_here_open(&store, err);
	if (r < 0)
		return r;
	check.store = store;
	project_select(project, services, no_deps, &selected);
	map_foreach(entry, &selected)
		if (r >= 0)
			r = check_service(&check, entry->value, err);
	if (r >= 0 && check.missing)
		r = take_report(&check, ret_report, err);
	map_done(&selected, NULL);
	map_done(&check.seen, NULL);
	strbuf_done(&check.report);
	return r < 0 ? r : 0;
}

int images_here_facts(const struct project *project, struct fact_image **ret, size_t *ret_count,
		      struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct fact_image *facts = new_array(struct fact_image, project->service_count + 1);
	int r = store_here_open(&store, err);

	if (r < 0) {
		free(facts);
		return r;
	}
	for (size_t i = 0; i < project->service_count; i++) {
		struct error ignored = ERROR_INIT;
		struct image *image = NULL;

		facts[i].service = project->services[i].name;
		if (!project->services[i].image ||
		    image_find_platform(store, project->services[i].image,
					project->services[i].platform, &image, &ignored) < 0)
			continue;
		facts[i].id = alloc_string(image->id);
		facts[i].has_healthcheck = image->healthcheck.test != NULL;
		image_free(image);
	}
	*ret = facts;
	*ret_count = project->service_count;
	return 0;
}

void images_here_free_facts(struct fact_image *facts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((char *)facts[i].id);
	free(facts);
}
