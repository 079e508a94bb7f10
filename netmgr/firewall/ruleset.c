// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/firewall/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

void ruleset_add_owner(struct ruleset *set, const char *owner)
{
	*array_add(set->owners, set->owner_count) = owner;
}

void ruleset_add(struct ruleset *set, struct rule rule)
{
	rule.owner = set->owners[set->owner_count - 1];
	*array_add(set->rules, set->count) = rule;
}

bool ruleset_has_owner(const struct ruleset *set, const char *owner)
{
	for (size_t i = 0; i < set->owner_count; i++)
		if (str_equal(set->owners[i], owner))
			return true;
	return false;
}

bool ruleset_has_network(const struct ruleset *set)
{
	for (size_t i = 0; i < set->owner_count; i++)
		if (str_starts_with(set->owners[i], "network:"))
			return true;
	return false;
}

void ruleset_done(struct ruleset *set)
{
	free(set->owners);
	free(set->rules);
	*set = (struct ruleset){0};
}
