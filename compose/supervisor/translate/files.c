// SPDX-License-Identifier: GPL-2.0-or-later
/* files.c - secrets and configs: each a file of its own, mounted where the service wants it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "volumes/mount.h"

#include "compose/control/place.h"
#include "compose/control/requests.h"
#include "compose/supervisor/translate/mounts.h"

static int numeric_id(const char *text, const char *what, unsigned int *ret, struct error *err)
{
	char *end = NULL;

	*ret = 0;
	if (!text || !text[0])
		return 0;
	*ret = (unsigned int)strtoul(text, &end, 10);
	return *end ? error_set(err, EINVAL, "%s '%s' is not a number", what, text) : 0;
}

/* Where its content comes from and whose it is; *@ret_store is for @content to borrow from. */
static int describe_file(const struct file_reference *reference, const struct file_object *object,
			 const char *kinds, char **ret_store, struct file_content *content,
			 struct error *err)
{
	if (!object)
		return error_set(err, ENOENT, "there is no such object");
	if (object->berth.credential) {
		if (translate_credential(object->berth.credential, ret_store, err) < 0)
			return -err->code;
		content->source_path = *ret_store;
	} else if (object->external || object->driver) {
		*ret_store = str_printf("%s/%s/%s", paths_root(), kinds, object->name);
		if (access(*ret_store, R_OK) < 0)
			return error_errno(err, "is external, so it is to be in %s", *ret_store);
		content->source_path = *ret_store;
	} else if (object->content) {
		content->data = object->content;
		content->size = strlen(object->content);
	} else if (object->file) {
		content->source_path = object->file;
	} else {
		return error_set(err, ENOENT, "the variable %s is not set",
				 object->environment ?: "it comes from");
	}
	if (numeric_id(reference->uid, "uid", &content->uid, err) < 0 ||
	    numeric_id(reference->gid, "gid", &content->gid, err) < 0)
		return -err->code;
	content->mode = reference->mode.set ? (mode_t)reference->mode.value : 0;
	return 0;
}

/* Into @translation; NULL: only looks whether it could be. */
static int add_file(struct translation *translation, const struct file_reference *reference,
		    const struct file_object *object, const char *kinds, const char *folder,
		    struct error *err)
{
	struct file_content content = {0};
	char *target;
	int fd;
	_cleanup_free_ char *store = NULL;

	if (describe_file(reference, object, kinds, &store, &content, err) < 0)
		return -err->code;
	if (!translation) {
		if (content.source_path && access(content.source_path, R_OK) < 0)
			return error_errno(err, "'%s'", content.source_path);
		return 0;
	}
	fd = mount_file(&content, err);
	if (fd < 0)
		return fd;
	target = reference->target && reference->target[0] == '/'
			 ? alloc_string(reference->target)
			 : str_printf("%s/%s", folder, reference->target ?: reference->source);
	translation_add_mount(translation, fd, translation_own(translation, target), false);
	return 0;
}

static int of_reference(struct error *err, const char *key, size_t index,
			const struct file_reference *reference)
{
	char number[24];

	snprintf(number, sizeof(number), "%zu", index);
	place_under(err, key, number, NULL);
	return error_wrap(err, "%.*s %s", (int)strlen(key) - 1, key, reference->source);
}

static int add_files(struct translation *translation, const struct project *project,
		     const struct service *service, struct error *err)
{
	for (size_t i = 0; i < service->secret_count; i++) {
		const struct file_reference *row = &service->secrets[i];

		if (add_file(translation, row, project_secret(project, row->source), "secrets",
			     "/run/secrets", err) < 0)
			return of_reference(err, "secrets", i, row);
	}
	for (size_t i = 0; i < service->config_count; i++) {
		const struct file_reference *row = &service->configs[i];

		if (add_file(translation, row, project_config(project, row->source), "configs", "",
			     err) < 0)
			return of_reference(err, "configs", i, row);
	}
	return 0;
}

int translate_files(struct translation *translation, struct error *err)
{
	return add_files(translation, translation->project, translation->service, err);
}

int translate_check_files(const struct project *project, const struct service *service,
			  struct error *err)
{
	return add_files(NULL, project, service, err);
}
