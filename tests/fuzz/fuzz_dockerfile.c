// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a Dockerfile; what it holds is expanded as well. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/str.h"

#include "runtime/build/dockerfile.h"
#include "runtime/build/expand.h"
#include "runtime/build/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *data, const char *name)
{
	return name[0] == 'A' ? "a b/c.d" : NULL;
}

static void expand(const struct expansion *with, const char *word)
{
	struct error err = ERROR_INIT;
	char *one = NULL, **many = NULL;

	if (expand_word(with, word, &one, &err) < 0)
		assert(err.message[0]);
	err = ERROR_INIT;
	(void)expand_words(with, word, &many, &err);
	free(one);
	strv_free(many);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dockerfile *dockerfile = NULL;
	struct error err = ERROR_INIT;
	char *report = NULL;
	bool fatal;

	if (dockerfile_parse("D", (const char *)data, size, &dockerfile, &report, &err) < 0) {
		assert(err.code && err.message[0]);
		free(report);
		return 0;
	}
	for (size_t i = 0; i < dockerfile->count; i++) {
		const struct instruction *step = &dockerfile->instructions[i];
		struct expansion with = {.lookup = lookup, .escape = dockerfile->escape};

		strv_foreach(word, step->words)
			expand(&with, word);
		with.raw_quotes = true;
		for (size_t h = 0; h < step->heredoc_count; h++)
			expand(&with, step->heredocs[h].content);
	}
	strv_free(lint_run(dockerfile, &fatal));
	dockerfile_free(dockerfile);
	return 0;
}
