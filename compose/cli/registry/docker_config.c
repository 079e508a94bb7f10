// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/docker_config.h"

#include <fcntl.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#define CONFIG_MAX (1 << 20)

char *docker_config_path(void)
{
	const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	return folder && *folder ? str_printf("%s/config.json", folder)
				 : str_printf("%s/.docker/config.json", home ?: "");
}

char *docker_config_get(const char *key)
{
	_cleanup_free_ char *path = docker_config_path();
	_cleanup_json_ json_t *config = NULL;
	struct error err = ERROR_INIT;
	const char *text;

	if (json_read(AT_FDCWD, path, CONFIG_MAX, &config, &err) < 0) {
		if (err.code != ENOENT && err.code != EACCES && err.code != ENOTDIR)
			log_warning("%s: %s", path, err.message);
		return NULL;
	}
	text = json_get_string(config, key);
	return text && *text ? str_printf("%s", text) : NULL;
}

const char *docker_config_format(const char *format, const char *key)
{
	static char *kept;

	if (format && *format)
		return format;
	free(kept);
	kept = docker_config_get(key);
	return kept;
}

const char *docker_platform(const char *given)
{
	const char *platform = given ?: getenv("DOCKER_DEFAULT_PLATFORM");

	return platform && *platform ? platform : NULL;
}
