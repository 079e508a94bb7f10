// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/path.h"
#include "common/str.h"

#include "compose/supervisor/network/neighbours.h"
#include "compose/supervisor/supervisor.h"
#include "compose/supervisor/translate/mounts.h"

/* What has volumes to share: a container of this project, or what is known of another's. */
struct sharer {
	const struct instance *instance; /* NULL: another project's */
	const struct project *project;
	const struct service *service;
	const struct mapping *anonymous;
};

struct visitor {
	shared_mount_fn *visit;
	void *data;
	bool read_only;
};

void own_mount_init(struct own_mount *ret, const struct instance *of, const struct mount *mount)
{
	*ret = (struct own_mount){.mount = *mount};
	if (mount->type == MOUNT_BIND && mount->source) {
		ret->source = of ? translate_replica(of, mount->source) : NULL;
		if (*mount->source == '/') {
			char *clean = path_clean(ret->source ?: mount->source);

			free(ret->source);
			ret->source = clean;
		}
	}
	if (of && mount->type == MOUNT_VOLUME)
		ret->subpath = translate_replica(of, mount->volume.subpath);
	if (ret->source)
		ret->mount.source = ret->source;
	if (ret->subpath)
		ret->mount.volume.subpath = ret->subpath;
}

void own_mount_done(struct own_mount *own)
{
	free(own->source);
	free(own->subpath);
}

static int visit_all(const struct visitor *visitor, const struct sharer *from, struct error *err)
{
	const struct service *service = from->service;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < service->volume_count; i++) {
		struct own_mount own;
		const char *volume = NULL;

		own_mount_init(&own, from->instance, &service->volumes[i]);
		if (own.mount.type == MOUNT_VOLUME)
			volume = mount_volume_name(from->project, from->anonymous, &own.mount);
		r = visitor->visit(visitor->data, &own.mount, volume, visitor->read_only, err);
		own_mount_done(&own);
	}
	for (size_t i = 0; r >= 0 && i < from->anonymous->count; i++) {
		const struct key_value *row = &from->anonymous->items[i];
		const struct mount mount = {.type = MOUNT_VOLUME, .target = row->key};

		r = visitor->visit(visitor->data, &mount, row->value, visitor->read_only, err);
	}
	return r;
}

static int visit_neighbour(const struct visitor *visitor, const char *name, struct error *err)
{
	struct neighbour other;
	struct project *project = NULL;
	int r = neighbour_find(name, &other, err);

	/* Its volumes are there whether or not it runs. */
	if (r >= 0 || r == -ESRCH)
		r = neighbour_project(&other, &project, err);
	if (r >= 0) {
		const struct sharer from = {NULL, project, project_service(project, other.service),
					    &other.anonymous};

		r = from.service ? visit_all(visitor, &from, err)
				 : error_set(err, ENOENT, "container %s has no service", name);
	}
	project_free(project);
	neighbour_done(&other);
	return r < 0 ? error_wrap(err, "volumes_from") : 0;
}

int volumes_from_visit(struct supervisor *supervisor, const char *text, shared_mount_fn *visit,
		       void *data, struct error *err)
{
	const struct visitor visitor = {visit, data, str_ends_with(text, ":ro")};
	bool container = str_starts_with(text, "container:");
	size_t length = strlen(text) - (visitor.read_only || str_ends_with(text, ":rw") ? 3 : 0);
	_cleanup_free_ char *full = alloc_string_n(text, length);
	const char *name = container ? full + strlen("container:") : full;
	struct instance *other = container ? supervisor_find(supervisor, name)
					   : supervisor_find_service(supervisor, name, 0);
	struct sharer from;

	if (!other && container)
		return visit_neighbour(&visitor, name, err);
	if (!other)
		return error_set(err, ENOENT, "volumes_from: there is no container of %s", name);
	from = (struct sharer){other, other->model->project, other->service, &other->anonymous};
	return visit_all(&visitor, &from, err);
}
