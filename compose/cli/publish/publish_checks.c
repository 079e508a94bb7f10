// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/publish/publish_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/fs.h"
#include "common/str.h"

#include "compose/cli/publish/publish_secrets.h"
#include "compose/cli/view/output.h"

#define FILE_MAX (16 << 20)

static int only_built(const struct project *project, struct error *err)
{
	_cleanup_strbuf_ struct strbuf names = {0};

	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (service->build.given && (!service->image || !*service->image))
			strbuf_addf(&names, "%s%s", names.length ? ", " : "", service->name);
	}
	return names.length ? error_set(err, EINVAL,
					"nobody could get the image of %s: it has `build`, but no "
					"`image` that names it in a registry",
					names.data)
			    : 0;
}

/* Told without the values. */
static int environments(const struct project *project, struct error *err)
{
	_cleanup_strbuf_ struct strbuf names = {0};

	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (service->env_file_count)
			strbuf_addf(&names, "service \"%s\" has env_file declared.\n",
				    service->name);
		if (service->environment.count)
			strbuf_addf(&names,
				    "service \"%s\" has environment variable(s) declared.\n",
				    service->name);
	}
	for (size_t i = 0; i < project->config_count; i++)
		if (project->configs[i].environment)
			strbuf_addf(&names, "config \"%s\" comes from an environment variable.\n",
				    project->configs[i].key);
	if (!names.length)
		return 0;
	fputs(names.data, stderr);
	return error_set(err, EINVAL,
			 "environments often hold what is secret: publish them with --with-env, or "
			 "take them out of the project");
}

static void show_environments(const struct project *project, struct strbuf *text)
{
	for (size_t i = 0; i < project->service_count; i++) {
		const struct mapping *environment = &project->services[i].environment;

		if (environment->count)
			strbuf_addf(text, "Service/Config  %s\n", project->services[i].name);
		for (size_t n = 0; n < environment->count; n++)
			strbuf_addf(text, "%s=%s\n", environment->items[n].key,
				    environment->items[n].value ?: "");
	}
	for (size_t i = 0; i < project->config_count; i++)
		if (project->configs[i].environment)
			strbuf_addf(text, "Service/Config  %s\n%s\n", project->configs[i].key,
				    project->configs[i].environment);
}

static void show_binds(const struct project *project, struct strbuf *text)
{
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		for (size_t n = 0; n < service->volume_count; n++)
			if (service->volumes[n].type == MOUNT_BIND)
				strbuf_addf(text, "%s  %s:%s\n", service->name,
					    service->volumes[n].source, service->volumes[n].target);
	}
}

struct finding {
	struct strbuf *out;
	const char *path, *text;
};

static void add_finding(void *data, const char *kind, size_t offset, size_t length)
{
	const struct finding *finding = data;
	size_t line = 1;

	for (size_t i = 0; i < offset; i++)
		line += finding->text[i] == '\n';
	/* Enough to know which one it is. */
	strbuf_addf(finding->out, "%s:%zu: %s %.*s...\n", finding->path, line, kind,
		    (int)(length < 8 ? length : 8), finding->text + offset);
}

static int look_into(const char *path, struct strbuf *out, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = fs_read(AT_FDCWD, path, FILE_MAX, &text, &size, err);
	struct finding finding = {out, path, text};

	if (r < 0)
		return error_wrap(err, "look for secrets in %s", path);
	publish_secrets_find(text, size, add_finding, &finding);
	return 0;
}

static int look_into_objects(const struct file_object *objects, size_t count, struct strbuf *out,
			     struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (objects[i].file && look_into(objects[i].file, out, err) < 0)
			return -err->code;
	return 0;
}

static int show_secrets(const struct publish_checks *checks, struct strbuf *out, struct error *err)
{
	const struct project *project = checks->project;

	for (size_t i = 0; i < checks->files->count; i++) {
		const struct portable_file *file = &checks->files->files[i];
		struct finding finding = {out, file->path, file->text};

		publish_secrets_find(file->text, file->size, add_finding, &finding);
	}
	if (look_into_objects(project->configs, project->config_count, out, err) < 0)
		return -err->code;
	return look_into_objects(project->secrets, project->secret_count, out, err);
}

/* Only when there is something to ask about. */
static bool agreed(const struct publish_checks *checks, const struct strbuf *what,
		   const char *about, const char *question)
{
	if (!what->length || checks->yes)
		return true;
	printf("%s\n%s", about, what->data);
	return output_ask(question);
}

int publish_checks(const struct publish_checks *checks, struct error *err)
{
	_cleanup_strbuf_ struct strbuf binds = {0}, secrets = {0}, variables = {0};

	if (only_built(checks->project, err) < 0 ||
	    (!checks->with_environment && environments(checks->project, err) < 0) ||
	    show_secrets(checks, &secrets, err) < 0)
		return -err->code;
	show_binds(checks->project, &binds);
	show_environments(checks->project, &variables);
	return agreed(checks, &binds,
		      "These bind mounts of this machine's folders are declared. The declarations "
		      "are published, not what is in the folders:",
		      "Are you ok to publish these bind mount declarations?") &&
	       agreed(checks, &secrets, "There seem to be secrets in the project:",
		      "Are you ok to publish these sensitive data?") &&
	       agreed(checks, &variables, "These environment variables are declared:",
		      "Are you ok to publish these environment variables?");
}
