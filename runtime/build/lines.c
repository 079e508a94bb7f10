// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/lines.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/str.h"

#define HEREDOCS_MAX 64

struct span {
	const char *text;
	size_t length; /* without its line end */
};

static bool read_span(const struct line_reader *reader, size_t index, struct span *ret)
{
	const struct source_text *source = reader->source;
	size_t start, end;

	if (index >= source->line_count || source->line_starts[index] >= source->size)
		return false;
	start = source->line_starts[index];
	end = index + 1 < source->line_count ? source->line_starts[index + 1] : source->size;
	while (end > start && (source->text[end - 1] == '\n' || source->text[end - 1] == '\r'))
		end--;
	ret->text = source->text + start;
	ret->length = end - start;
	return true;
}

static size_t indent_of(const struct span *span)
{
	size_t n = 0;

	while (n < span->length && isspace((unsigned char)span->text[n]))
		n++;
	return n;
}

static bool is_comment(const struct span *span)
{
	size_t n = indent_of(span);

	return n < span->length && span->text[n] == '#';
}

/* "# name = value" */
static bool parse_directive(const struct span *span, char **ret_name, char **ret_value)
{
	_cleanup_free_ char *line = alloc_string_n(span->text, span->length);
	char *s = str_trim(line), *name, *equals;

	if (*s != '#')
		return false;
	name = s + 1 + strspn(s + 1, " \t");
	equals = strchr(name, '=');
	if (!equals || equals == name || !isalpha((unsigned char)*name))
		return false;
	*equals = '\0';
	name = str_trim(name);
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c))
			return false;
	if (!*str_trim(equals + 1))
		return false;
	*ret_name = alloc_string(name);
	*ret_value = alloc_string(str_trim(equals + 1));
	return true;
}

static void take_directive(struct line_reader *reader, struct dockerfile *dockerfile,
			   const char *name, char *value, const struct place *place,
			   bool *ret_escape)
{
	char **field = !strcasecmp(name, "syntax") ? &dockerfile->syntax : &dockerfile->check;

	if (strcasecmp(name, "escape") != 0) {
		if (*field)
			problems_add(reader->problems, place,
				     "only one %s parser directive can be used", name);
		free(*field);
		*field = value;
		return;
	}
	if (*ret_escape)
		problems_add(reader->problems, place,
			     "only one escape parser directive can be used");
	else if (strcmp(value, "\\") != 0 && strcmp(value, "`") != 0)
		problems_add(reader->problems, place,
			     "escape=%.20s: it must be a backslash or a backtick", value);
	else
		reader->escape = *value;
	*ret_escape = true;
	free(value);
}

void lines_read_directives(struct line_reader *reader, struct dockerfile *dockerfile)
{
	struct span span;
	bool have_escape = false;

	for (; read_span(reader, reader->next, &span); reader->next++) {
		_cleanup_free_ char *name = NULL;
		struct place place = {(unsigned int)reader->next + 1, 1, (unsigned int)span.length};
		char *value = NULL;

		if (!parse_directive(&span, &name, &value))
			break;
		if (strcasecmp(name, "syntax") && strcasecmp(name, "escape") &&
		    strcasecmp(name, "check")) {
			free(value); /* a comment like others, and the end of directives */
			break;
		}
		take_directive(reader, dockerfile, name, value, &place, &have_escape);
	}
	dockerfile->escape = reader->escape;
}

/* Whether the line goes on; then *length is what comes before the escape. */
static bool is_continued(const struct line_reader *reader, const struct span *span, size_t *length)
{
	size_t n = span->length;

	while (n > 0 && (span->text[n - 1] == ' ' || span->text[n - 1] == '\t'))
		n--;
	if (n == 0 || span->text[n - 1] != reader->escape)
		return false;
	if (n > 1 && span->text[n - 2] == reader->escape)
		return false;
	*length = n - 1;
	return true;
}

static void add_segment(struct logical_line *line, const struct line_reader *reader,
			const char *text, size_t length, size_t column)
{
	struct line_segment *segment = array_add(line->segments, line->segment_count);

	segment->at = line->text.length;
	segment->line = (unsigned int)reader->next + 1;
	segment->column = (unsigned int)column + 1;
	strbuf_add_n(&line->text, text, length);
}

struct place logical_line_place(const struct logical_line *line, size_t at, size_t width)
{
	struct place place = {line->first_line, 1, 1};

	for (size_t i = 0; i < line->segment_count && line->segments[i].at <= at; i++) {
		place.line = line->segments[i].line;
		place.column = line->segments[i].column + (unsigned int)(at - line->segments[i].at);
	}
	place.width = width ? (unsigned int)width : 1;
	return place;
}

void heredoc_done(struct heredoc *heredoc)
{
	free(heredoc->name);
	free(heredoc->content);
}

bool heredoc_parse(const char *word, struct heredoc *ret)
{
	struct strbuf name = {0};
	const char *s = word;
	bool quoted = false;
	char quote = 0;

	while (isdigit((unsigned char)*s))
		s++;
	if (s[0] != '<' || s[1] != '<')
		return false;
	s += 2;
	*ret = (struct heredoc){.chomp = *s == '-'};
	s += ret->chomp;
	for (; *s; s++) {
		if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
			quote = quote ? 0 : *s;
			quoted = true;
			continue;
		}
		if (*s == '<' || (!quote && isspace((unsigned char)*s)))
			break;
		strbuf_addc(&name, *s);
	}
	if (*s || quote || !name.length) {
		strbuf_done(&name);
		return false;
	}
	ret->expand = !quoted;
	ret->name = strbuf_take(&name);
	return true;
}

/* Only these read them; ONBUILD passes them on. */
static bool takes_heredocs(const char *text)
{
	static const char *const words[] = {"RUN", "COPY", "ADD"};
	size_t n = strcspn(text, " \t");

	if (n == 7 && !strncasecmp(text, "ONBUILD", 7))
		return takes_heredocs(text + 7 + strspn(text + 7, " \t"));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (n == strlen(words[i]) && !strncasecmp(text, words[i], n))
			return true;
	return false;
}

/* Words as the shell parts them, with their quotes. */
static char *take_raw_word(const char **text, char escape)
{
	struct strbuf word = {0};
	const char *s = *text + strspn(*text, " \t");
	char quote = 0;

	if (!*s)
		return NULL;
	for (; *s && (quote || (*s != ' ' && *s != '\t')); s++) {
		if (quote ? *s == quote : (*s == '"' || *s == '\''))
			quote = quote ? 0 : *s;
		else if (*s == escape && quote != '\'' && s[1])
			strbuf_addc(&word, *s++);
		strbuf_addc(&word, *s);
	}
	*text = s;
	return strbuf_take(&word);
}

static void find_heredocs(struct line_reader *reader, struct logical_line *line)
{
	const char *at = line->text.data;
	char *word;

	if (!takes_heredocs(at))
		return;
	while ((word = take_raw_word(&at, reader->escape))) {
		struct heredoc heredoc;

		if (heredoc_parse(word, &heredoc)) {
			if (line->heredoc_count < HEREDOCS_MAX)
				*array_add(line->heredocs, line->heredoc_count) = heredoc;
			else
				heredoc_done(&heredoc);
		}
		free(word);
	}
}

/* Lines up to the one that is its name. */
static void read_heredoc(struct line_reader *reader, struct logical_line *line,
			 struct heredoc *heredoc)
{
	struct strbuf content = {0};
	struct span span;

	for (; read_span(reader, reader->next, &span); reader->next++) {
		size_t tabs = 0;

		while (heredoc->chomp && tabs < span.length && span.text[tabs] == '\t')
			tabs++;
		if (span.length - tabs == strlen(heredoc->name) &&
		    !memcmp(span.text + tabs, heredoc->name, span.length - tabs))
			break;
		strbuf_add_n(&content, span.text + tabs, span.length - tabs);
		strbuf_addc(&content, '\n');
	}
	heredoc->content = strbuf_take(&content);
	if (reader->next < reader->source->line_count && read_span(reader, reader->next, &span)) {
		reader->next++;
		line->last_line = (unsigned int)reader->next;
		return;
	}
	problems_add(reader->problems, &(struct place){line->first_line, 0, 0},
		     "heredoc <<%s is not ended: no line is \"%s\"", heredoc->name, heredoc->name);
}

/* The lines that follow an escape; comments and empty ones among them are passed over. */
static void read_continuation(struct line_reader *reader, struct logical_line *line)
{
	struct span span;

	for (; read_span(reader, reader->next, &span); reader->next++) {
		size_t length = span.length;
		bool more;

		if (is_comment(&span) || indent_of(&span) == span.length)
			continue;
		more = is_continued(reader, &span, &length);
		add_segment(line, reader, span.text, length, 0);
		line->last_line = (unsigned int)reader->next + 1;
		if (!more) {
			reader->next++;
			return;
		}
	}
}

static void trim_end(struct strbuf *text)
{
	while (text->length && isspace((unsigned char)text->data[text->length - 1]))
		text->data[--text->length] = '\0';
}

bool lines_next(struct line_reader *reader, struct logical_line *ret)
{
	struct span span;
	size_t indent, length;
	bool more;

	*ret = (struct logical_line){0};
	while (read_span(reader, reader->next, &span) &&
	       (is_comment(&span) || indent_of(&span) == span.length))
		reader->next++;
	if (!read_span(reader, reader->next, &span))
		return false;
	ret->first_line = ret->last_line = (unsigned int)reader->next + 1;
	indent = indent_of(&span);
	length = span.length;
	more = is_continued(reader, &span, &length);
	if (length < indent)
		length = indent;
	add_segment(ret, reader, span.text + indent, length - indent, indent);
	reader->next++;
	if (more)
		read_continuation(reader, ret);
	strbuf_addc(&ret->text, ' '); /* so that there is a text, also of a lone escape */
	trim_end(&ret->text);
	find_heredocs(reader, ret);
	for (size_t i = 0; i < ret->heredoc_count; i++)
		read_heredoc(reader, ret, &ret->heredocs[i]);
	return true;
}

void logical_line_done(struct logical_line *line)
{
	strbuf_done(&line->text);
	free(line->segments);
	for (size_t i = 0; i < line->heredoc_count; i++)
		heredoc_done(&line->heredocs[i]);
	free(line->heredocs);
}
