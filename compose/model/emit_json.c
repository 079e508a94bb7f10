// SPDX-License-Identifier: GPL-2.0-or-later
/* emit_json.c - the canonical project as Go's encoding/json writes it, with an indent of 2. */
#include "common/str.h"

#include "compose/model/emit.h"
#include "compose/model/emit_text.h"
#include "compose/tree/node.h"

static void add_real(struct strbuf *out, double value)
{
	char text[400];

	node_format_json(value, text, sizeof(text));
	strbuf_add(out, text);
}

/* Go writes what HTML could take for markup as \u. */
static void add_json_string(struct strbuf *out, const char *s)
{
	strbuf_addc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			strbuf_add_n(out, (char[]){'\\', *s}, 2);
		else if (c == '\n')
			strbuf_add(out, "\\n");
		else if (c == '\r')
			strbuf_add(out, "\\r");
		else if (c == '\t')
			strbuf_add(out, "\\t");
		else if (c == '\b')
			strbuf_add(out, "\\b");
		else if (c == '\f')
			strbuf_add(out, "\\f");
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			strbuf_addf(out, "\\u%04x", c);
		else if (str_starts_with(s, "\xe2\x80\xa8") || str_starts_with(s, "\xe2\x80\xa9"))
			strbuf_add(out,
				   (s += 2, (unsigned char)*s == 0xa8) ? "\\u2028" : "\\u2029");
		else
			strbuf_addc(out, *s);
	}
	strbuf_addc(out, '"');
}

static void add_json(struct strbuf *out, const json_t *value, unsigned int depth)
{
	bool object = json_is_object(value), first = true;
	const char *key;
	json_t *child;
	size_t i;

	if (object) {
		strbuf_addc(out, '{');
		json_object_foreach((json_t *)value, key, child) {
			strbuf_add(out, first ? "\n" : ",\n");
			first = false;
			emit_indent(out, depth + 1);
			add_json_string(out, key);
			strbuf_add(out, ": ");
			add_json(out, child, depth + 1);
		}
	} else if (json_is_array(value)) {
		strbuf_addc(out, '[');
		json_array_foreach(value, i, child) {
			strbuf_add(out, first ? "\n" : ",\n");
			first = false;
			emit_indent(out, depth + 1);
			add_json(out, child, depth + 1);
		}
	} else if (json_is_string(value)) {
		add_json_string(out, json_string_value(value));
	} else if (json_is_integer(value)) {
		strbuf_addf(out, "%lld", (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		add_real(out, json_real_value(value));
	} else {
		strbuf_add(out, json_is_null(value)   ? "null"
				: json_is_true(value) ? "true"
						      : "false");
	}
	if (!object && !json_is_array(value))
		return;
	if (!first) {
		strbuf_addc(out, '\n');
		emit_indent(out, depth);
	}
	strbuf_addc(out, object ? '}' : ']');
}

static int render(const json_t *canonical, bool escape, FILE *out)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	add_json(&text, canonical, 0);
	strbuf_addc(&text, '\n');
	return emit_write(&text, escape, out);
}

int config_render_json(const json_t *canonical, FILE *out)
{
	return render(canonical, true, out);
}

int config_render_model_json(const json_t *model, FILE *out)
{
	return render(model, false, out);
}
