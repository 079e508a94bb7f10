// SPDX-License-Identifier: GPL-2.0-or-later
/* check.c - what is right in each place and wrong as a whole. Messages are docker compose's. */
#include "compose/load/check/check.h"

#include "compose/load/check/parts.h"

static const void *broken_at(const struct loader *l, const char *kinds, const char *key,
			     const char *attribute)
{
	char path[400];

	if (!l->broken.count)
		return NULL;
	(void)snprintf(path, sizeof(path), "%s.%s%s%s", kinds, key, attribute ? "." : "",
		       attribute ? attribute : "");
	return map_get(&l->broken, path);
}

bool check_is_broken(const struct loader *l, const char *kinds, const char *key,
		     const char *attribute)
{
	return broken_at(l, kinds, key, NULL) == DECODER_BROKEN ||
	       (attribute && broken_at(l, kinds, key, attribute));
}

bool check_is_partial(const struct loader *l, const struct service *service)
{
	return l->incomplete || broken_at(l, "services", service->name, NULL);
}

const struct position *check_at_service(const struct loader *l, const struct service *service,
					const char *attribute)
{
	return loader_at(l, "services", service->name, attribute, NULL);
}

void check_project(struct loader *l)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < p->service_count; i++) {
		const struct service *service = &p->services[i];

		if (check_is_broken(l, "services", service->name, NULL))
			continue;
		check_service(l, service);
		check_references(l, service);
		check_dependencies(l, service);
		check_unheeded(l, service);
	}
	for (size_t i = 0; i < p->volume_count; i++)
		check_unheeded_volume(l, &p->volumes[i]);
	check_container_names(l);
	check_objects(l);
	check_cycles(l);
}
