/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_BUILD_H
#define RUNTIME_BUILD_BUILD_H

/*
 * build.h - the inside of a build: stages, steps and what they stand upon. builder.c drives them.
 */

#include <sys/types.h>

#include "common/map.h"
#include "common/sha256.h"

#include "runtime/build/builder.h"
#include "runtime/build/dockerfile.h"
#include "runtime/build/expand.h"
#include "runtime/build/fetch.h"
#include "runtime/build/ignore.h"
#include "runtime/build/statcache.h"
#include "runtime/build/transfer.h"
#include "runtime/image/store.h"

/* Each step's own: an empty parent that builds share would be removed under another's feet. */
#define BUILD_CGROUP_BASE     "berth-build-%.12s"
#define BUILD_CGROUP_BASE_MAX 32

/* A stack of layers; the topmost one stands for all. NULL: nothing at all (scratch). */
struct tree {
	struct tree *below;
	char chain[SHA256_HEX_SIZE], diff[SHA256_HEX_SIZE];
	/* the blob, as the manifest names it; "": not written yet, it is made of the layer */
	char blob[DIGEST_SIZE];
	uint64_t blob_bytes;
	const char *media; /* NULL: MEDIA_OCI_LAYER */
	int64_t created_nsec;
};

/* Files on this machine that steps read: the context and named ones. */
struct context {
	char *name; /* as errors call it: "the build context", "context assets" */
	char *path;
	int dir; /* -EBADF: there is none */
	struct ignore ignore;
	struct statcache *known; /* digests of its files; NULL: of no use (a clone) */
};

struct build;
struct build_stage;

enum source_kind { SOURCE_NONE, SOURCE_CONTEXT, SOURCE_STAGE, SOURCE_TREE };

/* Where COPY and --mount take files from. */
struct source {
	enum source_kind kind;
	struct context *context;
	struct build_stage *stage;
	struct tree *tree; /* an image's */
	char *name;        /* for errors: "stage build", "image alpine" */
};

enum mount_kind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };

struct run_mount {
	enum mount_kind kind;
	char *id, *target, *path, *env; /* path: source */
	char *from;
	struct source source;
	enum mount_sharing sharing;
	bool writable, required;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool has_mode;
	int64_t size_bytes;
};

struct copy_spec {
	struct source source;
	char **paths;      /* sources that are paths */
	char **remotes;    /* ADD: URLs and repositories */
	char *destination; /* absolute */
	bool is_directory; /* it ends with a slash, or must be one */
	char *chown, *chmod, *checksum;
	bool add, link, parents, keep_git, unpack, set_unpack;
	struct ignore exclude;
	struct {
		char *name, *content;
	} * files; /* heredocs */
	size_t file_count;
};

enum step_op { STEP_RUN, STEP_COPY, STEP_WORKDIR };
enum step_state { STEP_WAITING, STEP_PREPARING, STEP_RUNNING, STEP_DONE };

struct step {
	struct build_stage *stage;
	struct step *previous; /* whose result it stands upon; NULL: the base image's */
	const struct instruction *instruction;
	enum step_op op;
	char *title; /* "[build 2/4] RUN make" */
	char *text;  /* "RUN make" */
	unsigned int number;

	/* as they are when it runs */
	char **env, **arg_env, **args, *user, *cwd;
	bool shell_heredoc; /* RUN: files[0] is a script of its own */
	struct copy_spec copy;
	struct run_mount *mounts;
	size_t mount_count;
	char *network;
	bool insecure;

	enum step_state state;
	bool fresh;    /* not from the cache */
	bool recorded; /* it is in the cache */
	uint64_t tree_bytes;
	char key[SHA256_HEX_SIZE], fast_key[SHA256_HEX_SIZE];
	struct tree *below, *result;
	bool empty; /* it changed nothing: the result is what is below */
	int64_t created_nsec, started_usec;

	/* while it runs */
	pid_t pid;
	int log_fd, result_fd, lock_fd, run_fd;
	char *staged, *staged_blob; /* names in the staging directory */
	char *scratch;
	char id[65];
	struct build_attachment attachment;
	struct cgroup *cgroup;
	struct strbuf log; /* the end of its output */
};

/* A line of the image's history. */
struct history {
	json_t *entry;     /* created_by, comment, author */
	struct step *step; /* whose layer it is; NULL: none */
	bool base;         /* of the base image: as it is */
};

struct build_stage {
	const struct stage *stage;
	size_t index;
	bool needed, lowered;
	char *platform; /* as written and expanded, or NULL */
	struct build_stage *base_stage;
	char *base_name; /* image, expanded; "scratch" */
	struct tree *base_tree;
	json_t *image; /* config object as it grows: "config", "architecture", "os", ... */
	struct history *history;
	size_t history_count;
	struct map args; /* ARGs in scope: name to value (malloc'ed; NULL: declared, no value) */
	struct step **steps;
	size_t step_count;
	struct instruction **triggers; /* of the base's ONBUILD */
	size_t trigger_count;
	bool lowering; /* to see circles */
};

struct build {
	const struct build_surroundings *with;
	const struct build_options *options;
	struct build_result *result;
	struct image_store *store;
	struct staging staging;
	bool staging_open, staging_dirty;
	int64_t committed_usec;
	int dir; /* BERTH_ROOT/build */

	struct dockerfile *dockerfile;
	struct context context, *contexts; /* named */
	size_t context_count;
	struct map named; /* name to struct source */
	struct map args;  /* given: name to value */
	struct map used_args;
	struct map globals; /* ARG before FROM, and the platform's */
	int64_t epoch_nsec; /* SOURCE_DATE_EPOCH, or -1 */

	struct build_stage *stages;
	size_t stage_count, target;
	struct step **steps; /* all, in order */
	size_t step_count;
	unsigned int running, last_number;
	struct tree **trees;
	size_t tree_count;
	struct map images;     /* reference to struct base_image, loaded once */
	char *dockerfile_text; /* it came instead of a context */
	struct transfer *transfer;
};

/* report.c */
/* An error at a place of the Dockerfile, whose lines go into the report. */
int build_fail_at(struct build *build, const struct instruction *instruction, int code,
		  struct error *err, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* An error that happened for @instruction: its place is put to it. */
int build_wrap_at(struct build *build, const struct instruction *instruction, struct error *err);
void build_emit(struct build *build, const struct build_event *event);
void build_warn(struct build *build, const char *format, ...) __attribute__((format(printf, 2, 3)));

void step_emit(struct build *build, const struct step *step, enum build_event_kind kind);
/* The end of its output, into the build's report. */
void step_report_failure(struct build *build, const struct step *step);

/* hints.c: what was most likely wrong, for the user; new, or NULL. @code: the exit code. */
char *hint_of_exit(const struct build *build, const struct step *step, int code);
/* It did not even begin. @code: an errno value. */
char *hint_of_birth(const struct build *build, const struct step *step, int code);

struct tree *tree_new(struct build *build, struct tree *below, const char *diff);

/* scope.c: variables */
int scope_init(struct build *build, struct error *err);
int scope_expand_global(struct build *build, const char *word, char **ret, struct error *err);
int scope_expand(struct build *build, struct build_stage *stage, const char *word, char **ret,
		 struct error *err);
int scope_expand_words(struct build *build, struct build_stage *stage, const char *word,
		       char ***ret, struct error *err);
int scope_expand_heredoc(struct build *build, struct build_stage *stage, const char *text,
			 char **ret, struct error *err);
int scope_declare(struct build *build, struct build_stage *stage, const char *word,
		  struct error *err);
/* "NAME=value" of all ARGs that RUN sees and ENV does not hide; a strv. */
char **scope_run_args(struct build *build, struct build_stage *stage);
char **stage_env(const struct build_stage *stage);

/* stages.c: which stages are needed, and what they stand upon */
int stages_resolve(struct build *build, struct error *err);
/* Lowers a stage and all that it needs, once. */
int stages_need(struct build *build, struct build_stage *stage, struct error *err);
struct step *stage_last_step(const struct build_stage *stage);
/* What the stage as a whole is made of, once its steps are done. */
struct tree *stage_tree(const struct build_stage *stage);
/* What --from and mounts name: a stage, a named context, an image. */
int stages_find_source(struct build *build, struct build_stage *stage, const char *name,
		       struct source *ret, struct error *err);
/* An image of the store, pulled when it must be. */
struct base_image {
	struct tree *tree;
	json_t *config; /* whole */
};
int stages_image(struct build *build, const char *reference, const char *platform,
		 struct base_image **ret, struct error *err);
void base_image_free(void *image);

/* records.c */
int build_open_staging(struct build *build, struct error *err);
/* What is finished becomes part of the store, and then of the cache. */
int build_commit(struct build *build, struct error *err);
int step_record(struct build *build, struct step *step, struct error *err);
bool step_cache_allowed(const struct build *build, const struct step *step);
/* Its result is that of an earlier build under @key. */
bool step_from_cache(struct build *build, struct step *step, const char *key);

/* Whether the stage's layers are those of the image. */
bool build_exports(const struct build *build, const struct build_stage *stage);

/* start.c */
int step_begin(struct build *build, struct step *step, enum step_state state, struct error *err);
/* Its process is gone. With @clean that put its control group away itself. */
void step_leave(struct build *build, struct step *step, bool clean);
/* What builds left that were killed. */
void start_sweep(int build_dir);

/* schedule.c */
int schedule_run(struct build *build, struct error *err);
void schedule_stop(struct build *build);

/* contexts.c */
int contexts_open(struct build *build, struct error *err);
void context_done(struct context *context);
/* The first bytes at @fd, which can be sought in, are those of a tar or of what packs one. */
bool context_is_archive(int fd);

/*
 * context_stream.c: a context that is bytes: a tar becomes a folder, opened as context->dir; a
 * text is the Dockerfile, and there is no context. @fd: pipe or file, from where it stands.
 */
int context_from_stream(struct build *build, struct context *context, int fd, struct error *err);
int context_from_url(struct build *build, struct context *context, const char *url,
		     struct error *err);

/* lower.c: a stage's instructions become its config and its steps */
int lower_stage(struct build *build, struct build_stage *stage, struct error *err);

/* config.c: what is not files */
json_t *config_of(struct build_stage *stage);
int config_apply(struct build *build, struct build_stage *stage,
		 const struct instruction *instruction, char **ret_text, struct error *err);

/* mounts.c */
int run_mount_parse(struct build *build, struct build_stage *stage, const char *text,
		    struct run_mount *ret, struct error *err);
void run_mount_done(struct run_mount *mount);

/* key.c: what a step's result depends on */
int key_compute(struct build *build, struct step *step, const char *content, struct error *err);
/* The content it reads must be looked at in a process of its own (layers, URLs). */
bool key_wants_preparing(const struct step *step);

/* digest.c: content of files as a digest */
struct digest {
	struct sha256 sha;
	int root;                    /* names are resolved inside it */
	const struct ignore *ignore; /* may be NULL */
	const struct ignore *exclude;
	bool owners;             /* uid and gid count */
	size_t files;            /* seen */
	struct statcache *known; /* may be NULL */
};
int digest_path(struct digest *digest, const char *path, struct error *err);

/* glob.c: COPY's sources: names in a tree that match, sorted; links in the last part followed. */
int glob_paths(int root, const struct ignore *ignore, const char *pattern, char ***ret,
	       struct error *err);
bool glob_is_pattern(const char *path);
/* "x: no such file", and why: the rule that hid it, a name that is like it. */
int glob_fail(const struct step *step, int root, const struct ignore *ignore, const char *path,
	      struct error *err);

/* What a step's process tells. */
struct step_report {
	struct error err;
	int exit_code; /* of a RUN that failed */
	bool changed;
	bool found; /* another build was faster: it is in the cache */
	struct layer_report {
		char diff[SHA256_HEX_SIZE];
		uint64_t archive_bytes, tree_bytes;
	} layer;
	char content[SHA256_HEX_SIZE]; /* of preparing */
};

/* process.c: in the step's own process */
void step_process_prepare(struct build *build, struct step *step, int result_fd, int log_fd)
	__attribute__((noreturn));
void step_process_run(struct build *build, struct step *step, int result_fd, int log_fd)
	__attribute__((noreturn));

/* The step's surroundings there. */
struct step_room {
	struct build *build;
	struct step *step;
	int log_fd;
	int base;    /* BERTH_ROOT, opened in our own mount namespace */
	int layers;  /* BERTH_ROOT/layers */
	int staging; /* BERTH_ROOT/layers/.new-... */
	int scratch; /* a tmpfs of ours */
	int upper, work;
	int skeleton; /* mount points, below all layers */
	unsigned int next;
};

void room_init(struct step_room *room, struct build *build, struct step *step, int log_fd);
/* A mount namespace of its own, and the places in it. */
int room_open(struct step_room *room, struct error *err);
/* The surroundings of a process of the build's, and its end. @step: whose pipes it keeps. */
void step_process_begin(struct build *build, const struct step *step);
void step_process_finish(struct step_report *report, int result_fd) __attribute__((noreturn));

/* A tree's layers as one read-only tree of files: a directory. @attached: it can be cloned from. */
int room_open_tree(struct step_room *room, const struct tree *tree, struct error *err);
/* Topmost first, with the skeleton at the end. */
int room_open_layers(struct step_room *room, const struct tree *tree, int **ret_fds,
		     size_t *ret_count, struct error *err);
/* What the source's paths are resolved in. */
int room_open_source(struct step_room *room, const struct source *source,
		     const struct ignore **ret_ignore, struct error *err);
/* A directory of the scratch tmpfs, new. */
int room_directory(struct step_room *room, char **ret_name, struct error *err);
const struct tree *source_tree(const struct source *source);

/* run.c, copy.c, fetch.c: the work */
int step_run(struct step_room *room, struct step_report *report, struct error *err);
int step_copy(struct step_room *room, struct error *err);
int step_workdir(struct step_room *room, struct error *err);
/* mounting.c: RUN --mount; environment that comes of it is added to @env */
int mounting_make(struct step_room *room, struct mount_spec **ret, size_t *ret_count, char ***env,
		  struct error *err);
/* relay.c: socket @name in @dir, with the mount's owner and mode; it leads to @agent's (O_PATH). */
int relay_start(int agent, int dir, const char *name, const struct run_mount *mount,
		struct error *err);
/* Content of what ADD fetches: into a folder of the build's; its digest. */
int fetch_remotes(struct step_room *room, struct sha256 *sha, struct error *err);
bool fetch_is_remote(const char *source);
/* What is at @url into @fd, and its digest. *ret_modified: unix seconds, -1: not told. */
int fetch_url(const char *url, int fd, char ret_hex[SHA256_HEX_SIZE], long *ret_modified,
	      struct error *err);

/* copy_tree.c: files from one tree into another */
struct copying {
	int source_root, target_root;
	const struct ignore *ignore, *exclude;
	bool set_owner;
	uid_t uid;
	gid_t gid;
	const char *chmod; /* "755", "u+x"; NULL: as they are */
	int64_t now_nsec;  /* of directories that are made on the way */
	struct map links;
	bool keep_root_owner;
	bool no_clone; /* the two trees share no blocks */
};
/* The file or the folder's content at @source becomes @target (a path in the target's root). */
int copying_path(struct copying *copying, const char *source, const char *target, bool contents,
		 struct error *err);
/* Directories on the way to @path, with the owner that is asked for. */
int copying_make_parents(struct copying *copying, const char *path, bool whole, struct error *err);
void copying_done(struct copying *copying);
/* "755" or "u+x,go-w" upon @mode. -EINVAL. */
int copying_mode(const char *chmod, mode_t mode, bool directory, mode_t *ret);

/* output.c: the wanted stage's files, as options->output says, instead of an image */
int output_files(struct build *build, struct error *err);

/* export.c: the image */
int export_image(struct build *build, struct error *err);
/* The blob of a layer is found or made: tree->blob and blob_bytes. */
int export_blob(struct build *build, struct tree *tree, struct error *err);

#endif
