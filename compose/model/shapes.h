/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_SHAPES_H
#define COMPOSE_MODEL_SHAPES_H

/*
 * shapes.h - the forms that values take. Scalars and lists first, then one file a family.
 */

#include "compose/model/attribute.h"

/* scalars.c */
extern const struct shape shape_string;      /* char * */
extern const struct shape shape_name;        /* char *: a name on the machine */
extern const struct shape shape_path;        /* char *, made absolute */
extern const struct shape shape_text;        /* char *: a string or a number */
extern const struct shape shape_bool;        /* bool; false is not written */
extern const struct shape shape_switch;      /* enum tristate; false is not written */
extern const struct shape shape_tristate;    /* enum tristate; false is written */
extern const struct shape shape_int;         /* optional_int; 0 is unset */
extern const struct shape shape_oom_score;   /* optional_int of -1000 to 1000 */
extern const struct shape shape_usec;        /* optional_int: microseconds, or a duration */
extern const struct shape shape_cgroup;      /* char *: host, private */
extern const struct shape shape_count;       /* optional_int; 0 is a value, negative a mistake */
extern const struct shape shape_number;      /* optional_number; 0 is unset */
extern const struct shape shape_bytes;       /* optional_int in bytes; 0 is unset */
extern const struct shape shape_swappiness;  /* optional_int written as text; 0 is a value */
extern const struct shape shape_duration;    /* optional_int in microseconds */
extern const struct shape shape_mode;        /* optional_int, octal text */
extern const struct shape shape_mode_number; /* optional_int, a number */
extern const struct shape shape_isolation;   /* char *: Windows only, a warning */
extern const struct shape shape_cpu_count;   /* optional_int: Windows only, a warning */
extern const struct shape shape_cpu_percent; /* optional_number: Windows only, a warning */

/* lists.c */
extern const struct shape shape_strings;     /* char **: list */
extern const struct shape shape_string_list; /* char **: one text or a list */
extern const struct shape shape_texts;       /* char **: list of texts and numbers */
extern const struct shape shape_expose;
/* mapping.c */
extern const struct shape shape_environment; /* struct mapping; null: from outside */
extern const struct shape shape_labels;      /* struct mapping; null: empty text */
extern const struct shape shape_options;     /* struct mapping; of texts and numbers */
/* families */
extern const struct shape shape_argv, shape_health_test; /* argv.c */
extern const struct shape shape_ports, shape_mounts, shape_dependencies, shape_healthcheck;
extern const struct shape shape_service_networks, shape_secrets, shape_configs, shape_ulimits;
extern const struct shape shape_devices, shape_extra_hosts, shape_env_files, shape_deploy;
extern const struct shape shape_logging, shape_ipam, shape_external, shape_label_files;
extern const struct shape shape_build, shape_develop, shape_blkio;
extern const struct shape shape_hooks, shape_pre_start;         /* hooks.c */
extern const struct shape shape_gpus, shape_reserved_devices;   /* device_requests.c */
extern const struct shape shape_provider, shape_service_models; /* companions.c */
extern const struct shape shape_credential_spec;
extern const struct shape shape_berth;   /* berth.c */
extern const struct shape shape_sockets; /* sockets.c */

/*
 * blocks.c. A block is a struct that begins with `bool given`; its shape has the schema. Rows are
 * an array of objects; their shape has the schema and element_size.
 */
void decode_block(struct decoder *d, const struct node *node, const struct slot *slot);
json_t *encode_block(const struct slot *slot);
void release_block(const struct slot *slot);
void decode_rows(struct decoder *d, const struct node *node, const struct slot *slot);
json_t *encode_rows(const struct slot *slot);
void release_rows(const struct slot *slot);
void *rows_add(const struct slot *slot); /* a zeroed element */
/* A string out of @words; else a problem, with what was probably meant. */
bool decode_word(struct decoder *d, const struct node *node, char **ret, const char *const *words,
		 size_t count);
/* "FILE:LINE:COLUMN: PATH has no effect here: WHY" */
void decode_unheeded(struct decoder *d, const struct node *node, const char *why);
/* "FILE:LINE:COLUMN: PATH: TEXT" */
void decode_warning_at(struct decoder *d, const struct node *node, const char *text);
/* A list of names as a mapping of nulls. */
struct node *decode_names(struct decoder *d, const struct node *sequence);

/* Sorts by key and drops what an equal later key replaces. */
void mapping_sort(struct mapping *mapping);
void mapping_add(struct mapping *mapping, const char *key, const char *value);
void mapping_release(struct mapping *mapping);
bool decode_mapping(struct decoder *d, const struct node *node, struct mapping *ret,
		    bool null_is_empty);

/* Words of a command line as a shell would split it, without expansions; -EINVAL: open quote. */
int argv_split(const char *line, char ***ret);

/* A short-form port, one row a port appended. Fills @err without a position. */
int ports_parse(const char *spec, struct port **rows, size_t *count, struct error *err);
void port_release(struct port *port);
json_t *port_encode(const struct port *port);

int mount_parse(const char *spec, struct mount *ret, struct error *err);
void mount_release(struct mount *mount);

/*
 * Of rows with the same key only the last stays, in the first one's place. The key is a text that
 * @key writes.
 */
void rows_unify(void *items, size_t *count, size_t size,
		void (*key)(const void *row, struct strbuf *text), void (*release)(void *row));

/* A map of objects (shape->schema, ->element_size, ->key_offset), kept sorted by key. */
void decode_objects(struct decoder *d, const struct node *node, const struct slot *slot);
json_t *encode_objects(const struct slot *slot);
void release_objects(const struct slot *slot);
void *objects_find(void *items, size_t count, size_t size, size_t key_offset, const char *key);

#endif
