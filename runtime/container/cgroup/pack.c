// SPDX-License-Identifier: GPL-2.0-or-later
/* pack.c - a group's handle as bytes: its names, each with its NUL, empty where it is not. */
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/container/cgroup/internal.h"

DEFINE_CLEANUP(struct cgroup *, cgroup_free);

void cgroup_pack(const struct cgroup *cgroup, struct strbuf *buffer)
{
	for (int i = -1; i < CONTROLLER_COUNT; i++) {
		const char *name = (i < 0 ? cgroup->v2 : cgroup->v1[i]) ?: "";

		strbuf_add_n(buffer, name, strlen(name) + 1);
	}
}

int cgroup_unpack(const char *bytes, size_t size, struct cgroup **ret, struct error *err)
{
	const struct cgroup_layout *layout = cgroup_layout(err);
	_cleanup_(cleanup_cgroup_free) struct cgroup *cgroup = NULL;

	if (!layout)
		return -err->code;
	cgroup = new (struct cgroup);
	cgroup->layout = layout;
	for (int i = -1; i < CONTROLLER_COUNT; i++) {
		const char *end = size ? memchr(bytes, '\0', size) : NULL;
		char **name = i < 0 ? &cgroup->v2 : &cgroup->v1[i];

		if (!end || (*bytes && (i < 0 ? layout->v2.fd : layout->v1[i].fd) < 0))
			return error_set(err, EBADMSG, "the name of a control group is none");
		if (*bytes)
			*name = alloc_string(bytes);
		size -= (size_t)(end - bytes) + 1;
		bytes = end + 1;
	}
	*ret = TAKE_PTR(cgroup);
	return 0;
}
