# SPDX-License-Identifier: GPL-2.0-or-later
"""update_config.order: start-first. The new one is healthy, takes over, and the old one is drained."""
import json
import os

NGINX = """
daemon off; error_log stderr; pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
  uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  server {
    listen 80; listen [::]:80;
    location / { return 200 "VERSION\\n"; }
    location /slow { limit_rate 300; root /srv; }
  }
}
"""

CLIENT = """
import socket, sys, time, os
host, port, stop = sys.argv[1], int(sys.argv[2]), sys.argv[3]
seen, failed = {}, []
while not os.path.exists(stop):
    try:
        with socket.create_connection((host, port), 5) as s:
            s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            data = b""
            while part := s.recv(4096):
                data += part
        head, body = data.split(b"\\r\\n\\r\\n", 1)
        assert head.startswith(b"HTTP/1.1 200"), head
        if not seen:
            print("begun", flush=True)
        seen[body.decode().strip()] = seen.get(body.decode().strip(), 0) + 1
    except Exception as error:
        failed.append(f"{type(error).__name__}: {error}")
import json
print(json.dumps({"seen": seen, "failed": failed}))
"""


def nginx(berth):
    berth.image_from_binaries("nginx", ["/usr/sbin/nginx"], {
        "srv/slow": "x" * 900, "var/log/nginx/.keep": "", "var/lib/nginx/.keep": ""})


def service(version, **more):
    deploy = {"update_config": {"order": "start-first", **more.pop("update", {})}}
    deploy.update(more.pop("deploy", {}))
    return {"image": "nginx", "init": True, "stop_signal": "SIGQUIT", "stop_grace_period": "10s",
            "command": ["sh", "-c", f"sed s/VERSION/{version}/ /nginx.conf > /tmp/nginx.conf; exec nginx -c /tmp/nginx.conf"],
            "volumes": ["./nginx.conf:/nginx.conf:ro"], "deploy": deploy,
            "x-berth": {"probe": {"http": {"port": 80}}, "interval": "100ms", "retries": 2,
                        "start_period": "2s"}, **more}


def files(**services):
    return {"nginx.conf": NGINX, "compose.yaml": {"services": services}}


class Load:
    """Clients that ask one request after the other, until the end."""

    def __init__(self, berth, host, port, count=2):
        self.stop = os.path.join(berth.base, f"stop-{port}-{count}")
        self.clients = [berth.popen_command(["python3", "-c", CLIENT, host, str(port), self.stop], stdout=-1)
                        for _ in range(count)]
        for client in self.clients:
            assert client.stdout.readline() == "begun\n"

    def end(self):
        with open(self.stop, "w", encoding="utf-8"):
            pass
        seen, failed = {}, []
        for client in self.clients:
            result = json.loads(client.communicate(timeout=20)[0])
            failed += result["failed"]
            for version, count in result["seen"].items():
                seen[version] = seen.get(version, 0) + count
        return seen, failed


def test_no_request_is_lost(berth):
    nginx(berth)
    project = berth.project(files(web=service("one", ports=["8080:80"])))
    project.run("up", "-d", "--wait")
    before = project.container("web")["ID"]
    loads = [Load(berth, "127.0.0.1", 8080), Load(berth, "::1", 8080, 1)]
    project.write(files(web=service("two", ports=["8080:80"])))
    plan = project.run("plan", check=False).stdout
    assert "switch traffic to container" in plan and "drain container" in plan
    up = project.run("up", "-d")
    berth.wait_until(lambda: berth.get("http://127.0.0.1:8080/").stdout == "two\n")
    for load in loads:
        seen, failed = load.end()
        assert failed == [] and seen["one"] > 10 and seen["two"] > 10, (seen, failed)
    assert "Took over" in up.stderr and "Drained" in up.stderr
    assert project.container("web")["ID"] != before and len(project.ps()) == 1


def test_three_replicas_by_name_lose_nothing_either(berth):
    """From a container beside it, by the service's name."""
    nginx(berth)
    berth.python_image()
    replicas = {"deploy": {"replicas": 3}, "update": {"parallelism": 2, "delay": "300ms"}}
    client = {"image": "python", "init": True, "command": ["sleep", "1000"]}
    project = berth.project(files(web=service("one", **replicas), client=client))
    project.run("up", "-d", "--wait")
    ask = project.popen("exec", "-T", "client", "python3", "-c", CLIENT, "web", "80", "/stop")
    assert ask.stdout.readline() == "begun\n"
    replicas = {"deploy": {"replicas": 3}, "update": {"parallelism": 2, "delay": "300ms"}}
    project.write(files(web=service("two", **replicas), client=client))
    plan = project.run("plan", check=False).stdout
    assert plan.count("proceed with service web after 300ms (2 replicas are done)") == 1
    project.run("up", "-d")
    project.exec("client", "touch", "/stop")
    result = json.loads(ask.communicate(timeout=20)[0])
    assert result["failed"] == [] and result["seen"]["one"] > 10, result
    assert sorted(row["Name"] for row in project.ps() if row["Service"] == "web") == [
        f"{project.name}-web-{number}" for number in (1, 2, 3)]
    for number in (1, 2, 3):
        assert project.run("exec", "-T", "--index", str(number), "web", "busybox", "wget", "-q", "-O-",
                           "http://127.0.0.1/").stdout == "two\n"


def test_a_download_is_finished(berth):
    nginx(berth)
    project = berth.project(files(web=service("one", ports=["8080:80"])))
    project.run("up", "-d", "--wait")
    slow = berth.popen_command(["curl", "-sS", "-f", "-m", "20", "http://127.0.0.1:8080/slow"], stdout=-1)
    berth.wait_until(lambda: "ESTAB" in berth.netns(["ss", "-tn", "dport", "=", ":8080"]).stdout)
    project.write(files(web=service("two", ports=["8080:80"])))
    project.run("up", "-d")
    assert slow.communicate(timeout=20)[0] == "x" * 900
    assert berth.get("http://127.0.0.1:8080/").stdout == "two\n"


def test_who_never_leaves_has_the_grace(berth):
    nginx(berth)
    web = {"ports": ["8080:80"], "stop_grace_period": "700ms", "stop_signal": "SIGKILL"}
    project = berth.project(files(web=service("one", **web)))
    project.run("up", "-d", "--wait")
    stay = berth.popen_command(["python3", "-c", "import socket; s = socket.create_connection(('127.0.0.1', 8080));"
                                "print(1, flush=True); s.recv(1)"], stdout=-1)
    stay.stdout.readline()
    project.write(files(web=service("two", **web)))
    up = project.run("up", "-d")
    assert 0.7 < up.seconds < 8
    assert berth.get("http://127.0.0.1:8080/").stdout == "two\n"


def test_one_that_is_not_healthy_goes_again(berth):
    nginx(berth)
    project = berth.project(files(web=service("one", ports=["8080:80"])))
    project.run("up", "-d", "--wait")
    before = project.container("web")
    bad = service("two", ports=["8080:80"])
    bad["command"][2] = "exec sleep 1000"
    bad["x-berth"]["start_period"] = "0s"
    project.write(files(web=bad))
    load = Load(berth, "127.0.0.1", 8080)
    up = project.run("up", "-d", check=False)
    seen, failed = load.end()
    assert failed == [] and list(seen) == ["one"]
    assert up.returncode == 1
    assert "the old container stays: container" in up.stderr
    assert "is unhealthy: its last probe failed: http 80/: Connection refused" in up.stderr
    rows = project.ps()
    assert [row["ID"] for row in rows] == [before["ID"]] and rows[0]["Name"] == before["Name"]
    # The next one is as good as ever.
    project.write(files(web=service("three", ports=["8080:80"])))
    project.run("up", "-d")
    assert berth.get("http://127.0.0.1:8080/").stdout == "three\n"


def replicated(version, action, good=True, **update):
    """The second replica of what is not good stays sick."""
    made = service(version, deploy={"replicas": 3}, update={"failure_action": action, **update})
    made["volumes"].append("./state:/state")
    if not good:
        made["command"][2] = f"mkdir /state/{version} || exec sleep 1000; {made['command'][2]}"
        made["x-berth"]["start_period"] = "500ms"
    return made


def versions(project):
    answers = []
    for number in (1, 2, 3):
        answer = project.run("exec", "-T", "--index", str(number), "web", "busybox", "wget", "-q", "-O-",
                             "http://127.0.0.1/", check=False)
        answers.append(answer.stdout.strip())
    return sorted(answers)


def test_failure_actions(berth):
    nginx(berth)
    for action, left in (("pause", ["one", "one", "two"]), ("continue", ["one", "one", "two"]),
                         ("rollback", ["one", "one", "one"])):
        project = berth.project({**files(web=replicated("one", action)), "state/.keep": ""})
        project.run("up", "-d", "--wait")
        project.write(files(web=replicated("two", action, good=False)))
        up = project.run("up", "-d", check=False)
        assert up.returncode == 1, up.stderr
        assert "is unhealthy" in up.stderr
        assert ("update rolled back: " in up.stderr) == (action == "rollback"), up.stderr
        assert versions(project) == left, (action, up.stderr)
        assert len(project.ps()) == 3
        tried = up.stderr.count("Starting")
        assert tried == {"pause": 2, "continue": 3, "rollback": 3}[action], up.stderr


def test_max_failure_ratio(berth):
    nginx(berth)
    project = berth.project({**files(web=replicated("one", "pause")), "state/.keep": ""})
    project.run("up", "-d", "--wait")
    project.write(files(web=replicated("two", "pause", good=False, max_failure_ratio=0.4)))
    up = project.run("up", "-d", check=False)
    # One of three may fail; it is the second that ends it, and by then all were tried.
    assert up.returncode == 1 and up.stderr.count("Starting") == 3, up.stderr


def test_monitor_sees_who_dies_soon(berth):
    base = {"image": "busybox", "init": True, "ports": ["8080:80"],
            "deploy": {"update_config": {"order": "start-first", "monitor": "1s"}}}
    project = berth.project({"compose.yaml": {"services": {"web": {**base, "command": ["sleep", "1000"]}}}})
    project.run("up", "-d")
    before = project.container("web")["ID"]
    project.write({"compose.yaml": {"services": {"web": {**base, "command": ["sh", "-c", "sleep 0.7; exit 3"]}}}})
    up = project.run("up", "-d", check=False)
    assert up.returncode == 1 and "the old container stays: container" in up.stderr and "exited (3)" in up.stderr
    assert [row["ID"] for row in project.ps()] == [before]


def test_killed_supervisor(berth):
    """At any call that changes something: somebody always answers, and one container is left."""
    nginx(berth)
    project = berth.project(files(web=service("v0", ports=["8080:80"])))
    project.run("up", "-d", "--wait")
    calls = "renameat,renameat2,sendmsg"
    for number in (2, 5, 9, 14, 20, 26, 33):
        [supervisor] = project.supervisor_pids()
        load = Load(berth, "127.0.0.1", 8080, number)
        point = berth.crash_point(supervisor, calls, number)
        project.write(files(web=service(f"v{number}", ports=["8080:80"])))
        up = project.popen("up", "-d")
        up.wait(40)
        point.close()
        assert up.returncode == 0, up.stderr.read()
        _, failed = load.end()
        assert berth.get("http://127.0.0.1:8080/").stdout == f"v{number}\n"
        # While no supervisor is there, what is published to ::1 waits; all else goes on.
        assert failed == [], (number, failed)
        rows = project.ps()
        assert [row["Name"] for row in rows] == [f"{project.name}-web-1"], rows
