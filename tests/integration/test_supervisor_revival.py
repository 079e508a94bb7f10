# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything went down at once, as at a reboot: what has a restart policy comes back in order."""
import json
import os
import time

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def sh(script, **more):
    return {"image": "busybox", "command": ["sh", "-c", script], **more}


CHECK = {"test": ["CMD", "test", "-e", "/now/ready"], "interval": "100ms", "retries": 100}
SERVICES = {
    "db": sh("sleep 0.4; date +%s > /log/db; touch /now/ready; sleep 1000",
             healthcheck=CHECK, restart="always", init=True, volumes=["./log:/log"], tmpfs=["/now"]),
    "once": sh("exit 0"),
    "web": sh("cp /log/db /log/web; mkdir -p /w; echo hello > /w/index.html; "
              "httpd -f -p 80 -h /w", restart="unless-stopped",
              init=True, ports=["8080:80"], volumes=["./log:/log"],
              depends_on={"db": {"condition": "service_healthy"},
                          "once": {"condition": "service_completed_successfully"}}),
    "by-hand": {**SLEEP, "restart": "unless-stopped"},
    "never": SLEEP,
    "failing": {**SLEEP, "restart": "on-failure"},
}


def kill_everything(berth, project, boot=True):
    def nobody():
        # Whoever lives may just have started another one.
        pids = [*project.keeper_pids(), *berth.inside_processes()]
        for pid in pids:
            try:
                berth.kill(pid)
            except ProcessLookupError:
                pass
        return not pids

    berth.wait_until(nobody)
    links = json.loads(berth.netns(["ip", "-j", "link"]).stdout)
    for link in links:
        if link["ifname"] != "lo":
            berth.netns(["ip", "link", "del", link["ifname"]], check=False)
    for family in ("iptables-legacy", "ip6tables-legacy"):
        for table in ("filter", "nat", "raw", "mangle"):
            berth.netns([family, "-t", table, "-F"], check=False)
            berth.netns([family, "-t", table, "-X"], check=False)
    if not boot:
        return
    # What only lies in memory is gone, and the boot has another name.
    berth.command(["sh", "-c", f"rm -rf {berth.runtime_dir}/*"])
    folder = os.path.join(berth.root, "projects", project.name, "containers")
    for name in os.listdir(folder):
        path = os.path.join(folder, name, "record.json")
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        if "boot_id" in record:
            record["boot_id"] = "00000000-0000-0000-0000-000000000000"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(record, file)


def bring_up(berth):
    project = berth.project({"compose.yaml": {"services": SERVICES}, "log/.keep": ""})
    project.run("up", "-d", "--wait")
    project.run("stop", "-t", "0", "by-hand")
    assert berth.get("http://127.0.0.1:8080/").stdout == "hello\n"
    return project


def check_revived(berth, project, never):
    project.wait_state("db", "healthy")
    project.wait_state("web", "running")
    project.wait_state("failing", "running")
    # It was started after db was healthy: else it would have found the old file.
    berth.wait_until(lambda: read(project, "web") and read(project, "web") == read(project, "db"),
                     3, str([(n, read(project, n)) for n in ("web", "db")]) + str(project.ps()))
    assert project.container("by-hand")["State"] == "exited"
    assert project.container("once")["ExitCode"] == 0
    assert project.container("never")["State"] == never
    assert berth.wait_until(lambda: berth.get("http://127.0.0.1:8080/", check=False).stdout
                            == "hello\n")
    assert project.exec("web", "nslookup", "-type=a", "db").returncode == 0


def read(project, name):
    with open(f"{project.path}/log/{name}", encoding="utf-8") as file:
        return file.read()


def test_reboot_and_ps(berth):
    project = bring_up(berth)
    kill_everything(berth, project)
    time.sleep(1.1)
    project.run("ps")
    check_revived(berth, project, "exited")
    assert project.container("never")["ExitCode"] == 255


def test_reboot_and_up(berth):
    project = bring_up(berth)
    kill_everything(berth, project)
    time.sleep(1.1)
    project.run("up", "-d", "--wait", "db", "web", "failing", "never")
    check_revived(berth, project, "running")


def test_all_killed_in_the_same_boot(berth):
    project = bring_up(berth)
    kill_everything(berth, project, boot=False)
    time.sleep(1.1)
    project.run("ps")
    check_revived(berth, project, "exited")


def test_a_client_comes_first(berth):
    """`down` in the middle of a revival: nothing is started behind its back."""
    project = bring_up(berth)
    kill_everything(berth, project)
    project.run("ps")
    down = project.run("down", "-t", "0")
    assert down.seconds < 3
    assert project.ps() == []


def test_killed_again_in_the_middle(berth):
    project = bring_up(berth)
    kill_everything(berth, project)
    time.sleep(1.1)
    project.run("ps")
    for pid in project.supervisor_pids():
        berth.kill(pid)
    check_revived(berth, project, "exited")
