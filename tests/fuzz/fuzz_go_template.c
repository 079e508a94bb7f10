// SPDX-License-Identifier: GPL-2.0-or-later
/* --format, as anybody may write it. */
#include <stddef.h>
#include <stdint.h>

#include "common/alloc.h"
#include "common/json.h"

#include "compose/cli/view/go_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = alloc_string_n((const char *)data, size);
	_cleanup_json_ json_t *row = json_pack("{s:s, s:[s,s], s:{s:i}, s:b}", "Name", "x", "List",
					       "a", "b", "Map", "k", 1, "Up", 1);
	struct template *template = NULL;
	struct error err = ERROR_INIT;
	struct strbuf out = {0};

	if (template_parse(text, &template, &err) >= 0)
		(void)template_render(template, row, &out, &err);
	template_free(template);
	strbuf_done(&out);
	return 0;
}
