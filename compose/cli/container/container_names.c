// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/container/container_names.h"

#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/str.h"

#define NAME_MAX_LENGTH 200

static const char *const first[] = {
	"amber",  "brave",  "brisk",  "calm",   "clear",  "cosy",    "crisp", "deep",
	"early",  "fair",   "fleet",  "fresh",  "gentle", "golden",  "grand", "happy",
	"hardy",  "honest", "humble", "keen",   "kind",   "lively",  "lucid", "mellow",
	"merry",  "mild",   "modest", "nimble", "noble",  "patient", "plain", "proud",
	"quick",  "quiet",  "ready",  "robust", "salty",  "sharp",   "shiny", "silent",
	"smooth", "snug",   "solid",  "steady", "sturdy", "sunny",   "swift", "tidy",
	"trusty", "upbeat", "vivid",  "warm",   "wise",   "witty",   "young", "zesty",
};
static const char *const second[] = {
	"anchor", "ballast", "barge",   "bay",     "beacon",  "boom",    "bow",     "breeze",
	"buoy",   "cabin",   "canal",   "capstan", "channel", "cleat",   "coast",   "compass",
	"crane",  "creek",   "deck",    "delta",   "dock",    "dory",    "estuary", "ferry",
	"fjord",  "fleet",   "galley",  "gull",    "halyard", "harbour", "hawser",  "helm",
	"hull",   "island",  "jetty",   "keel",    "ketch",   "lagoon",  "lantern", "lighthouse",
	"mast",   "mooring", "oar",     "pier",    "pilot",   "port",    "quay",    "reef",
	"rudder", "sail",    "sextant", "shoal",   "sloop",   "tide",    "tiller",  "wharf",
};

bool container_name_is_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	return name[0] && name[1] && !strchr("_.-", name[0]) &&
	       name[strspn(name, letters)] == '\0' && strlen(name) <= NAME_MAX_LENGTH;
}

char *container_name_make(void)
{
	char digits[9];
	unsigned long n;

	fs_random_hex(digits, 4);
	n = strtoul(digits, NULL, 16);
	/* Digits, since two made at the same moment do not see one another. */
	return str_printf("%s_%s%02lu", first[n % ARRAY_SIZE(first)],
			  second[n / ARRAY_SIZE(first) % ARRAY_SIZE(second)],
			  n / (ARRAY_SIZE(first) * ARRAY_SIZE(second)) % 100);
}
