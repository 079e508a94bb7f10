// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>

#include "compose/cli/help/help_texts.h"

/* Of commands that their summary and their flags tell enough about. */
/* clang-format off */
const struct help_text help_examples[] = {
	{"berth alpha generate", NULL,
	 "berth alpha generate --name shop web db > compose.yaml   from two containers"},
	{"berth alpha viz", NULL,
	 "berth alpha viz --networks --ports | dot -Tsvg > project.svg"},
	{"berth bridge transformations create", NULL,
	 "berth bridge transformations create my/transformer   its folder, to be filled"},
	{"berth bridge transformations list", NULL,
	 "berth bridge transformations list"},
	{"berth build", NULL,
	 "berth build                         all services that have a build section\n"
	 "berth build --no-cache --pull web   web only, from scratch\n"
	 "berth build --build-arg VERSION=2 --push"},
	{"berth builder build", NULL,
	 "berth builder build -t app:1 ."},
	{"berth builder du", NULL,
	 "berth builder du"},
	{"berth builder prune", NULL,
	 "berth builder prune -f   what no build needs any more"},
	{"berth commit", NULL,
	 "berth commit web web:patched   its files as they are now\n"
	 "berth commit -c 'CMD [\"serve\"]' -m 'hotfix' web web:patched"},
	{"berth completion bash", NULL,
	 "berth completion bash > /usr/share/bash-completion/completions/berth"},
	{"berth completion fish", NULL,
	 "berth completion fish > ~/.config/fish/completions/berth.fish"},
	{"berth completion zsh", NULL,
	 "berth completion zsh > /usr/local/share/zsh/site-functions/_berth"},
	{"berth config", NULL,
	 "berth config                   the project with all files merged\n"
	 "berth config -q && echo fine   check it only\n"
	 "berth config --services\n"
	 "berth config --format json web"},
	{"berth container attach", NULL,
	 "berth container attach box   its screen; ctrl-p ctrl-q leaves it"},
	{"berth container commit", NULL,
	 "berth container commit -m 'configured' box box:2"},
	{"berth container cp", NULL,
	 "berth container cp box:/etc/hosts .\n"
	 "berth container cp ./site/. box:/srv   what is in site"},
	{"berth container create", NULL,
	 "berth container create --name box -v data:/data busybox sleep 1d"},
	{"berth container diff", NULL,
	 "berth container diff box"},
	{"berth container exec", NULL,
	 "berth container exec -it box sh\n"
	 "berth container exec -u root -w /srv box ls\n"
	 "berth container exec -it --detach-keys ctrl-x,x box top"},
	{"berth container export", NULL,
	 "berth container export -o box.tar box"},
	{"berth container inspect", NULL,
	 "berth container inspect box\n"
	 "berth container inspect -f '{{.State.Status}}' box"},
	{"berth container kill", NULL,
	 "berth container kill box\n"
	 "berth container kill -s HUP box   read its configuration again"},
	{"berth container logs", NULL,
	 "berth container logs -f --tail 20 box\n"
	 "berth container logs --since 10m -t box"},
	{"berth container ls", NULL,
	 "berth container ls -a   also those that have ended\n"
	 "berth container ls -q --filter label=env=test\n"
	 "berth container ls --format 'table {{.Names}}\\t{{.Status}}'"},
	{"berth container pause", NULL,
	 "berth container pause box"},
	{"berth container port", NULL,
	 "berth container port box   all of them\n"
	 "berth container port box 80/tcp"},
	{"berth container prune", NULL,
	 "berth container prune -f --filter until=24h   those older than a day"},
	{"berth container rename", NULL,
	 "berth container rename box old-box"},
	{"berth container restart", NULL,
	 "berth container restart -t 5 box   five seconds to stop in"},
	{"berth container rm", NULL,
	 "berth container rm box\n"
	 "berth container rm -fv box   though it runs, with its anonymous volumes"},
	{"berth container run", NULL,
	 "berth container run --rm -it busybox sh   a shell, and nothing is left of it\n"
	 "berth container run -d --name db -p 5432:5432 -e POSTGRES_PASSWORD=x -v data:/var/lib/postgresql/data postgres:17\n"
	 "berth container run --rm -v \"$PWD:/src\" -w /src -u \"$(id -u)\" golang go build"},
	{"berth container start", NULL,
	 "berth container start box\n"
	 "berth container start -a box   and show what it says"},
	{"berth container stats", NULL,
	 "berth container stats\n"
	 "berth container stats --no-stream --format '{{.Name}} {{.MemUsage}}' box"},
	{"berth container stop", NULL,
	 "berth container stop box\n"
	 "berth container stop -t 60 db   a minute to end in"},
	{"berth container top", NULL,
	 "berth container top box\n"
	 "berth container top box -o pid,rss,cmd   as ps has it"},
	{"berth container unpause", NULL,
	 "berth container unpause box"},
	{"berth container update", NULL,
	 "berth container update --memory 512m --cpus 1.5 box\n"
	 "berth container update --restart unless-stopped box"},
	{"berth container wait", NULL,
	 "berth container wait box   prints its exit code"},
	{"berth create", NULL,
	 "berth create   all, to be started later\n"
	 "berth create --build --scale web=2"},
	{"berth events", NULL,
	 "berth events                                as they come, until Ctrl-C\n"
	 "berth events --json --since 1h --until 0s   those of the last hour"},
	{"berth export", NULL,
	 "berth export -o web.tar web\n"
	 "berth export db | tar t"},
	{"berth graph", NULL,
	 "berth graph   who waits for whom\n"
	 "berth graph --format mermaid"},
	{"berth image build", NULL,
	 "berth image build -t app:1 .\n"
	 "berth image build -f Dockerfile.dev --target test --build-arg V=2 ."},
	{"berth image history", NULL,
	 "berth image history app:1"},
	{"berth image prune", NULL,
	 "berth image prune -f      those without a name\n"
	 "berth image prune -a -f   all that no container uses"},
	{"berth image pull", NULL,
	 "berth image pull nginx:1.27"},
	{"berth image push", NULL,
	 "berth image push registry.example.com/team/app:1"},
	{"berth image import", NULL,
	 "berth image import -c 'CMD [\"sh\"]' rootfs.tar base:1"},
	{"berth image inspect", NULL,
	 "berth image inspect -f '{{.Id}}' app:1"},
	{"berth image load", NULL,
	 "berth image load -i images.tar"},
	{"berth image ls", NULL,
	 "berth image ls\n"
	 "berth image ls -q"},
	{"berth image rm", NULL,
	 "berth image rm app:1"},
	{"berth image save", NULL,
	 "berth image save -o images.tar app:1 nginx:1.27"},
	{"berth image tag", NULL,
	 "berth image tag app:1 registry.example.com/team/app:1"},
	{"berth images", NULL,
	 "berth images\n"
	 "berth images -q web"},
	{"berth inspect", NULL,
	 "berth inspect shop-web-1\n"
	 "berth inspect -f '{{.State.Health.Status}}' shop-web-1"},
	{"berth job ls", NULL,
	 "berth job ls   when each ran last, and when it runs next"},
	{"berth kill", NULL,
	 "berth kill              all of the project, at once\n"
	 "berth kill -s HUP web   a signal to web only"},
	{"berth login", NULL,
	 "berth login registry.example.com\n"
	 "echo \"$TOKEN\" | berth login -u me --password-stdin registry.example.com"},
	{"berth logout", NULL,
	 "berth logout registry.example.com"},
	{"berth ls", NULL,
	 "berth ls   projects of which something runs\n"
	 "berth ls -a --format json\n"
	 "berth ls -q --filter name=^shop"},
	{"berth network connect", NULL,
	 "berth network connect --alias cache front redis"},
	{"berth network create", NULL,
	 "berth network create front\n"
	 "berth network create --subnet 10.9.0.0/24 --internal back"},
	{"berth network disconnect", NULL,
	 "berth network disconnect front redis"},
	{"berth network inspect", NULL,
	 "berth network inspect front   and which containers are on it"},
	{"berth network ls", NULL,
	 "berth network ls\n"
	 "berth network ls -q --filter name=^front$   for scripts: its id, or nothing"},
	{"berth network prune", NULL,
	 "berth network prune -f"},
	{"berth network rm", NULL,
	 "berth network rm front"},
	{"berth pause", NULL,
	 "berth pause worker   until `berth unpause worker`"},
	{"berth plan", NULL,
	 "berth plan   what `berth up` would do, and why\n"
	 "berth plan --json | jq ."},
	{"berth port", NULL,
	 "berth port web 80   0.0.0.0:8080\n"
	 "berth port --protocol udp --index 2 dns 53"},
	{"berth pull", NULL,
	 "berth pull   for all services\n"
	 "berth pull -q --ignore-buildable\n"
	 "berth pull --policy missing web"},
	{"berth push", NULL,
	 "berth push   those that are built here\n"
	 "berth push -q web"},
	{"berth restart", NULL,
	 "berth restart web\n"
	 "berth restart -t 5 --no-deps web"},
	{"berth rm", NULL,
	 "berth rm            asks\n"
	 "berth rm -fsv web   stopped first, with its anonymous volumes"},
	{"berth scale", NULL,
	 "berth scale web=3 worker=2"},
	{"berth search", NULL,
	 "berth search postgres"},
	{"berth start", NULL,
	 "berth start\n"
	 "berth start --wait web   until it is healthy"},
	{"berth supervisor ls", NULL,
	 "berth supervisor ls"},
	{"berth supervisor reexec", NULL,
	 "berth supervisor reexec   after an update of berth; nothing is restarted"},
	{"berth supervisor stop", NULL,
	 "berth supervisor stop"},
	{"berth system df", NULL,
	 "berth system df"},
	{"berth system events", NULL,
	 "berth system events --filter type=container --filter event=die\n"
	 "berth system events --since 10m --until 0s"},
	{"berth system info", NULL,
	 "berth system info"},
	{"berth system prune", NULL,
	 "berth system prune -f\n"
	 "berth system prune -a --volumes   all that nothing uses"},
	{"berth systemd disable", NULL,
	 "berth systemd disable shop"},
	{"berth systemd enable", NULL,
	 "berth systemd enable                this project, from the next boot on\n"
	 "berth systemd enable --user --now   at once, without root, of your own systemd"},
	{"berth systemd status", NULL,
	 "berth systemd status\n"
	 "berth systemd status --user shop"},
	{"berth systemd unit", NULL,
	 "berth systemd unit   what enable would install"},
	{"berth top", NULL,
	 "berth top   of all services\n"
	 "berth top web"},
	{"berth unpause", NULL,
	 "berth unpause worker"},
	{"berth url", NULL,
	 "berth url web   http://localhost:8080\n"
	 "curl \"$(berth url web 80)/health\""},
	{"berth version", NULL,
	 "berth version --short\n"
	 "berth version -f json"},
	{"berth volume create", NULL,
	 "berth volume create data\n"
	 "berth volume create -o type=nfs -o o=addr=10.0.0.1,rw -o device=:/export data"},
	{"berth volume inspect", NULL,
	 "berth volume inspect -f '{{.Mountpoint}}' data"},
	{"berth volume ls", NULL,
	 "berth volume ls\n"
	 "berth volume ls -q --filter dangling=true   that no container uses"},
	{"berth volume prune", NULL,
	 "berth volume prune -f      anonymous ones\n"
	 "berth volume prune -a -f   those with a name as well"},
	{"berth volume rm", NULL,
	 "berth volume rm data"},
	{"berth volumes", NULL,
	 "berth volumes\n"
	 "berth volumes -q db"},
	{"berth wait", NULL,
	 "berth wait migrate && berth up -d web\n"
	 "berth wait --down-project tests   the exit code of tests, and nothing is left"},
	{NULL, NULL, NULL},
};
/* clang-format on */
