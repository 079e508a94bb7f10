// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/image/image_tree.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/projects.h"
#include "compose/cli/view/output.h"

static const char *const columns[] = {
	"IMAGE",        "Image",       "ID",    "ID",    "DISK USAGE", "DiskUsage",
	"CONTENT SIZE", "ContentSize", "EXTRA", "Extra", NULL,
};

static json_t *row_of(const char *name, const char *id, uint64_t size_bytes, uint64_t content_bytes)
{
	json_t *row = json_object();
	char disk[32], content[32];

	units_format_size(size_bytes + content_bytes, disk, sizeof(disk));
	units_format_size(content_bytes, content, sizeof(content));
	json_put_string(row, "Image", name);
	json_object_set_new(row, "ID", json_sprintf("%.12s", id + strlen("sha256:")));
	json_put_string(row, "DiskUsage", disk);
	json_put_string(row, "ContentSize", content);
	return row;
}

/* Each row knows the image ids that it stands for, to be marked by. */
static void add_rows(const struct image *image, const struct image_variant *variants, size_t count,
		     json_t *rows)
{
	_cleanup_free_ char *repository = NULL, *tag = NULL, *name = NULL;
	json_t *head, *ids = json_array();
	uint64_t size = 0, content = 0;

	for (size_t i = 0; i < count; i++) {
		size += variants[i].size_bytes;
		content += variants[i].content_bytes;
		json_array_append_new(ids, json_string(variants[i].id));
	}
	if (image->reference) {
		reference_familiar(image->reference, &repository, &tag);
		name = str_printf("%s:%s", repository, tag ?: "<none>");
	}
	head = row_of(name ?: "<untagged>", image->id, size, content);
	json_object_set_new(head, "Ids", ids);
	json_array_append_new(rows, head);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *line =
			str_printf("%s %s", i + 1 < count ? "├─" : "└─", variants[i].platform);
		json_t *row = row_of(line, variants[i].id, variants[i].size_bytes,
				     variants[i].content_bytes);

		json_object_set_new(row, "Ids", json_pack("[s]", variants[i].id));
		json_array_append_new(rows, row);
	}
}

void image_tree_add(struct image_store *store, const struct image *image, json_t *rows)
{
	struct image_variant *variants = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;

	if (image_variants(store, image, &variants, &count, &err) < 0)
		output_warn("image %s: %s", image->reference ?: image->id, err.message);
	else
		add_rows(image, variants, count, rows);
	image_variants_free(variants, count);
}

static bool is_used(const json_t *ids, const struct image_user *users, size_t count)
{
	json_t *id;
	size_t i;

	json_array_foreach((json_t *)ids, i, id)
		for (size_t j = 0; j < count; j++)
			if (str_equal(json_string_value(id), users[j].image_id))
				return true;
	return false;
}

int image_tree_print(json_t *rows, struct error *err)
{
	struct image_user *users = NULL;
	size_t i, count = 0;
	json_t *row;

	if (projects_image_users.list(NULL, &users, &count, err) < 0)
		return -err->code;
	json_array_foreach(rows, i, row)
		json_put_string(row, "Extra",
				is_used(json_object_get(row, "Ids"), users, count) ? "U" : "");
	image_users_free(users, count);
	return output_rows(rows, NULL, columns, OUTPUT_LINES, err);
}
