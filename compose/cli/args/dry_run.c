// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/dry_run.h"

#include <fcntl.h>
#include <stdio.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/str.h"

#include "compose/cli/registry/images_here.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct plan *, plan_free);

/* Names of what exists on this machine: a folder each. */
static char **names_in(const char *folder)
{
	_cleanup_free_ char *path = str_printf("%s/%s", paths_root(), folder);
	struct error ignored = ERROR_INIT;
	char **names = NULL;

	if (fs_list(AT_FDCWD, path, &names, &ignored) < 0)
		return NULL;
	return names;
}

int dry_run_make(const struct project *project, const struct plan_options *options,
		 struct plan **ret, struct error *err)
{
	_cleanup_strv_ char **networks = names_in("networks"), **volumes = names_in("volumes");
	struct fact_image *images = NULL;
	struct facts facts = {0};
	int r;

	r = images_here_facts(project, &images, &facts.image_count, err);
	if (r < 0)
		return r;
	facts.images = images;
	facts.external_networks = (const char *const *)networks;
	facts.external_volumes = (const char *const *)volumes;
	r = plan_reconcile(project, &facts, options, ret, err);
	images_here_free_facts(images, facts.image_count);
	if (r < 0)
		return r;
	if ((*ret)->warnings)
		strv_foreach(warning, (*ret)->warnings)
			output_warn("%s", warning);
	return 0;
}

int dry_run_print(const struct project *project, const struct plan_options *options,
		  struct error *err)
{
	_cleanup_(cleanup_plan_free) struct plan *plan = NULL;
	_cleanup_free_ char *text = NULL;
	int r = dry_run_make(project, options, &plan, err);

	if (r < 0)
		return r;
	text = plan_to_text(plan);
	fputs(text, stdout);
	return 0;
}
