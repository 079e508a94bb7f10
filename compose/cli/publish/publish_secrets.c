// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/publish/publish_secrets.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"

/* After the mark come at least so many letters, digits or characters of @others. */
static const struct {
	const char *kind, *mark, *others;
	size_t at_least;
} marks[] = {
	{"AWS access key", "AKIA", "", 16},
	{"AWS access key", "ASIA", "", 16},
	{"GitHub token", "ghp_", "", 36},
	{"GitHub token", "gho_", "", 36},
	{"GitHub token", "ghu_", "", 36},
	{"GitHub token", "ghs_", "", 36},
	{"GitHub token", "ghr_", "", 36},
	{"GitHub token", "github_pat_", "_", 22},
	{"GitLab token", "glpat-", "-_", 20},
	{"Google API key", "AIza", "-_", 35},
	{"Slack token", "xoxa-", "-", 10},
	{"Slack token", "xoxb-", "-", 10},
	{"Slack token", "xoxp-", "-", 10},
	{"Slack token", "xoxs-", "-", 10},
	{"Stripe key", "sk_live_", "", 16},
	{"Docker token", "dckr_pat_", "-_", 20},
	{"JSON Web Token", "eyJ", "-_.", 30},
	{"private key", "-----BEGIN PRIVATE KEY-----", "", 0},
	{"private key", "-----BEGIN RSA PRIVATE KEY-----", "", 0},
	{"private key", "-----BEGIN EC PRIVATE KEY-----", "", 0},
	{"private key", "-----BEGIN ENCRYPTED PRIVATE KEY-----", "", 0},
	{"private key", "-----BEGIN OPENSSH PRIVATE KEY-----", "", 0},
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t match(size_t row, const char *text, size_t left)
{
	size_t mark = strlen(marks[row].mark), n = mark;

	if (left < mark || memcmp(text, marks[row].mark, mark) != 0)
		return 0;
	while (n < left && text[n] && marks[row].at_least &&
	       (isalnum((unsigned char)text[n]) || strchr(marks[row].others, text[n])))
		n++;
	return n - mark >= marks[row].at_least ? n : 0;
}

void publish_secrets_find(const char *text, size_t size,
			  void (*found)(void *data, const char *kind, size_t offset, size_t length),
			  void *data)
{
	for (size_t i = 0; i < size; i++) {
		size_t length = 0;

		if (i && is_word(text[i - 1]))
			continue;
		for (size_t row = 0; !length && row < ARRAY_SIZE(marks); row++) {
			length = match(row, text + i, size - i);
			if (length)
				found(data, marks[row].kind, i, length);
		}
		i += length ? length - 1 : 0;
	}
}
