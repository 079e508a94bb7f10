/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_TRACE_H
#define COMPOSE_LOAD_TRACE_H

/*
 * trace.h - which files said something about one value, in the order in which it was applied.
 * Nothing of this costs anything unless it is asked for.
 */

#include "compose/load/loader.h"

/* What one document says of it. */
struct traced {
	struct position at;
	uint32_t last_line;
	enum node_tag tag;
	bool extends;
};

struct trace {
	char **path;          /* {"services", "web", "ports"} */
	struct traced **said; /* the last one wins */
	size_t count;
};

/* What @document says of the value; NULL: nothing, or nobody asks. */
struct traced *trace_document(struct loader *l, const struct node *document);
/* When the document's turn has come; takes @said, which may be NULL. */
void trace_applied(struct loader *l, struct traced *said);
void trace_extends(struct loader *l, const struct node *service, const struct node *base);
void trace_done(struct trace *trace);

#endif
