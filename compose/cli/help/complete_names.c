// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/help/complete_names.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/network.h"
#include "runtime/image/image.h"
#include "volumes/volume.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/image/store_here.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct network_store *, network_store_close);
DEFINE_CLEANUP(struct volume_store *, volume_store_close);
DEFINE_CLEANUP(struct project *, project_free);

char **complete_networks(void)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	struct network_info **infos = NULL;
	struct error ignored = ERROR_INIT;
	char **names = NULL;
	size_t count = 0;

	if (network_store_open(paths_root(), &store, &ignored) < 0 ||
	    network_list(store, &infos, &count, &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		strv_append(&names, infos[i]->name);
		network_info_free(infos[i]);
	}
	free(infos);
	return names;
}

char **complete_volumes(void)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	struct volume_info **infos = NULL;
	struct error ignored = ERROR_INIT;
	char **names = NULL;
	size_t count = 0;

	if (volume_store_open(paths_root(), &store, &ignored) < 0 ||
	    volume_list(store, &infos, &count, &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		strv_append(&names, infos[i]->name);
		volume_info_free(infos[i]);
	}
	free(infos);
	return names;
}

char **complete_images(void)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct image **images = NULL;
	struct error ignored = ERROR_INIT;
	char **names = NULL;
	size_t count = 0;

	if (store_here_open(&store, &ignored) < 0 ||
	    image_list(store, &images, &count, &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *repository = NULL, *tag = NULL;

		if (images[i]->reference)
			reference_familiar(images[i]->reference, &repository, &tag);
		if (repository)
			strv_take(&names,
				  str_printf("%s%s%s", repository, tag ? ":" : "", tag ?: ""));
		image_free(images[i]);
	}
	free(images);
	return names;
}

char **complete_profiles(void)
{
	static char *all[] = {(char *)"*", NULL};
	_cleanup_(cleanup_project_free) struct project *project = NULL;
	struct project_args args;
	struct error ignored = ERROR_INIT;
	char **names = NULL;

	if (project_args_finish(&project_args, &ignored) < 0)
		return NULL;
	args = project_args;
	args.profiles = all;
	if (project_args_load(&args, NULL, &project, &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < project->service_count; i++)
		strv_foreach(profile, project->services[i].profiles)
			if (!strv_contains(names, profile))
				strv_append(&names, profile);
	return names;
}
