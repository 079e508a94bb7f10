/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_REQUESTS_H
#define COMPOSE_CONTROL_REQUESTS_H

/*
 * requests.h - what a client may ask a project's supervisor, and where it finds it.
 *
 * The socket is BERTH_RUNTIME_DIR/projects/NAME/control.sock. One request a connection; then
 * events, each {"event": NAME, ...}; the last message is {"reply": "done", ...} or
 * {"reply": "error", "code": errno, "where": "", "message": "...", "exit": 1}; where: see place.h.
 *
 * Every request has "request" and "id" (32 hex, the client's). A client whose connection breaks
 * (the supervisor was killed; the keeper is starting it again) connects anew and sends the same
 * request with the same id: everything here converges or is remembered by its id, so that twice
 * is once.
 *
 *   ping       -> done {version, pid, keeper_pid, outdated: bool (process_is_outdated())}
 *   converge   {options: OPTIONS (below), project: canonical internal form or absent,
 *               dry_run: bool, interrupt: bool, coming: [images that the client is fetching],
 *               parallel: at most so many operations at a time}
 *              -> progress*, warning*, done {} | error {exit}
 *              dry_run: -> plan {text, operations: [...]}, done; options.images are what the client
 *              would get before: [{image, service: built for, cause, refresh: bool}]
 *              progress: {id: "Container web-app-1", status: Working|Done|Warning|Error,
 *                         text: "Starting", details: ""}
 *              interrupt (Ctrl-C in an attached `up`): a converge under way is abandoned first,
 *              its waits at once; what it began is finished. Else it waits for its turn.
 *              coming: containers of these wait until the client sends, on the same connection,
 *              {image} or {image, code: errno, message}; or leaves, which gives them up.
 *              --wait-timeout is the client's: it leaves. So is down --rmi, after done.
 *   run        {options with oneoff: NAME and services: [NAME], project, oneoff_project: the same
 *               with the service as this container is to have it, foreground, auto_remove,
 *               use_aliases: bool} + in foreground the descriptors of enum run_fd
 *              -> progress*, warning*, terminal {container} + [pty master] in foreground with a
 *              tty, then done {container, exit_code} when it ended; not in foreground: done
 *              {container} when it started. A failed start: error {exit: 126|127}
 *              auto_remove, in foreground: ended {container, exit_code} first, done once it is
 *              removed
 *   kill       {container: id or name, signal} -> done
 *   rename     {container: id or name, name} -> done
 *   update     {container: id or name, changes: {ATTRIBUTE: value, or null to take it away}, of
 *              those attributes of its service that a running container can be given} -> done
 *   connect    {container: id or name, network: its name, and of the Compose attributes of a
 *              service's network: aliases, ipv4_address, ipv6_address, gw_priority, links,
 *              link_local_ips, driver_opts} -> done
 *   disconnect {container: id or name, network} -> done
 *   usage      {} -> done {time (monotonic usec), machine_memory_bytes, containers: [{id, name,
 *              service, number, oneoff, running, cpu_usec, memory_bytes, memory_limit_bytes,
 *              processes, pids[], read_bytes, write_bytes, received_bytes, sent_bytes}]}
 *   root       {container: id or name, layers: bool} -> done {running} + [its root directory:
 *              with all mounts while it runs, else its layers alone; with layers always these
 *              alone, and only to be read]
 *   ps         {all, brief: bool} -> done {project, working_dir, config_files,
 *              containers: [CONTAINER*, or BRIEF*]}
 *   events     {since?: nsec, guest: bool} -> container {time, action, service, container,
 *              container_id, attributes{}}*, settled {}* when a command is over (until the client
 *              leaves). guest: for it alone the supervisor does not stay once all else is done.
 *   exec       {container: id or name | service, index, args, env[], user, cwd, tty, privileged,
 *               detach, rows, columns} + [stdin, stdout, stderr] unless tty
 *              -> started {exec} + [pty master] with tty, done {exit_code}; detach: done after
 *              started. A failed start: error {exit: 126|127}
 *   exec_wait  {exec} -> done {exit_code}
 *   attach     {container} + [sockets for a copy of its stdout and stderr, or none]
 *              -> done {tty} + [stdin: a pipe's write end, or the pty master]
 *   end_output {container, stream: 1 or 2} -> done; its client wants no more of it: like a pipe
 *              that nobody reads
 *   end_input  {container} -> done; nobody writes to its stdin any more but who has it by attach
 *   wait       {services[], containers[]} -> exited {service, container, exit_code}*, done
 *   logs_sync  {} -> done, once all that containers wrote before is in their files
 *   reexec     {} -> done; the supervisor replaces its own program
 *   shutdown   {} -> done; supervisor and keeper end if no container runs
 *
 * OPTIONS are the fields of struct plan_options by their names; what is absent is false, none, all:
 *   {goal: "up"|"down"|"start"|"stop"|"restart"|"kill"|"remove"|"pause"|"unpause",
 *    containers: [ID*], of these services (not for up and down),
 *    services: [NAME*], no_deps, no_start, remove_orphans, always_recreate_deps,
 *    renew_anon_volumes, wait, volumes, force_stop, by_label, underscores: bool,
 *    recreate, recreate_dependencies: "diverged"|"force"|"never",
 *    timeout_usec: int (absent: each service's own), signal: int, oneoff: NAME,
 *    scales: {SERVICE: replicas}}
 *
 * CONTAINER has these fields, the same of a container that runs and of one that does not:
 *   {id, name, service, number, oneoff, image, image_id, command, tty, labels{},
 *    schedule (x-berth's calendar, or ""), next: nsec (its next run; 0: none),
 *    state, coming (it does not run, and what is under way starts it), health, exit_code,
 *    oom_killed, restart_count, error, pid, cgroup,
 *    created, started, finished: nsec (0: not yet),
 *    health_log: [{start, end, exit_code, output}], health_note (what on_unhealthy did),
 *    publishers: [{url, target, published, protocol}],
 *    networks: [{name, ipv4, ipv6, mac}],
 *    mounts: [{type, name, source, destination, rw}],
 *    log: {path, driver}}
 * BRIEF, for tables of many, has of these: id, name, service, number, oneoff, image, command,
 * state, coming, health, exit_code, oom_killed, pid, created, started, finished, publishers.
 *
 * Log files: log.path is a directory with "00000001", "00000002", ... (compose/control/log_name.h),
 * in the CRI form "TIME stdout|stderr F|P text".
 */

/*
 * What goes with `run`. Without a tty: the program's stdin, stdout and stderr; then of each stream
 * where the client puts what it has copied for the log (the end to read), and where it reads itself
 * (for when it is gone). One stream where its stdout and stderr are the same. With a tty, the log
 * alone. An older client sends but the first three: nothing is logged.
 */
enum run_fd {
	RUN_STDIN,
	RUN_STDOUT,
	RUN_STDERR,
	RUN_LOG_STDOUT,
	RUN_REST_STDOUT,
	RUN_LOG_STDERR,
	RUN_REST_STDERR,
	RUN_FDS,
};

#define REQUEST_PING       "ping"
#define REQUEST_CONVERGE   "converge"
#define REQUEST_RUN        "run"
#define REQUEST_KILL       "kill"
#define REQUEST_UPDATE     "update"
#define REQUEST_RENAME     "rename"
#define REQUEST_CONNECT    "connect"
#define REQUEST_DISCONNECT "disconnect"
#define REQUEST_USAGE      "usage"
#define REQUEST_ROOT       "root"
#define REQUEST_PS         "ps"
#define REQUEST_EVENTS     "events"
#define REQUEST_EXEC       "exec"
#define REQUEST_EXEC_WAIT  "exec_wait"
/* With "ahead": or as soon as it is started; what goes to its stdin is then asked for again. */
#define REQUEST_ATTACH     "attach"
#define REQUEST_END_INPUT  "end_input"
#define REQUEST_END_OUTPUT "end_output"
#define REQUEST_WAIT       "wait"
/* Of a job whose time has come: {service}. Reply: {begun}, the number of its containers. */
#define REQUEST_JOB       "job"
#define REQUEST_LOGS_SYNC "logs_sync"
#define REQUEST_REEXEC    "reexec"
#define REQUEST_SHUTDOWN  "shutdown"

/*
 * How a project's processes are started: argv of the same binary. `berth __keeper PROJECT` is the
 * client's child (double-forked, in a session of its own, stdio on /dev/null and
 * BERTH_RUNTIME_DIR/projects/NAME/supervisor.log); it starts `berth __supervisor PROJECT` with its
 * end of the socket pair in fd 3. The client waits for control.sock to accept.
 */
/*
 * One keeper a project: it holds KEEPER_LOCK in the project's runtime directory, and, in case that
 * is removed while it lives, another in its state directory, which says "PID START" of it. By
 * SIGHUP it is told to see after its runtime directory, and makes anew what is missing.
 */
#define KEEPER_LOCK "keeper.lock"
/*
 * Beside it, and held by whoever starts a keeper, from before it looks whether there is one until
 * the new one's supervisor listens. It is removed by who holds it only.
 */
#define START_LOCK "start.lock"
/*
 * `berth __prober PROJECT` is the supervisor's child as long as there are commands to run for
 * health checks (compose/supervisor/probes/prober.h); their socket is its fd 3.
 */
/*
 * As the main process of a unit the keeper has systemd's stdio, NOTIFY_SOCKET and WATCHDOG_USEC,
 * and in BERTH_STARTER the pid of a child that brings the project up: when that fails the keeper
 * ends, with exit code 1, once the supervisor has stopped everything.
 */
#define KEEPER_STARTER     "BERTH_STARTER"
#define KEEPER_COMMAND     "__keeper"
#define SUPERVISOR_COMMAND "__supervisor"
#define PROBER_COMMAND     "__prober"
#define KEEPER_FD          3
#define PROBER_FD          3

/*
 * Projects of this name are one single container's (`berth container run`): they are gone with it.
 * No Compose project can be called so.
 */
#define SINGLE_PREFIX "container."

/* State and runtime directories as decided by BERTH_ROOT, BERTH_RUNTIME_DIR, and who we are. */
const char *paths_root(void);
const char *paths_runtime(void);
/* New strings. */
char *paths_user_runtime(void); /* XDG_RUNTIME_DIR, and where that is when nobody says so */
char *paths_project_runtime(const char *project); /* .../projects/NAME */
/* With its project.json, of at most so many bytes: the project as last accepted. */
char *paths_project_state(const char *project);
#define PROJECT_BYTES_MAX (64 << 20)
char *paths_control_socket(const char *project);
/*
 * Where the project's control groups are: "berth/NAME", or "berth.TAG/NAME" with a BERTH_ROOT of
 * one's own, since control groups are the machine's and a supervisor clears up below its base.
 */
char *paths_cgroup_base(const char *project);

#endif
