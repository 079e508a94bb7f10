// SPDX-License-Identifier: GPL-2.0-or-later
/* pack.c - a group's handle as bytes: its names, each with its NUL, empty where it is not. */
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/container/cgroup/internal.h"

DEFINE_CLEANUP(struct cgroup *, cgroup_free);

static void add(struct strbuf *buffer, const char *text)
{
	strbuf_add_n(buffer, text ?: "", strlen(text ?: "") + 1);
}

void cgroup_pack(const struct cgroup *cgroup, struct strbuf *buffer)
{
	add(buffer, cgroup->base);
	add(buffer, cgroup->id);
	add(buffer, cgroup->v2);
	for (int i = 0; i < CONTROLLER_COUNT; i++)
		add(buffer, cgroup->v1[i]);
}

/* The next text, new; NULL: it is empty. False: there is none. */
static bool take(const char **bytes, size_t *size, char **ret)
{
	const char *end = *size ? memchr(*bytes, '\0', *size) : NULL;

	if (!end)
		return false;
	if (**bytes)
		*ret = alloc_string(*bytes);
	*size -= (size_t)(end - *bytes) + 1;
	*bytes = end + 1;
	return true;
}

/* A group is of a hierarchy that is there. */
static bool take_group(const char **bytes, size_t *size, int hierarchy, char **ret)
{
	return take(bytes, size, ret) && (!*ret || hierarchy >= 0);
}

int cgroup_unpack(const char *bytes, size_t size, struct cgroup **ret, struct error *err)
{
	const struct cgroup_layout *layout = cgroup_layout(err);
	_cleanup_(cleanup_cgroup_free) struct cgroup *cgroup = NULL;
	bool whole;

	if (!layout)
		return -err->code;
	cgroup = new (struct cgroup);
	cgroup->layout = layout;
	whole = take(&bytes, &size, &cgroup->base) && take(&bytes, &size, &cgroup->id) &&
		take_group(&bytes, &size, layout->v2.fd, &cgroup->v2);
	for (int i = 0; whole && i < CONTROLLER_COUNT; i++)
		whole = take_group(&bytes, &size, layout->v1[i].fd, &cgroup->v1[i]);
	if (!whole || !cgroup->base || !cgroup->id)
		return error_set(err, EBADMSG, "the name of a control group is none");
	*ret = TAKE_PTR(cgroup);
	return 0;
}
