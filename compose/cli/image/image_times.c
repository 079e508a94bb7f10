// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/image/image_times.h"

#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

struct image_time {
	const char *operation;
	char *image;
	int64_t begun_usec, ended_usec; /* monotonic; ended 0: not yet */
	bool failed;
};

/* As long as the command lives. */
static struct image_time *times;
static size_t time_count;

static struct image_time *find(const char *operation, const char *image)
{
	for (size_t i = 0; i < time_count; i++)
		if (!strcmp(times[i].operation, operation) && !strcmp(times[i].image, image))
			return &times[i];
	return NULL;
}

static void begin(const char *operation, const char *image)
{
	if (!image || find(operation, image))
		return;
	*array_add(times, time_count) = (struct image_time){operation, alloc_string(image),
							    units_monotonic_usec(), 0, false};
}

static void end(const char *operation, const char *image, bool failed)
{
	struct image_time *time = image ? find(operation, image) : NULL;

	if (!time || time->ended_usec)
		return;
	time->ended_usec = units_monotonic_usec();
	time->failed = failed;
}

void image_times_build_begins(const char *image)
{
	begin("build_image", image);
}

void image_times_build_ends(const char *image, bool failed)
{
	end("build_image", image, failed);
}

void image_times_pull(const struct pull_event *event)
{
	if (event->layer)
		return;
	if (event->state == PULL_IMAGE_STARTED)
		begin("pull_image", event->name);
	else
		end("pull_image", event->name, event->state == PULL_IMAGE_FAILED);
}

json_t *image_times_json(void)
{
	json_t *rows = time_count ? json_array() : NULL;

	for (size_t i = 0; i < time_count; i++) {
		json_t *row = json_object();

		json_put_string(row, "operation", times[i].operation);
		json_put_string(row, "name", times[i].image);
		json_put_int(row, "begun", times[i].begun_usec);
		if (times[i].ended_usec)
			json_put_int(row, "ended", times[i].ended_usec);
		if (times[i].failed)
			json_put_bool(row, "failed", true);
		json_array_append_new(rows, row);
	}
	return rows;
}
