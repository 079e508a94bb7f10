// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/help_texts.h"

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
	return NULL;
}
