# SPDX-License-Identifier: GPL-2.0-or-later
"""x-berth: probes without a program in the image, and what is done with who fails them."""
import json
import os
import signal
import time

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
FAST = {"interval": "100ms", "timeout": "500ms", "retries": 2, "start_period": "20s",
        "start_interval": "50ms"}

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.path == "/health?deep=1" and self.headers["X-Key"] == "k" and os.path.exists("/tmp/good")
        self.send_response(204 if good else 503)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer((sys.argv[1], 8080), Handler).serve_forever()
"""


def sh(script, **more):
    return {"image": "busybox", "command": ["sh", "-c", script], "init": True, **more}


def probe(kind, value, **more):
    return {"x-berth": {"probe": {kind: value}, **FAST, **more}}


def brought_up(berth, service, check=True):
    """Brings up the service, and one that waits for its health."""
    project = berth.project({"compose.yaml": {"services": {
        "a": service, "b": {**SLEEP, "depends_on": {"a": {"condition": "service_healthy"}}}}}})
    result = project.run("up", "-d", check=check)
    return project, result


def set_back(service, **more):
    """The same without patience."""
    return {**service, "x-berth": {**service["x-berth"], "start_period": "0s", "interval": "100ms",
                                   "retries": 1, **more}}


def test_tcp(berth):
    project, up = brought_up(berth, sh("sleep 0.4; exec httpd -f -p 5432", **probe("tcp", 5432)))
    assert up.stderr.index("a-1 Healthy") < up.stderr.index("b-1 Started")
    assert project.container("a")["Health"] == "healthy"
    assert "(healthy)" in project.container("a")["Status"]


def test_tcp_refused_says_why(berth):
    project, up = brought_up(berth, set_back({**SLEEP, **probe("tcp", 5432)}), check=False)
    assert up.returncode == 1
    assert f"dependency failed to start: container {project.name}-a-1 is unhealthy: its last " \
           "probe failed: tcp 5432: Connection refused" in up.stderr
    project.exec("a", "httpd", "-p", "127.0.0.1:5432")
    project.wait_state("a", "healthy")


def test_tcp_on_the_address_of_its_network_only(berth):
    brought_up(berth, sh("exec httpd -f -p $$(hostname -i):5432", **probe("tcp", 5432)))


def test_http(berth):
    berth.python_image()
    http = {"port": 8080, "path": "/health?deep=1", "status": "200-299", "headers": {"X-Key": "k"}}
    project = berth.project({"server.py": SERVER, "compose.yaml": {"services": {
        "a": {"image": "python", "command": ["python3", "/server.py", "0.0.0.0"], "init": True,
              "volumes": ["./server.py:/server.py:ro"],
              "x-berth": {"probe": {"http": http}, **FAST}}}}})
    project.run("up", "-d")
    project.wait_state("a", "starting")
    project.exec("a", "touch", "/tmp/good")
    project.wait_state("a", "healthy")
    project.exec("a", "rm", "/tmp/good")
    row = project.wait_state("a", "unhealthy", 30)
    assert "(unhealthy)" in row["Status"]
    project.exec("a", "touch", "/tmp/good")
    project.wait_state("a", "healthy")
    assert project.run("logs", "a").stdout == "", "the server was cut off in an answer"


TLS_SERVER = SERVER.replace("http.server.HTTPServer((sys.argv[1], 8080), Handler).serve_forever()", """
import socket, ssl
address = sys.argv[1]
if address == "own-ipv6":
    [address] = [":".join(line[i:i + 4] for i in range(0, 32, 4)) for line in open("/proc/net/if_inet6")
                 if line.split()[3] == "00" and line.split()[5] != "lo"]
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
server = Server((address, 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/certs/cert.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
""")


def tls_service(berth, https, address="0.0.0.0", before="touch /tmp/good; ", **more):
    """A server with a certificate for shop.test, signed by itself."""
    berth.python_image()
    folder = os.path.join(berth.base, "certs")
    if not os.path.isdir(folder):
        os.mkdir(folder)
        berth.command(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                       "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=shop.test",
                       "-addext", "subjectAltName=DNS:shop.test", "-keyout", f"{folder}/key",
                       "-out", f"{folder}/ca.pem"])
        with open(f"{folder}/cert.pem", "w") as file:
            file.write(open(f"{folder}/key").read() + open(f"{folder}/ca.pem").read())
    return {"image": "python", "command": [
                "sh", "-c", f"{before}exec python3 -c \"$$SCRIPT\" {address}"],
            "environment": {"SCRIPT": TLS_SERVER}, "volumes": [f"{folder}:/certs:ro"], "init": True,
            **probe("https", {"port": 8443, "path": "/health?deep=1", **https}, timeout="5s"), **more}


def test_https(berth):
    key = {"headers": {"X-Key": "k"}}
    shop = {"headers": {"X-Key": "k", "Host": "shop.test:8443"}, "ca": "/certs/ca.pem"}
    project, up = brought_up(berth, tls_service(
        berth, key, before="(sleep 0.5; touch /tmp/good) & "))
    assert up.stderr.index("a-1 Healthy") < up.stderr.index("b-1 Started")
    assert json.loads(health_log(project))[-1]["Output"] == "https 8443/health?deep=1: 204"
    brought_up(berth, tls_service(berth, {**shop, "status": 204}))


def health_log(project):
    return project.run("inspect", "--format", "{{json .State.Health.Log}}",
                       f"{project.name}-a-1").stdout


def test_https_that_is_not_believed(berth):
    """Another name than the certificate's, a status, no TLS at all: each says why."""
    good = {"headers": {"X-Key": "k", "Host": "other.test"}, "ca": "/certs/ca.pem"}
    up = "touch /tmp/good; "
    for service, why in (
            (tls_service(berth, good, before=up), "subject name matches"),
            (tls_service(berth, {**good, "ca": "/none.pem"}, before=up), "ca /none.pem: No such file"),
            (tls_service(berth, {}, before=""), "https 8443/health?deep=1: 503"),
            (sh("exec httpd -f -p 8443", **probe("https", {"port": 8443})), "SSL connect error")):
        project = berth.project({"compose.yaml": {"services": {"a": service}}})
        project.run("up", "-d")
        berth.wait_until(lambda: why in health_log(project), 20, why)
        assert project.container("a")["Health"] == "starting"


def test_https_that_hangs_keeps_nobody_waiting(berth):
    """Its process goes with the time that it has; the supervisor answers meanwhile."""
    berth.python_image()
    hang = {"image": "python", "init": True, **probe("https", {"port": 8443}, timeout="300ms"),
            "command": ["python3", "-c", "import socket, time; s = socket.create_server(('', 8443)); "
                                         "time.sleep(1000)"]}
    project = berth.project({"compose.yaml": {"services": {"a": hang}}})
    project.run("up", "-d")

    def asked():
        started = time.monotonic()
        log = health_log(project)
        assert time.monotonic() - started < 5
        return log.count("https 8443/: no answer") > 2

    berth.wait_until(asked, 30, "it is asked again and again")
    assert len(berth.pids_of("__helper-job")) <= 1


def test_own_ipv6_address_only(berth):
    service = {**tls_service(berth, {"headers": {"X-Key": "k"}}, address="own-ipv6"),
               "networks": ["six"]}
    project = berth.project({"compose.yaml": {
        "services": {"a": service}, "networks": {"six": {"enable_ipv6": True}}}})
    project.run("up", "-d", "--wait")


def test_unix(berth):
    berth.python_image()
    script = ("import socket, time; time.sleep(0.3); s = socket.socket(socket.AF_UNIX, socket.SOCK_{0});"
              "s.bind('/run/x.sock'); {1}; time.sleep(1000)")
    for kind, listen in (("STREAM", "s.listen()"), ("DGRAM", "pass")):
        brought_up(berth, {"image": "python", "init": True,
                           "command": ["python3", "-c", script.format(kind, listen)],
                           **probe("unix", "/run/x.sock")})


def test_file_in_a_volume(berth):
    brought_up(berth, sh("sleep 0.3; ln -s /data/real /data/ready; touch /data/real; exec sleep 1000",
                         volumes=["/data"], **probe("file", "/data/ready")))


def test_file_stays_inside(berth):
    """A link to what only the host has leads nowhere."""
    project, up = brought_up(berth, set_back(sh(
        "ln -s ../../../../..$$HOST /ready; exec sleep 1000", environment={"HOST": berth.base},
        **probe("file", "/ready")), retries=5), check=False)
    assert "file /ready: No such file or directory" in up.stderr


def test_log_line(berth):
    for redirect in ("", ">&2"):
        script = f"sleep 0.3; printf 'data' {redirect}; sleep 0.2; echo 'base is ready in 3 ms' {redirect}; exec sleep 1000"
        brought_up(berth, sh(script, **probe("log", "^database is ready in [0-9]+")))


def test_log_line_on_a_terminal(berth):
    brought_up(berth, sh("sleep 0.2; echo ready; exec sleep 1000", tty=True, **probe("log", "^ready$$")))


def test_log_line_at_once_and_never(berth):
    brought_up(berth, sh("echo ready; exec sleep 1000", **probe("log", "ready")))
    _, up = brought_up(berth, set_back(sh("echo red; exec sleep 1000", **probe("log", "ready"))), check=False)
    assert 'its last probe failed: log "ready": no line matched yet' in up.stderr


def test_log_line_while_no_supervisor_was_there(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": sh("while [ ! -e /go ]; do sleep 0.02; done; echo ready; touch /said; exec sleep 1000",
                **probe("log", "ready", start_period="60s"))}}})
    project.run("up", "-d")
    project.exec("a", "touch", "/go")
    project.wait_state("a", "healthy")
    for pid in project.supervisor_pids():
        berth.kill(pid)
    project.wait_state("a", "healthy")
    project.run("restart", "-t", "0", "a")
    project.wait_state("a", "healthy")


def test_log_line_that_a_killed_supervisor_had_read(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": sh("echo ready; exec sleep 1000",
                **{"x-berth": {"probe": {"log": "ready|never"}, **FAST}})}}})
    project.run("up", "-d", "--wait")
    record = berth.command(["sh", "-c", f"ls {berth.root}/projects/{project.name}/containers/*/record.json"])
    path = record.stdout.strip()
    # As if it had died after it read the line and before it could write down what that means.
    for pid in project.keeper_pids() + project.supervisor_pids():
        berth.kill(pid)
    berth.wait_until(lambda: not project.supervisor_pids())
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    content["health"] = 0
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)
    project.wait_state("a", "healthy")


NOTIFY = """
import os, socket, sys, time
def say(text):
    address = os.environ["NOTIFY_SOCKET"]
    if address[0] == "@":
        address = "\\0" + address[1:]
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect(address)
    s.sendall(text.encode())
say("STATUS=warming up")
while os.path.exists("/wait"):
    time.sleep(0.02)
say("STATUS=at your service\\nREADY=1\\n")
time.sleep(1000)
"""


def notifier(berth, **more):
    berth.python_image()
    return {"image": "python", "command": ["python3", "-c", NOTIFY], "init": True,
            **probe("notify", True), **more}


def test_notify(berth):
    for more in ({}, {"network_mode": "host"}, {"network_mode": "none"}):
        brought_up(berth, notifier(berth, **more))


def test_notify_in_anothers_network(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": notifier(berth, network_mode="service:net"), "net": SLEEP}}})
    project.run("up", "-d", "--wait")


def test_notify_of_another_container(berth):
    """Who shares the network can send there, and is not believed; neither is its fleeting child."""
    shells = {"image": "python", "command": ["sleep", "1000"], "init": True}
    berth.python_image()
    project = berth.project({"compose.yaml": {"services": {
        "a": {**notifier(berth), "command": ["sleep", "1000"]},
        "hostile": {**shells, "network_mode": "service:a"},
        "other": {**notifier(berth), "command": ["sleep", "1000"], "network_mode": "host",
                  "pid": "host"}}}})
    project.run("up", "-d")
    say = ("import os, socket, sys, time; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM);"
           "s.sendto(b'STATUS=' + sys.argv[1].encode() + b'\\n' + sys.argv[2].encode(),"
           "'\\0berth/' + sys.argv[3]); time.sleep(float(sys.argv[4]))")
    ids = {name: project.run("ps", "-q", "--no-trunc", name).stdout.strip() for name in ("a", "other")}

    def send(service, to, status, ready, seconds="1"):
        return project.popen("exec", "-T", service, "python3", "-c", say, status, ready, ids[to],
                             seconds)

    def said(name):
        told = project.run("inspect", f"{project.name}-{name}-1", check=False).stdout
        return told

    log = os.path.join(berth.runtime_dir, "projects", project.name, "supervisor.log")
    for seconds in ("1", "0"):
        assert send("hostile", "a", "lies", "READY=1", seconds).wait(20) == 0
    berth.wait_until(lambda: open(log).read().count("-a-1: a notification") == 2, 10, "both refused")
    # Another's process, from the host's network and pid namespace.
    outside = berth.popen_command(["python3", "-c", say, "lies", "READY=1", ids["other"], "1"], cwd="/")
    assert outside.wait(20) == 0
    berth.wait_until(lambda: "-other-1: a notification" in open(log).read(), 10, "refused")
    assert {project.container(name)["Health"] for name in ("a", "other")} == {"starting"}
    assert "lies" not in said("a") + said("other")
    for name in ("a", "other"):
        assert send(name, name, "honest", "READY=1").wait(20) == 0
        project.wait_state(name, "healthy")


def test_notify_says_what_it_is_at(berth):
    service = notifier(berth)
    service["command"][2] = service["command"][2].replace('exists("/wait")', 'exists("/etc/passwd")')
    project, up = brought_up(berth, set_back(service, interval="1s"), check=False)
    assert "its last probe failed: notify: not ready yet: warming up" in up.stderr


def test_notify_without_a_supervisor(berth):
    """The socket is the keeper's as well: what is said meanwhile waits in it."""
    service = notifier(berth, environment={"SCRIPT": NOTIFY.replace("time.sleep(1000)", "open('/said', 'w'); time.sleep(1000)")})
    service["command"] = ["sh", "-c", "touch /wait; exec python3 -c \"$$SCRIPT\""]
    project = berth.project({"compose.yaml": {"services": {"a": service}}})
    project.run("up", "-d")
    container = project.container("a")["ID"]
    [pid] = berth.wait_until(lambda: berth.pids_of("python3", "-c"))
    [supervisor] = project.supervisor_pids()
    berth.kill(supervisor, signal.SIGSTOP)
    os.unlink(f"/proc/{pid}/root/wait")
    berth.wait_until(lambda: os.path.exists(f"/proc/{pid}/root/said"), 10, "it said that it is ready")
    berth.kill(supervisor)
    project.wait_state("a", "healthy")
    assert project.container("a")["ID"] == container


def test_notify_after_the_keeper(berth):
    """Nobody has the socket any more: who adopts the container makes another."""
    late = NOTIFY.split('say("STATUS')[0].replace("import ", "import time, ", 1)
    service = notifier(berth)
    service["command"] = ["sh", "-c", "touch /wait; while test -e /wait; do sleep 0.02; done; "
                          "exec python3 -c \"$$SCRIPT\""]
    service["environment"] = {"SCRIPT": late + "\nsay('READY=1\\n')\ntime.sleep(1000)"}
    project = berth.project({"compose.yaml": {"services": {"a": service}}})
    project.run("up", "-d")
    for pid in project.keeper_pids():
        berth.kill(pid)
    berth.wait_until(lambda: not project.supervisor_pids())
    project.wait_state("a", "starting")
    project.exec("a", "rm", "/wait")
    project.wait_state("a", "healthy")


def events(project, action, deadline=10):
    """Waits for an event whose action begins so; gives its attributes."""
    def found():
        result = project.run("events", "--json", "--since", "10m", "--until", "0s", check=False)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        return [row for row in rows if row["action"].startswith(action)]

    return project.sandbox.wait_until(found, deadline, f"event {action}")


def test_unhealthy_restarts_within_a_budget(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {**sh("touch /tmp/x; exec sleep 1000", stop_grace_period="1s"),
              "x-berth": {"probe": {"tcp": 1}, "interval": "100ms", "retries": 2,
                          "on_unhealthy": {"action": "restart", "budget": 2, "window": "10m"}}}}}})
    project.run("up", "-d")
    berth.wait_until(lambda: "all 2 restarts within 10m0s spent" in project.container("a")["Status"], 20)
    assert project.container("a")["State"] == "running"
    assert len(events(project, "on_unhealthy: restart")) == 2
    [spent] = events(project, "on_unhealthy: budget spent")
    assert spent["attributes"]["reason"].startswith("its last probe failed: tcp 1")
    project.exec("a", "true")
    # Whoever starts it by hand begins anew.
    project.run("restart", "-t", "0", "a")
    berth.wait_until(lambda: "restart 1 of 2" in project.container("a")["Status"])


def test_unhealthy_restart_is_finished_by_the_next_supervisor(berth):
    service = sh("trap 'while [ ! -e /project/go ]; do sleep 0.05; done; exit' TERM; echo begun; "
                 "while :; do sleep 0.05; done", volumes=[".:/project"],
                 **{"x-berth": {"probe": {"tcp": 1}, "interval": "100ms", "retries": 1,
                                "on_unhealthy": {"action": "restart", "budget": 1}}})
    project = berth.project({"compose.yaml": {"services": {"a": service}}})
    project.run("up", "-d")
    events(project, "on_unhealthy: restart")
    for pid in project.supervisor_pids():
        berth.kill(pid)
    with open(f"{project.path}/go", "w"):
        pass
    berth.wait_until(lambda: project.run("logs", "a").stdout.count("begun") == 2, 20, "it is started again")
    assert "all 1 restarts" in berth.wait_until(
        lambda: project.container("a")["Status"] if "spent" in project.container("a")["Status"] else None)


def test_unhealthy_stops(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "restart": "always", "x-berth": {
            "probe": {"tcp": 1}, "interval": "100ms", "retries": 1, "on_unhealthy": "stop"}}}}})
    project.run("up", "-d")
    row = project.wait_state("a", "exited")
    assert row["Status"].endswith("ago (stopped: unhealthy)")


def test_unhealthy_with_a_command(berth):
    """on_unhealthy is for a healthcheck as well."""
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "healthcheck": {"test": ["CMD", "false"], "interval": "100ms", "retries": 1},
              "x-berth": {"on_unhealthy": {"action": "restart", "budget": 1}}}}}})
    project.run("up", "-d")
    berth.wait_until(lambda: "all 1 restarts" in project.container("a")["Status"], 20)


def test_dependents_of_one_that_crashed(berth):
    again = {"x-berth": {"restart_with_dependencies": True}}
    project = berth.project({"compose.yaml": {"services": {
        "db": {**sh("sleep 0.3; touch /tmp/ready; while [ ! -e /die ]; do sleep 0.05; done; rm /tmp/ready; rm /die; exit 3",
                    restart="always"), **probe("file", "/tmp/ready")},
        "app": {**SLEEP, "stop_signal": "SIGKILL", **again,
                "depends_on": {"db": {"condition": "service_healthy"}}},
        "web": {**SLEEP, "stop_signal": "SIGKILL", **again, "depends_on": ["app"]},
        "other": {**SLEEP, "depends_on": ["db"]}}}})
    project.run("up", "-d")
    before = started(project)
    # It may end before the command has.
    project.exec("db", "touch", "/die", check=False)
    berth.wait_until(lambda: started(project)["web"] > before["web"], 20, "web was restarted")
    berth.wait_until(lambda: all(row["State"] == "running" for row in project.ps()))
    after = started(project)
    assert after["db"] < after["app"] < after["web"]
    assert after["other"] == before["other"]
    [event] = events(project, "restart_with_dependencies")[:1]
    assert event["attributes"]["cause"] == f"{project.name}-db-1"
    # And with `restart`, as depends_on.restart has it.
    project.run("restart", "-t", "0", "db")
    last = started(project)
    assert last["app"] > after["app"] and last["web"] > after["web"]
    assert last["other"] == before["other"]


def started(project):
    """{service: when its container was started}"""
    rows = {}
    for row in project.ps():
        path = f"{project.sandbox.root}/projects/{project.name}/containers/{row['ID']}/record.json"
        result = project.sandbox.command(["sh", "-c", f"cat {path.replace(row['ID'], row['ID'] + '*')}"])
        rows[row["Service"]] = json.loads(result.stdout)["started"]
    return rows
