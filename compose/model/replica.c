// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/replica.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/alloc.h"
#include "common/str.h"

static bool is_word(const char *name, size_t length, const char *word)
{
	return strlen(word) == length && !strncmp(name, word, length);
}

/* What the placeholder stands for; false: it is none of ours. */
static bool add_value(struct strbuf *out, const struct replica *replica, const char *name,
		      size_t length)
{
	struct utsname machine;

	if (is_word(name, length, ".Task.Slot"))
		strbuf_addf(out, "%u", replica->number);
	else if (is_word(name, length, ".Task.Name"))
		strbuf_add(out, replica->name);
	else if (is_word(name, length, ".Task.ID"))
		strbuf_add(out, replica->id);
	else if (is_word(name, length, ".Service.Name"))
		strbuf_add(out, replica->service);
	else if (is_word(name, length, ".Node.Hostname") && uname(&machine) == 0)
		strbuf_add(out, machine.nodename);
	else
		return false;
	return true;
}

/* At @open, "{{": adds what stands for it, and gives what follows it; NULL: it is none of ours. */
static const char *add_placeholder(struct strbuf *out, const struct replica *replica,
				   const char *open)
{
	const char *name = open + 2 + strspn(open + 2, " ");
	size_t length = strspn(name, ".ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	const char *close = name + length + strspn(name + length, " ");

	if (strncmp(close, "}}", 2) != 0 || !add_value(out, replica, name, length))
		return NULL;
	return close + 2;
}

char *replica_expand(const struct replica *replica, const char *text)
{
	struct strbuf out = {0};
	const char *open;
	bool found = false;

	while (text && (open = strstr(text, "{{"))) {
		const char *after;

		strbuf_add_n(&out, text, (size_t)(open - text));
		after = add_placeholder(&out, replica, open);
		found = found || after;
		/* One of ours may begin at the second brace of somebody else's. */
		if (!after)
			strbuf_addc(&out, *open);
		text = after ?: open + 1;
	}
	if (found)
		strbuf_add(&out, text);
	else
		strbuf_done(&out);
	return found ? strbuf_take(&out) : NULL;
}
