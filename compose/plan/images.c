// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/str.h"

#include "compose/plan/operations.h"

bool image_is_coming(const struct facts *facts, const char *image)
{
	for (const char *const *coming = facts->coming; image && coming && *coming; coming++)
		if (str_equal(*coming, image))
			return true;
	return false;
}

/* Its own and those that it has mounted, one after the other; NULL at the end. */
static const char *image_of(const struct service *service, size_t *at)
{
	if (!*at) {
		++*at;
		if (service->image)
			return service->image;
	}
	for (; *at <= service->volume_count; ++*at) {
		const struct mount *mount = &service->volumes[*at - 1];

		if (mount->type == MOUNT_IMAGE && mount->source) {
			++*at;
			return mount->source;
		}
	}
	return NULL;
}

const char *images_coming_for(const struct facts *facts, const struct service *service)
{
	const char *image;
	size_t at = 0;

	while (facts->coming && (image = image_of(service, &at)))
		if (image_is_coming(facts, image))
			return image;
	return NULL;
}

static size_t await(struct planning *planning, struct map *awaited, const char *image)
{
	size_t known = (size_t)map_get(awaited, image), index;

	if (known)
		return known - 1;
	index = operation_add(planning->plan, OP_AWAIT_IMAGE, image, "it is being pulled");
	map_set(awaited, image, (void *)(index + 1));
	return index;
}

void images_await(struct planning *planning, struct map *awaited, const struct service *service)
{
	const char *image;
	size_t at = 0;

	while ((image = image_of(service, &at)))
		if (image_is_coming(planning->facts, image))
			(void)await(planning, awaited, image);
}

void images_after(struct planning *planning, struct map *awaited, size_t operation,
		  const struct service *service)
{
	const char *image;
	size_t at = 0;

	while ((image = image_of(service, &at)))
		if (image_is_coming(planning->facts, image))
			operation_after(planning->plan, operation, await(planning, awaited, image));
}
