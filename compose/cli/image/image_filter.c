// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/image/image_filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

DEFINE_CLEANUP(struct image *, image_free);

static int take_time(struct image_store *store, const char *name, int64_t *ret_nsec,
		     struct error *err)
{
	_cleanup_(cleanup_image_free) struct image *image = NULL;

	if (image_find(store, name, &image, err) < 0)
		return -err->code;
	*ret_nsec = image->created_nsec;
	return 0;
}

static int take_word(struct image_filter *filter, struct image_store *store, const char *word,
		     struct error *err)
{
	if (str_starts_with(word, "before="))
		return take_time(store, word + 7, &filter->before_nsec, err);
	if (str_starts_with(word, "since="))
		return take_time(store, word + 6, &filter->since_nsec, err);
	if (str_starts_with(word, "reference="))
		return 0;
	if (!strcmp(word, "dangling=true") || !strcmp(word, "dangling=false"))
		return 0;
	if (str_starts_with(word, "dangling="))
		return error_set(err, EINVAL, "invalid filter '%s': true or false", word);
	strv_append(&filter->rest, word);
	return 0;
}

int image_filter_parse(char *const *words, struct image_store *store, struct image_filter *ret,
		       struct error *err)
{
	*ret = (struct image_filter){.words = words};
	for (size_t i = 0; words && words[i]; i++)
		if (take_word(ret, store, words[i], err) < 0)
			return -err->code;
	return prune_filter_parse(ret->rest, NULL, &ret->prune, err);
}

void image_filter_done(struct image_filter *filter)
{
	strv_free(filter->rest);
	*filter = (struct image_filter){0};
}

/* Of the name alone, or of name and tag; a "*" stays within a part of the path. */
static bool is_called(const struct image *image, const char *pattern)
{
	_cleanup_free_ char *repository = NULL, *tag = NULL, *both = NULL;

	if (!image->reference)
		return false;
	reference_familiar(image->reference, &repository, &tag);
	both = str_printf("%s:%s", repository ?: "", tag ?: "");
	return (repository && fnmatch(pattern, repository, FNM_PATHNAME) == 0) ||
	       fnmatch(pattern, both, FNM_PATHNAME) == 0;
}

bool image_filter_matches(const struct image_filter *filter, const struct image *image)
{
	bool any_name = false, named = false;

	for (size_t i = 0; filter->words && filter->words[i]; i++) {
		const char *word = filter->words[i];

		if (str_starts_with(word, "dangling=") &&
		    !strcmp(word + 9, "true") != !image->reference)
			return false;
		if (!str_starts_with(word, "reference="))
			continue;
		any_name = true;
		named = named || is_called(image, word + 10);
	}
	if ((any_name && !named) ||
	    (filter->before_nsec && image->created_nsec >= filter->before_nsec) ||
	    (filter->since_nsec && image->created_nsec <= filter->since_nsec))
		return false;
	return prune_filter_matches(&filter->prune, image->labels, image->created_nsec);
}
