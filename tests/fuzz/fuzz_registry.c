// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What registries and config.json say: the input's first byte chooses between a WWW-Authenticate
 * header, a manifest or index (with its config), a refusal's text and config.json.
 */
#include <stdint.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/auth.h"
#include "runtime/image/auth_challenge.h"
#include "runtime/image/manifest.h"
#include "runtime/image/platform.h"
#include "runtime/image/registry_internal.h"
#include "runtime/image/search.h"
#include "runtime/image/tags.h"

static void search(const char *text, size_t size)
{
	_cleanup_json_ json_t *rows = json_array();
	_cleanup_free_ char *last = NULL, *last_tag = NULL;
	_cleanup_strv_ char **tags = NULL;
	struct error err = ERROR_INIT;

	(void)tags_take(text, size, "docker.io/library/a", &tags, &last_tag, &err);
	error_clear(&err);
	(void)search_take(text, size, 10, rows, &err);
	error_clear(&err);
	(void)search_take_catalogue(text, size, "a", 10, rows, &last, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void challenge(const char *text, size_t size)
{
	_cleanup_free_ char *copy = alloc_string_n(text, size);
	char *headers[] = {copy, NULL};
	struct auth_challenge found = {0};
	struct error err = ERROR_INIT;

	if (auth_challenge_parse(headers, &found, &err) == 0)
		auth_challenge_done(&found);
}

static void manifest(const json_t *json)
{
	static struct manifest decoded;
	const char *media, *hex[IMAGE_LAYERS_MAX];
	_cleanup_json_ json_t *platform = json_object();
	struct descriptor chosen;
	struct error err = ERROR_INIT;

	(void)manifest_kind(json, NULL, &media, &err);
	(void)platform_describe("linux/arm/v7", platform, &err);
	error_clear(&err);
	(void)manifest_choose(json, platform, &chosen, &err);
	error_clear(&err);
	if (manifest_decode(json, &decoded, &err) == 0)
		(void)manifest_diff_ids(&decoded, json, hex, &err);
}

static void credentials(const json_t *json)
{
	struct auth_credentials found = {0};
	struct error err = ERROR_INIT;

	(void)auth_helper_of(json, "docker.io");
	(void)auth_decode(json, "docker.io", &found, &err);
	auth_credentials_done(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *json = NULL;
	_cleanup_free_ char *said = NULL;
	struct error err = ERROR_INIT;
	const char *text = (const char *)data + 1;

	if (size < 1)
		return 0;
	size--;
	if (data[0] == 'w') {
		challenge(text, size);
		return 0;
	}
	said = registry_error_text(text, size);
	if (json_parse(text, size, &json, &err) < 0)
		return 0;
	search(text, size);
	manifest(json);
	if (json_is_object(json))
		credentials(json);
	return 0;
}
