// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/help/help_texts.h"

#include <stddef.h>
#include <string.h>

#include "common/cleanup.h"

static const struct help_text texts[] = {
	{"berth attach",
	 "What the program writes from now on is shown as it comes, what is typed goes to it "
	 "(when\n"
	 "it has stdin_open or tty). ctrl-p ctrl-q leaves it running. The exit code is its own.",
	 "berth attach app                  the screen and the keys of app\n"
	 "berth attach --no-stdin app       only watch"},
	{"berth bridge convert",
	 "Images make it so: each gets the project as compose.yaml in /in, with what is in its "
	 "secrets, "
	 "and\n"
	 "writes into /out. The folder is emptied first.",
	 "berth bridge convert                       Kubernetes manifests, in out/\n"
	 "berth bridge convert -t my/transformer -o charts -y"},
	{"berth cp",
	 "A file goes into the directory that is named, or becomes the name itself. A directory "
	 "goes\n"
	 "into one that is there, with its name; with /. behind it only what is in it. Into a "
	 "service:\n"
	 "to all its containers. Containers that do not run have files as well. - is a tar archive "
	 "on\n"
	 "stdin or stdout.",
	 "berth cp app:/var/log/app.log .           out of the first container of app\n"
	 "berth cp ./site/. web:/usr/share/site     what is in site, into all of web\n"
	 "berth cp app:/etc - | tar t               look into it"},
	{"berth down",
	 "Stops what runs, those that need others first, and removes containers and networks. "
	 "Named\n"
	 "volumes stay, unless -v. With -p alone no file is read: it works on whatever the "
	 "project\n"
	 "has.",
	 "berth down                         until the next `berth up`\n"
	 "berth down -v --rmi local          with its data and its own images"},
	{"berth exec",
	 "The program runs beside what the container runs already, with its files, network and\n"
	 "limits. It gets a terminal when this is one. The exit code is its own; 127: there is no "
	 "such\n"
	 "program, 126: it cannot be run.",
	 "berth exec db psql -U app          at the terminal\n"
	 "berth exec -T db pg_dump app > app.sql\n"
	 "berth exec -u root -w /srv --index 2 app sh"},
	{"berth job run",
	 "Its next run by the calendar stays as it is. One that runs already is waited for.",
	 "berth job run nightly-backup       and its exit code\n"
	 "berth job run -d nightly-backup    do not wait"},
	{"berth logs", "Shown in the order of time over all containers.",
	 "berth logs -f --tail 20            go on with what comes\n"
	 "berth logs --since 10m web db      the last ten minutes of two services"},
	{"berth ps", "Only containers that run, without -a. Templates are Go's.",
	 "berth ps -a --format json | jq .State\n"
	 "berth ps --format 'table {{.Name}}\\t{{.Status}}'\n"
	 "berth ps --status exited --services"},
	{"berth publish",
	 "An OCI artifact of docker compose's form: the files as they are written, with what they "
	 "extend.\n"
	 "Images that are built here are pushed first. It asks before bind mounts, environments "
	 "and "
	 "what\n"
	 "looks like a key are published.",
	 "berth publish registry.example/team/shop:1\n"
	 "berth -f compose.yaml -f prod.yaml publish --resolve-image-digests --with-env -y "
	 "registry.example/shop"},
	{"berth run",
	 "The container has what the service says, but for the flags here; ports are not "
	 "published\n"
	 "without -P or -p, and it is never restarted. What the service depends on is started "
	 "first.\n"
	 "Without -d it has this terminal (or these pipes), and its exit code is ours. ctrl-p "
	 "ctrl-q\n"
	 "leaves it running; the third Ctrl-C kills it.",
	 "berth run --rm app ./manage.py migrate\n"
	 "berth run --rm -it --entrypoint sh app   look around\n"
	 "berth run --rm -T db pg_dump app | gzip > app.gz\n"
	 "berth run -d --name worker app work"},
	{"berth stats", "CPU is in percent of one core. Memory is without the page cache.",
	 "berth stats                        until Ctrl-C\n"
	 "berth stats --no-stream --format '{{.Name}} {{.MemPerc}}'"},
	{"berth stop",
	 "Those that need others stop first. What does not within its time is killed.",
	 "berth stop -t 3 web"},
	{"berth timeline",
	 "Of the last up, start or restart: when each container waited (for what), was created,\n"
	 "started and probed until healthy. What the critical path (*) has on it made it as long\n"
	 "as it was; the rest could be slower at no cost.",
	 "berth timeline                     bars as wide as the terminal\n"
	 "berth timeline --format svg > start.svg\n"
	 "berth up -d --timeline start.svg   the same, once all is started"},
	{"berth systemd",
	 "Projects as units of systemd. `enable` in a project's folder, or with the name of a "
	 "folder below\n"
	 "/etc/berth, writes these below /etc/systemd/system, has systemd read them and, with "
	 "--now, starts\n"
	 "them. `disable` removes them again, `status` tells how they are and which are no longer "
	 "as the\n"
	 "project's files would have them. Units of a package, and what an administrator wrote, "
	 "stay.\n"
	 "\n"
	 "berth@.service: the template, unless a package brought it; goes with the last project "
	 "(with "
	 "its\n"
	 "stop, where `disable` finds it running and is not told --now).\n"
	 "`systemctl start` is `up --wait`, `stop`\n"
	 "is `down` without volumes, `reload` makes the project what its files say now (what runs "
	 "and is as\n"
	 "it should be goes on), `restart` is stop and start. It is of Type=notify: active when "
	 "all is\n"
	 "healthy, and its status text says what is waited for. A project that cannot be brought "
	 "up fails\n"
	 "its unit once; what was started is stopped and can be looked at, and one message says "
	 "which "
	 "service\n"
	 "it was and why, as does the status text. So it does of a folder that is gone.\n"
	 "Its main process is the keeper,\n"
	 "which holds what outlives the supervisor. A killed or hanging supervisor (WatchdogSec=), "
	 "a killed\n"
	 "keeper (Restart=), a new version of berth and daemon-reexec end no container.\n"
	 "\n"
	 "berth@NAME.service.d/project.conf: the folder, and the -f, --env-file, --profile and\n"
	 "--project-directory that `enable` was called with, as COMPOSE_FILE and so on. Not there "
	 "for\n"
	 "/etc/berth/NAME. What the shell has in other variables is not kept: it belongs into "
	 ".env.\n"
	 "Drop-ins of your own beside it hold: MemoryMax=, CPUQuota=, IOWeight= "
	 "and\n"
	 "AllowedCPUs= for all containers together, which stand below the unit's control group\n"
	 "(Delegate=yes); TimeoutStartSec=, which is extended while something is under way; After= "
	 "and\n"
	 "Requires= of other units, as berth@db.service.\n"
	 "\n"
	 "berth@NAME.service.d/services.conf, berth-NAME-SERVICE.timer, berth-NAME-SERVICE.service "
	 "and\n"
	 "berth@NAME.socket: what services ask of systemd. They are written once more by `enable`; "
	 "the\n"
	 "journal and `status` say when that is due.\n"
	 "\n"
	 "USERS. With --user it is a unit of the calling user's own systemd, which runs the "
	 "project "
	 "without\n"
	 "root: files are below ~/.config/systemd/user, projects with a place of their own in\n"
	 "~/.config/berth/NAME, and it is `systemctl --user start berth@NAME`, `journalctl --user "
	 "-u\n"
	 "berth@NAME`. A user's systemd runs while the user is logged in; with `loginctl "
	 "enable-linger USER`\n"
	 "from boot on, without a login.\n"
	 "\n"
	 "TIMERS. A service with `x-berth: {schedule: ...}` is begun by its timer (`systemctl "
	 "list-timers`),\n"
	 "through `berth job run --scheduled`, while the unit is active. Without `overlap` the "
	 "job's unit\n"
	 "has the exit code of the run.\n"
	 "\n"
	 "SOCKETS. A service with `x-berth: {socket: ...}` is started by its first connection. "
	 "systemd listens\n"
	 "at all addresses of the project in berth@NAME.socket and hands them to the keeper, which "
	 "knows\n"
	 "them by their address. A project of such services and their dependencies only is not "
	 "started at\n"
	 "boot but by that connection. `systemctl stop` of the service alone leaves the socket, "
	 "which\n"
	 "starts it again. Where the project cannot be brought up, who has connected is turned "
	 "away, the "
	 "unit\n"
	 "fails, and systemd listens on.\n"
	 "\n"
	 "CREDENTIALS. A secret or config with `x-berth: {credential: ID}` is given by "
	 "LoadCredential=ID, or,\n"
	 "where ID is in credstore.encrypted, LoadCredentialEncrypted=ID: systemd-creds(1).\n"
	 "\n"
	 "SLICES. A container with `cgroup_parent: NAME.slice` is in a scope "
	 "berth-PROJECT-NAME.scope of that\n"
	 "slice and not below the unit. Its limits, and `systemctl status NAME.slice`, hold for "
	 "it;\n"
	 "stopping the slice stops it. systemd that does not answer keeps nothing else waiting; "
	 "after 30 s "
	 "the\n"
	 "start fails. A project that no unit started is in berth-PROJECT.scope, "
	 "which\n"
	 "outlives the session it was started from.\n"
	 "\n"
	 "JOURNAL. `journalctl -u berth@NAME` has what berth says of the project, with the fields\n"
	 "BERTH_PROJECT, BERTH_SERVICE and BERTH_CONTAINER and, for what `journalctl -x` explains, "
	 "one of\n"
	 "these MESSAGE_IDs:\n"
	 "\n"
	 "  2f0c1f6c1f0d4d0a8d6a4f3f0b6c7e11  a container was started\n"
	 "  6b1d5a0c9e7f4c56a7d1b0d2a9f83c24  it exited\n"
	 "  b8e5c94b3d214f6f9a70c1d5e2f6a837  the kernel killed it\n"
	 "  4d7a2e91c0b84e3fb65f8a1d3c9e0742  it became healthy\n"
	 "  e1c83b5f72a94d06813e6b9fd0a4c75d  it became unhealthy\n"
	 "  90f4d6a21b7c4e58bd3a5c0e8f1726b9  on_unhealthy acted\n"
	 "  5ae7093dc6f14b828e4d1f7b2a6c9035  its policy starts it again\n"
	 "  c3926fb80e5d47a19b07d4e8a5f1c36e  a job begins\n"
	 "  187d0ce4a93f4b65a2c8e6f5d1b09742  a job was left out\n"
	 "  8e14b7a25d0c4f93a6c8f1e37b90d52a  a connection starts it\n"
	 "  7fb2e5d80c614a93958d3a6e0f4c1b27  the supervisor ended\n"
	 "  d04a8c1b6e7f4259a3b5f0d9c2e81764  the supervisor hangs\n"
	 "  a6519e3f0d8b4c27b4e1c7f2d5a0836b  the project did not come up\n"
	 "  6587cc9fb66742c3a1e5e3df1c3955fb  the project could not be reloaded\n"
	 "  41d9c0e7b52f4a8e9c36d17f0a8b6e53  units are stale\n"
	 "\n"
	 "Lines of a service with `logging: {driver: journald}` have CONTAINER_NAME, "
	 "CONTAINER_ID,\n"
	 "CONTAINER_ID_FULL, CONTAINER_TAG, IMAGE_NAME, COM_DOCKER_COMPOSE_PROJECT, "
	 "COM_DOCKER_COMPOSE_SERVICE and\n"
	 "the BERTH_ fields; labels and variables that `labels` and `env` of its options name are "
	 "fields as\n"
	 "well. `berth logs` reads them back.\n"
	 "\n"
	 "ENVIRONMENT. The unit has COMPOSE_PROJECT_NAME. BERTH_ROOT and BERTH_RUNTIME_DIR, if "
	 "they are set\n"
	 "when `enable` is called, are written into the units.",
	 "cd /srv/shop && berth systemd enable --now     a unit for this folder\n"
	 "berth -f a.yaml -f b.yaml systemd enable       for these files\n"
	 "berth systemd enable shop                      for /etc/berth/shop\n"
	 "berth systemd enable --user --now              without root, of your own systemd\n"
	 "systemctl edit berth@shop                      limits: [Service] MemoryMax=2G\n"
	 "journalctl -u berth@shop BERTH_SERVICE=web     what became of web\n"
	 "systemctl stop berth@shop.socket berth@shop    also what its sockets would start"},
	{"berth up",
	 "Makes what is missing, makes anew what differs from the file, starts what does not run, "
	 "in\n"
	 "the order of depends_on and its conditions; what is as it should be is left alone. "
	 "Without\n"
	 "-d the logs are shown until Ctrl-C, which stops all; a second one kills. d leaves them\n"
	 "running, w watches.",
	 "berth up -d --wait                 return when all is healthy\n"
	 "berth up web                       web and what it needs\n"
	 "berth --dry-run up                 what would be done, and why\n"
	 "berth up --exit-code-from tests --abort-on-container-exit\n"
	 "berth up --watch                   and bring changed files into the containers"},
	{"berth watch",
	 "Brings the project up, and then what changes below the paths of `develop.watch` into "
	 "its\n"
	 "containers, until Ctrl-C; they go on running. `sync` copies (what is removed here is "
	 "removed\n"
	 "there), `restart` and `sync+restart` start the service again, `sync+exec` runs a command "
	 "in "
	 "it,\n"
	 "`rebuild` builds its image and makes its containers anew. Left out is what `ignore` and "
	 "the\n"
	 "build's .dockerignore name, .git, and what editors leave about.",
	 "berth watch                        all services that have something to watch\n"
	 "berth watch --no-up web            web only, as it runs now"},
};

const struct help_text *help_text_of(const char *path)
{
	array_foreach(text, texts)
		if (!strcmp(text->path, path))
			return text;
	for (const struct help_text *text = help_examples; text->path; text++)
		if (!strcmp(text->path, path))
			return text;
	return NULL;
}
