// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/images_here.h"

#include <string.h>

#include "common/alloc.h"
#include "common/map.h"
#include "common/str.h"

#include "compose/control/requests.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);

int images_here_open(struct image_store **ret, struct error *err)
{
	return image_store_open(paths_root(), ret, err);
}

static void select_service(const struct project *project, const char *name, bool no_deps,
			   struct map *selected)
{
	struct service *service = project_service(project, name);

	if (!service || map_get(selected, name))
		return;
	map_set(selected, name, service);
	for (size_t i = 0; !no_deps && i < service->dependency_count; i++)
		select_service(project, service->depends_on[i].service, false, selected);
}

static void select_services(const struct project *project, char *const *services, bool no_deps,
			    struct map *selected)
{
	if (services && services[0]) {
		strv_foreach(name, services)
			select_service(project, name, no_deps, selected);
		return;
	}
	for (size_t i = 0; i < project->service_count; i++)
		map_set(selected, project->services[i].name, &project->services[i]);
}

int images_here_check(const struct project *project, char *const *services, bool no_deps,
		      char **ret_report, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_strbuf_ struct strbuf report = {0};
	struct map selected = {0}, seen = {0};
	int missing = 0, r;

	*ret_report = NULL;
	r = images_here_open(&store, err);
	if (r < 0)
		return r;
	select_services(project, services, no_deps, &selected);
	map_foreach(entry, &selected) {
		const struct service *service = entry->value;
		struct image *image = NULL;

		/* A hundred services of one image are one look-up. */
		if (!service->image || map_get(&seen, service->image))
			continue;
		r = image_find(store, service->image, &image, err);
		image_free(image);
		if (r >= 0) {
			map_set(&seen, service->image, (void *)service);
			continue;
		}
		if (r != -ENOENT)
			break;
		error_clear(err);
		strbuf_addf(&report, "service %s: image %s is not here\n", service->name,
			    service->image);
		missing++;
		r = 0;
	}
	map_done(&selected, NULL);
	map_done(&seen, NULL);
	if (r < 0)
		return r;
	if (!missing)
		return 0;
	report.data[--report.length] = 0;
	strbuf_addf(&report, "%sload %s with \"berth image load\" or \"berth image import\"\n",
		    missing > 1 ? "\n" : "; ", missing > 1 ? "them" : "it");
	*ret_report = strbuf_take(&report);
	return error_set(err, ENOENT, "images are missing");
}

int images_here_facts(const struct project *project, struct fact_image **ret, size_t *ret_count,
		      struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct fact_image *facts = new_array(struct fact_image, project->service_count + 1);
	int r = images_here_open(&store, err);

	if (r < 0) {
		free(facts);
		return r;
	}
	for (size_t i = 0; i < project->service_count; i++) {
		struct error ignored = ERROR_INIT;
		struct image *image = NULL;

		facts[i].service = project->services[i].name;
		if (!project->services[i].image ||
		    image_find(store, project->services[i].image, &image, &ignored) < 0)
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
