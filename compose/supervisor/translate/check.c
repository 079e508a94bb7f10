// SPDX-License-Identifier: GPL-2.0-or-later
/* check.c - mistakes that are found before anything is touched for them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "volumes/mount.h"

#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/translate/mounts.h"

static int check_binds(const struct service *service, struct error *err)
{
	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		/* A placeholder in it (model/replica.h) is filled in for each container. */
		if (mount->type == MOUNT_BIND && mount->bind.create_host_path == TRI_FALSE &&
		    !strstr(mount->source, "{{") && access(mount->source, F_OK) < 0)
			return error_set(err, errno, "bind source path does not exist: %s",
					 mount->source);
	}
	return 0;
}

static int check_tmpfs(const struct service *service, struct error *err)
{
	strv_foreach(text, service->tmpfs) {
		const char *colon = strchr(text, ':');
		struct tmpfs_options options = {0};

		if (colon && tmpfs_options_parse(colon + 1, &options, err) < 0)
			return error_wrap(err, "tmpfs %.*s", (int)(colon - text), text);
	}
	return 0;
}

static int check_process(const struct service *service, struct error *err)
{
	const char *cwd = service->working_dir;
	uint64_t capabilities;

	if (cwd && cwd[0] && cwd[0] != '/')
		return error_set(err, EINVAL, "working directory '%s': must be an absolute path",
				 cwd);
	return translate_capabilities(service, &capabilities, err);
}

static int check_all(const struct project *project, const struct service *service, bool made,
		     struct error *err)
{
	struct log_options options = {0};
	int r = start_log_options(service, &options, err);

	if (!made)
		return r;
	if (r == 0)
		r = check_process(service, err);
	if (r == 0)
		r = check_binds(service, err);
	if (r == 0)
		r = check_tmpfs(service, err);
	return r == 0 ? translate_check_files(project, service, err) : r;
}

int translate_check(const struct project *project, const struct service *service, bool made,
		    struct error *err)
{
	return check_all(project, service, made, err) < 0
		       ? error_wrap(err, "service %s", service->name)
		       : 0;
}
