// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/logs/journal_lines.h"

#include <stdlib.h>
#include <string.h>

#include "common/units.h"

#define JOINED_BYTES (1 << 20) /* a longer line is given in pieces */

void journal_lines_done(struct journal_lines *lines)
{
	strbuf_done(&lines->parts[0].text);
	strbuf_done(&lines->parts[1].text);
	strbuf_done(&lines->given);
}

static bool field_text(const struct journal_fields *fields, const char *name, char *text,
		       size_t size)
{
	const char *value;
	size_t length;

	text[0] = 0;
	if (!fields->get(fields->context, name, &value, &length) || length >= size)
		return false;
	memcpy(text, value, length);
	text[length] = 0;
	return true;
}

static bool field_is(const struct journal_fields *fields, const char *name, const char *wanted)
{
	char text[16];

	return field_text(fields, name, text, sizeof(text)) && !strcmp(text, wanted);
}

bool journal_lines_number(const struct journal_fields *fields, char epoch[LOG_EPOCH_MAX],
			  uint64_t *ret)
{
	char text[24];

	if (!field_text(fields, "CONTAINER_LOG_EPOCH", epoch, LOG_EPOCH_MAX) ||
	    !field_text(fields, "CONTAINER_LOG_ORDINAL", text, sizeof(text)))
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

bool journal_lines_ends(const struct journal_fields *fields)
{
	return !field_is(fields, "CONTAINER_PARTIAL_MESSAGE", "true");
}

static int64_t time_of(const struct journal_fields *fields)
{
	char text[UNITS_TIME_MAX];
	int64_t nsec;

	if (field_text(fields, "SYSLOG_TIMESTAMP", text, sizeof(text)) &&
	    units_parse_time(text, 0, &nsec) == 0)
		return nsec;
	return fields->nsec;
}

static bool seen_before(struct journal_lines *lines, const struct journal_fields *fields)
{
	char epoch[LOG_EPOCH_MAX];
	uint64_t number;

	if (!journal_lines_number(fields, epoch, &number))
		return false;
	if (!strcmp(epoch, lines->epoch) && number <= lines->ordinal)
		return true;
	memcpy(lines->epoch, epoch, sizeof(epoch));
	lines->ordinal = number;
	return false;
}

bool journal_lines_take(struct journal_lines *lines, const struct journal_fields *fields,
			struct log_record *ret)
{
	int stream = field_is(fields, "PRIORITY", "3") ? 2 : 1;
	typeof(&lines->parts[0]) part = &lines->parts[stream - 1];
	bool last = journal_lines_ends(fields);
	const char *text;
	size_t size;

	if (seen_before(lines, fields) || !fields->get(fields->context, "MESSAGE", &text, &size))
		return false;
	if (!part->text.length)
		part->nsec = time_of(fields);
	strbuf_add_n(&part->text, text, size);
	if (!last && part->text.length < JOINED_BYTES)
		return false;
	strbuf_done(&lines->given);
	lines->given = part->text;
	part->text = (struct strbuf){0};
	*ret = (struct log_record){
		.nsec = part->nsec,
		.stream = stream,
		.text = lines->given.data ?: "",
		.size = lines->given.length,
		.unfinished = !last,
	};
	return true;
}
