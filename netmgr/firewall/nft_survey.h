/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_NFT_SURVEY_H
#define NETMGR_FIREWALL_NFT_SURVEY_H

/*
 * nft_survey.h - what nf_tables has of ours, as far as a commit has to know.
 *
 * What the owners of the set have is to be deleted; and what dead owners left (dead.h), where that
 * is asked for.
 */

#include "netmgr/firewall/nft_rules.h"

struct nft_old_rule {
	uint8_t family;
	const char *table; /* static */
	char *chain;
	uint64_t handle; /* as the kernel has it */
	bool base;       /* goes only where the base is made anew */
};

struct nft_survey {
	const struct ruleset *set;
	struct nft_element *added; /* of the set's rules; owned, the caller fills them in */
	size_t added_count;
	bool sweeps; /* looks for dead owners */

	struct nft_old_rule *rules; /* to be deleted */
	size_t rule_count;
	struct nft_element *old;
	size_t old_count;
	size_t base, others; /* rules of ours that every owner needs; what owners have who stay */
	size_t user;         /* rules in the user's chain */
};

/* @foreign4, @foreign6: iptables-nft's chain FORWARD is there, and may have rules of ours. */
int nft_survey_take(int fd, struct nft_survey *survey, bool foreign4, bool foreign6,
		    struct error *err);
void nft_survey_done(struct nft_survey *survey);

#endif
