// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/container/container_record.h"

#include <fcntl.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/image/store_here.h"
#include "compose/control/requests.h"

#define RECORD_MAX (1 << 20)

DEFINE_CLEANUP(struct image_store *, image_store_close);

static int read_files(const char *state, struct container_record *ret, struct error *err)
{
	_cleanup_free_ char *record = str_printf("%s/record.json", ret->folder);
	_cleanup_free_ char *accepted = NULL;
	_cleanup_json_ json_t *json = NULL;

	if (json_read(AT_FDCWD, record, RECORD_MAX, &ret->record, err) < 0)
		return -err->code;
	accepted = str_printf("%s/accepted/%s.json", state,
			      json_get_string(ret->record, "project") ?: "");
	if (json_read(AT_FDCWD, accepted, PROJECT_BYTES_MAX, &json, err) < 0 ||
	    project_from_json(json, &ret->project, err) < 0)
		return -err->code;
	ret->service = project_service(ret->project, json_get_string(ret->record, "service") ?: "");
	return ret->service ? 0 : error_set(err, EBADMSG, "its project has no such service");
}

int container_record_read(const json_t *container, struct container_record *ret, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	const char *name = json_get_string(container, "name") ?: "";
	_cleanup_free_ char *state =
		paths_project_state(json_get_string(container, "project") ?: "");
	struct error gone = ERROR_INIT;

	*ret = (struct container_record){.container = container};
	ret->folder = str_printf("%s/containers/%s", state, json_get_string(container, "id") ?: "");
	if (read_files(state, ret, err) < 0)
		return error_wrap(err, "container %s", name);
	if (store_here_open(&store, &gone) >= 0)
		(void)image_find(store, json_get_string(container, "image_id") ?: "", &ret->image,
				 &gone);
	return 0;
}

void container_record_done(struct container_record *record)
{
	free(record->folder);
	json_decref(record->record);
	project_free(record->project);
	image_free(record->image);
	*record = (struct container_record){0};
}

char *const *container_record_entrypoint(const struct container_record *record)
{
	if (record->service->entrypoint.set)
		return record->service->entrypoint.args;
	return record->image ? record->image->entrypoint : NULL;
}

/* As Docker has it: an entrypoint of one's own makes nothing of the image's command. */
char *const *container_record_command(const struct container_record *record)
{
	if (record->service->command.set)
		return record->service->command.args;
	return record->image && !record->service->entrypoint.set ? record->image->command : NULL;
}
