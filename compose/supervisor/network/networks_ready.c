// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/network/networks_ready.h"

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/supervisor/supervisor.h"

static const struct network_info *note_ready(struct supervisor *supervisor, const char *name,
					     struct error *err)
{
	struct network_info *info;

	if (network_inspect(supervisor->networks, name, &info, err) < 0)
		return NULL;
	map_set(&supervisor->networks_ready, name, info);
	return info;
}

/* Those of one `up`, with one firewall commit. Should one of them fail, each is on its own. */
static void make_ready(struct supervisor *supervisor)
{
	_cleanup_strv_ char **made = TAKE_PTR(supervisor->networks_made);
	struct error ignored = ERROR_INIT;

	if (network_ensure_many(supervisor->networks, (const char *const *)made, strv_length(made),
				&ignored) < 0)
		return;
	strv_foreach(name, made)
		if (!map_get(&supervisor->networks_ready, name))
			(void)note_ready(supervisor, name, &ignored);
}

const struct network_info *networks_ready(struct supervisor *supervisor, const char *name,
					  struct error *err)
{
	struct network_info *info = map_get(&supervisor->networks_ready, name);

	if (info)
		return info;
	if (strv_contains(supervisor->networks_made, name))
		make_ready(supervisor);
	info = map_get(&supervisor->networks_ready, name);
	if (info)
		return info;
	if (network_ensure(supervisor->networks, name, err) < 0)
		return NULL;
	return note_ready(supervisor, name, err);
}
