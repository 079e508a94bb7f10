# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that people run, of Debian's packages: a shop of nginx, redis and PostgreSQL lives through
what a stack has to live through, and PostgreSQL judges whether anything was lost."""

import glob
import os

import pytest

from tests.support.sandbox import wait_until

POSTGRES = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
PROGRAMS = ("postgres", "initdb", "psql", "pg_isready", "pgbench")
LIBRARIES = ("dict_snowball.so", "plpgsql.so")
DATA = "/var/lib/postgresql/data"

NGINX = """
events {}
error_log /dev/stderr;
http {
  access_log /dev/stdout;
  server {
    listen 80;
    location / { root /srv/www; }
    location /db { resolver 127.0.0.11; proxy_pass http://app:8000; }
  }
}
"""

# Enough of an application: what redis and PostgreSQL say, over their own protocols' simplest words.
APP = """
import http.server, socket, subprocess
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with socket.create_connection(("cache", 6379), 5) as cache:
            cache.sendall(b"INCR visits\\r\\n")
            visits = cache.recv(100).decode().strip().lstrip(":")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"visit {visits}".encode())
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""

COMPOSE = {
    "services": {
        "db": {
            "image": "postgres", "user": "app", "stop_signal": "SIGINT", "shm_size": "128m",
            "command": ["sh", "-c", f"[ -s {DATA}/PG_VERSION ] || initdb -D {DATA} -U shop -A trust --no-sync >/dev/null;"
                        f" exec postgres -D {DATA} -k /tmp -c listen_addresses=*"],
            "environment": {"TZ": "GMT"},
            "volumes": [f"rows:{DATA}"],
            "healthcheck": {"test": ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "shop"],
                            "interval": "1s", "start_interval": "100ms", "start_period": "30s"},
            "networks": ["back"], "restart": "unless-stopped", "stop_grace_period": "30s"},
        "cache": {
            "image": "redis", "user": "app", "working_dir": "/data", "volumes": ["cache:/data"],
            "command": ["redis-server", "--appendonly", "yes", "--appendfsync", "always",
                        "--protected-mode", "no"],
            "healthcheck": {"test": ["CMD", "redis-cli", "ping"], "interval": "1s",
                            "start_interval": "100ms", "start_period": "30s"},
            "networks": ["back"], "restart": "unless-stopped"},
        "app": {
            "image": "python", "command": ["python3", "-c", APP.replace("$", "$$")], "init": True,
            "depends_on": {"db": {"condition": "service_healthy"}, "cache": {"condition": "service_healthy"}},
            "x-berth": {"probe": {"tcp": 8000}, "interval": "1s", "start_interval": "100ms", "start_period": "30s"},
            "networks": ["back", "front"]},
        "web": {
            "image": "nginx", "command": ["nginx", "-c", "/nginx.conf", "-g", "daemon off;"],
            "stop_signal": "SIGQUIT", "ports": ["8080:80"],
            "configs": [{"source": "nginx", "target": "/nginx.conf"}],
            "depends_on": {"app": {"condition": "service_healthy"}}, "networks": ["front"]},
    },
    "configs": {"nginx": {"content": NGINX.replace("$", "$$")}},
    "networks": {"back": {"internal": True}, "front": {}},
    "volumes": {name: {"x-berth": {"owner": "1000:1000", "mode": "0700"}} for name in ("rows", "cache")},
}


def images(berth):
    home = os.path.dirname(os.path.dirname(POSTGRES[-1]))
    version = os.path.basename(home)
    programs = [f"{home}/bin/{name}" for name in PROGRAMS]
    libraries = [f"{home}/lib/{name}" for name in LIBRARIES]
    berth.image_from_binaries("postgres", [*programs, *libraries, f"/usr/share/postgresql/{version}"],
                              changes=[f"ENV PATH={home}/bin:/usr/bin:/bin"])
    berth.image_from_binaries("redis", ["/usr/bin/redis-server", "/usr/bin/redis-cli"], {"data/.keep": ""})
    berth.image_from_binaries("nginx", ["/usr/sbin/nginx"], {
        "srv/www/index.html": "the shop\n", "var/log/nginx/.keep": "", "var/lib/nginx/.keep": ""})
    berth.python_image()


def sql(project, text):
    return project.exec("db", "psql", "-h", "127.0.0.1", "-U", "shop", "-d", "postgres", "-At", "-c", text).stdout.strip()


@pytest.mark.skipif(not POSTGRES, reason="needs postgresql")
def test_shop(berth):
    images(berth)
    project = berth.project({"compose.yaml": COMPOSE})
    project.run("up", "-d", "--wait", timeout=120)
    assert berth.get("http://127.0.0.1:8080/").stdout == "the shop\n"
    assert berth.get("http://127.0.0.1:8080/db").stdout == "visit 1"
    sql(project, "CREATE TABLE sale (id serial PRIMARY KEY, at timestamptz DEFAULT now())")

    # A client that sells as fast as it can, while the supervisor is killed again and again.
    begun = sql(project, "SELECT pg_postmaster_start_time()")
    seller = project.popen("exec", "-T", "db", "sh", "-c",
                           "echo 'INSERT INTO sale DEFAULT VALUES;' > /tmp/sell.sql;"
                           " pgbench -n -h 127.0.0.1 -U shop -c 2 -t 300 -f /tmp/sell.sql postgres")
    for _ in range(3):
        before = int(sql(project, "SELECT count(*) FROM sale"))
        berth.kill(project.supervisor_pids()[0])
        wait_until(lambda: int(sql(project, "SELECT count(*) FROM sale")) > before or seller.poll() is not None,
                   30, "sales go on")
    out, errors = seller.communicate(timeout=60)
    assert seller.returncode == 0, out + errors
    assert "number of transactions actually processed: 600/600" in out
    assert sql(project, "SELECT count(*) FROM sale") == "600"
    assert sql(project, "SELECT pg_postmaster_start_time()") == begun
    assert berth.get("http://127.0.0.1:8080/db").stdout == "visit 2"

    # An ordinary stop is a clean one, and all is there afterwards.
    project.run("stop", "db", "cache", timeout=60)
    assert project.container("db")["ExitCode"] == 0
    assert "database system is shut down" in project.run("logs", "db").stderr
    project.run("start", "db", "cache", "--wait", timeout=60)
    assert sql(project, "SELECT count(*) FROM sale") == "600"
    assert berth.get("http://127.0.0.1:8080/db").stdout == "visit 3"

    # A server that is killed is brought back, recovers, and the application finds it by name again.
    postmaster = [pid for pid, line in berth.inside_processes().items() if line[:2] == ["postgres", "-D"]]
    berth.kill(postmaster[0])
    wait_until(lambda: project.container("db")["Health"] == "healthy" and
               "not properly shut down" in project.run("logs", "db").stderr, 60, "it recovers")
    assert sql(project, "SELECT count(*) FROM sale") == "600"

    # Down and up are a new container on the old volume; with -v all is new.
    project.run("down", timeout=60)
    project.run("up", "-d", "--wait", timeout=60)
    assert sql(project, "SELECT count(*) FROM sale") == "600"
    assert berth.get("http://127.0.0.1:8080/db").stdout == "visit 4"
    project.run("down", "-v", timeout=60)
    assert project.run("volumes", "-q").stdout == ""
