/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DNS_FORWARD_H
#define NETMGR_DNS_FORWARD_H

/*
 * forward.h - questions to other resolvers, and their answers.
 *
 * All questions by UDP share one socket a family, opened for the first and closed after the last,
 * so that ports change all the time. Each has a random id. An answer counts if its sender was
 * asked, and its id and question are those of ours. Up to three resolvers are tried within four
 * seconds: the next one after a second without an answer, or at once after a refusal.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "netmgr/dns/resolvers.h"

struct dns_forwarder;
struct dns_forward;

struct dns_forwarder *dns_forwarder_new(sd_event *event);
void dns_forwarder_free(struct dns_forwarder *forwarder); /* after all its forwards */

/* Called once, unless cancelled. @size 0: nobody answered. The id in @reply is the query's own. */
typedef void (*dns_forward_done_t)(void *userdata, uint8_t *reply, size_t size);

/* NULL: too many are under way. @query was parsed; @done is never called from within. */
struct dns_forward *dns_forward_start(struct dns_forwarder *forwarder, const uint8_t *query,
				      size_t size, size_t question_end, bool tcp,
				      const union dns_address *resolvers, size_t count,
				      dns_forward_done_t done, void *userdata);
void dns_forward_cancel(struct dns_forward *forward);

#endif
