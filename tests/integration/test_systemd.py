# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks as units of systemd, as far as that can be seen without one: the files that `berth systemd
enable` writes, and what a unit's processes tell the socket that systemd listens at. With systemd
itself: tests/vm."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess

import pytest

from tests.support.journal import Journal
from tests.support.notify import NotifySocket
from tests.support.sandbox import binary

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
SLOW = {**SLEEP, "healthcheck": {"test": "test -f /tmp/well", "interval": "100ms",
                                 "start_period": "60s", "retries": 5}}
UNITS = "/etc/systemd/system"


@pytest.fixture
def etc(berth):
    """An /etc of the test's own, over the machine's."""
    over = [os.path.join(berth.base, name) for name in ("etc", "etc-work")]
    for path in over:
        os.mkdir(path)
    berth.command(["mount", "-t", "overlay", "overlay", "-o",
                   f"lowerdir=/etc,upperdir={over[0]},workdir={over[1]}", "/etc"])
    berth.ignore_leftover(r"^mount: /etc$")
    return berth


@pytest.fixture
def systemd(berth):
    notify = NotifySocket(berth.base)
    yield notify
    notify.close()


def text_of(berth, path):
    return berth.command(["cat", path]).stdout


def unit(project, systemd, **env):
    """What ExecStart= runs."""
    return project.popen("systemd", "run", project.name, env=systemd.env(**env))


def control(project, systemd, command, check=True, **env):
    """What ExecReload= and the like run."""
    return project.run("systemd", command, project.name, env=systemd.env(**env), check=check)


def stop(project, systemd, process):
    control(project, systemd, "stop", MAINPID="1")
    assert process.wait(20) == 0


def rows(project):
    """Whatever its file says meanwhile."""
    done = project.sandbox.run("-p", project.name, "ps", "-a", "--format", "json",
                               cwd=project.sandbox.home)
    return [json.loads(line) for line in done.stdout.splitlines()]


def ids(project):
    return {row["Name"]: row["ID"] for row in rows(project)}


# -- enable, disable --

def test_enable_a_folder(etc):
    project = etc.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("systemd", "enable")
    unit_name = f"berth@{project.name}.service"
    dropin = text_of(etc, f"{UNITS}/{unit_name}.d/project.conf")
    assert f'RequiresMountsFor="{project.path}"\n' in dropin
    assert f"WorkingDirectory=-{project.path}\n" in dropin
    assert f'Environment="BERTH_UNIT_FOLDER={project.path}"\n' in dropin
    assert "COMPOSE_FILE" not in dropin  # what is in the folder counts, also a later override
    link = etc.command(["readlink", f"{UNITS}/multi-user.target.wants/{unit_name}"]).stdout
    assert link == "../berth@.service\n"
    template = text_of(etc, f"{UNITS}/berth@.service")
    for line in ("Type=notify", "Delegate=yes", "KillMode=process", "WantedBy=multi-user.target"):
        assert f"\n{line}\n" in template
    assert " systemd run %i\n" in template
    project.run("systemd", "disable")
    assert not etc.command(["ls", f"{UNITS}/multi-user.target.wants"]).stdout.count(unit_name)
    assert etc.command(["ls", UNITS]).stdout.count(unit_name) == 0


def test_the_template_goes_with_the_last_project(etc):
    one, two = (etc.project({"compose.yaml": {"services": {"a": SLEEP}}}) for _ in range(2))
    there = etc.command(["find", "/etc/systemd"]).stdout
    one.run("systemd", "enable")
    two.run("systemd", "enable")
    # As on a machine whose systemd has subgroups.
    conf = f"{UNITS}/berth@.service.d/subgroup.conf"
    etc.command(["mkdir", "-p", os.path.dirname(conf)])
    etc.command(["tee", conf], input="# Made by berth.\n")
    one.run("systemd", "disable")
    assert "WantedBy" in text_of(etc, f"{UNITS}/berth@.service")
    # What an administrator wrote for one that is no unit any more keeps nothing but itself.
    etc.command(["mkdir", f"{UNITS}/berth@{one.name}.service.d"])
    etc.command(["tee", f"{UNITS}/berth@{one.name}.service.d/mem.conf"], input="[Service]\n")
    two.run("systemd", "disable")
    etc.command(["rm", "-r", f"{UNITS}/berth@{one.name}.service.d"])
    assert etc.command(["find", "/etc/systemd"]).stdout == there
    # Nor does it go while one is in use that has its place in /etc/berth, or by somebody's link.
    one.run("systemd", "enable")
    etc.command(["mkdir", "-p", f"{UNITS}/rescue.target.requires"])
    etc.command(["ln", "-s", "../berth@.service", f"{UNITS}/rescue.target.requires/berth@x.service"])
    one.run("systemd", "disable")
    assert "WantedBy" in text_of(etc, f"{UNITS}/berth@.service")


def test_what_was_disabled_while_it_ran(etc, systemd):
    """Its drop-in is there for its stop, and goes with that, as does the template of the last."""
    one, two = (etc.project({"compose.yaml": {"services": {"a": SLEEP}}}) for _ in range(2))
    there = etc.command(["find", "/etc/systemd"]).stdout
    one.run("systemd", "enable")
    control(one, systemd, "settle", SERVICE_RESULT="success")
    dropin = f"{UNITS}/berth@{one.name}.service.d/project.conf"
    text = text_of(etc, dropin)
    # As disable leaves it where it runs, which needs systemd.
    etc.command(["rm", f"{UNITS}/multi-user.target.wants/berth@{one.name}.service"])
    etc.command(["tee", dropin], input="# Disabled while it ran: goes with its stop.\n" + text)
    control(two, systemd, "settle", SERVICE_RESULT="success")
    control(one, systemd, "settle", SERVICE_RESULT="signal")
    assert text in text_of(etc, dropin)
    two.run("systemd", "enable")
    control(one, systemd, "settle", SERVICE_RESULT="success")
    assert one.name not in etc.command(["ls", UNITS]).stdout
    assert "WantedBy" in text_of(etc, f"{UNITS}/berth@.service")
    # Enabled once more it is one like any other.
    two_dropin = f"{UNITS}/berth@{two.name}.service.d/project.conf"
    etc.command(["tee", two_dropin], input="# Disabled while it ran: goes with its stop.\n")
    two.run("systemd", "enable")
    control(two, systemd, "settle", SERVICE_RESULT="success")
    assert "RequiresMountsFor=" in text_of(etc, two_dropin)
    etc.command(["rm", f"{UNITS}/multi-user.target.wants/berth@{two.name}.service"])
    etc.command(["tee", two_dropin], input="# Disabled while it ran: goes with its stop.\n")
    control(two, systemd, "settle", SERVICE_RESULT="success")
    assert etc.command(["find", "/etc/systemd"]).stdout == there


def test_enable_with_flags(etc):
    project = etc.project({
        "app 100%.yaml": {"services": {"a": {**SLEEP, "image": "${IMAGE}"},
                                       "b": {**SLEEP, "profiles": ["more"]}}},
        "sub/over.yaml": {"services": {"a": {"init": False}}}, "vars": "IMAGE=busybox\n"})
    project.run("-f", "app 100%.yaml", "-f", "sub/over.yaml", "--env-file", "vars", "--profile",
                "more", "--profile", "x", "-p", f"{project.name}-two", "systemd", "enable")
    dropin = text_of(etc, f"{UNITS}/berth@{project.name}-two.service.d/project.conf")
    path = project.path
    assert (f'Environment="COMPOSE_FILE={path}/app 100%%.yaml:{path}/sub/over.yaml"\n' in dropin)
    assert f'Environment="COMPOSE_ENV_FILES={path}/vars"\n' in dropin
    assert 'Environment="COMPOSE_PROFILES=more,x"\n' in dropin
    assert f'Environment="BERTH_ROOT={etc.root}"\n' in dropin


def test_enable_with_variables_of_the_shell(etc):
    """The unit has none of them: what would be another project then is told."""
    project = etc.project({
        "compose.yaml": {"services": {"a": {**SLEEP, "image": "busybox:${TAG-latest}", "environment": [
            "PASSED", "FROM_FILE"], "labels": {"file": "${FROM_FILE}", "both": "${BOTH}",
                                               "home": "${HOME}"}, "volumes": ["~/x:/x"]}}},
        ".env": "FROM_FILE=1\nBOTH=file\n"})
    shell = {"TAG": "1", "PASSED": "x", "BOTH": "shell", "UNUSED": "1"}
    done = project.run("systemd", "enable", env=shell)
    warned = re.search(r"what this shell has in ([A-Z, ]*), and make another project", done.stderr)
    assert set(warned[1].split(", ")) == {"TAG", "PASSED", "BOTH", "HOME"}
    assert f"write it into {project.path}/.env" in done.stderr
    project.write({"compose.yaml": {"services": {"a": {**SLEEP, "labels": {"x": "${FROM_FILE}"}}}}})
    assert project.run("systemd", "enable", env={**shell, "COMPOSE_FILE": "compose.yaml"}).stderr == ""
    # What it cannot do without.
    project.write({"compose.yaml": {"services": {"a": {**SLEEP, "labels": {"x": "${TAG:?none}"}}}}})
    assert "what this shell has in TAG, and" in project.run("systemd", "enable", env=shell).stderr


def test_units_of_one_name(etc):
    """Those of another project, and what somebody wrote, are not replaced."""
    job = {**JOB, "x-berth": {"schedule": "hourly"}}
    one = etc.project({"compose.yaml": {"name": "a", "services": {"b-c": job, "d": job}}})
    two = etc.project({"compose.yaml": {"name": "a-b", "services": {"c": job}}})
    one.run("systemd", "enable")
    before = text_of(etc, f"{UNITS}/berth-a-b-c.timer")
    done = two.run("systemd", "enable", check=False)
    assert done.returncode != 0
    assert f"{UNITS}/berth-a-b-c.timer is there already, and not of project a-b" in done.stderr
    assert text_of(etc, f"{UNITS}/berth-a-b-c.timer") == before
    assert "berth@a-b" not in etc.command(["find", UNITS]).stdout
    one.run("systemd", "enable")
    etc.command(["tee", f"{UNITS}/berth-a-d.service"], input="# mine\n")
    assert "berth-a-d.service is there" in one.run("systemd", "enable", check=False).stderr
    assert text_of(etc, f"{UNITS}/berth-a-b-c.timer") == before


@pytest.mark.parametrize("name", ["it's \"ä\" 100%n $HOME\\", " blank ", "ta\tb", "two\nlines"])
def test_folders(etc, name):
    folder = os.path.join(etc.home, name)
    os.mkdir(folder)
    with open(os.path.join(folder, "compose.yaml"), "w") as file:
        file.write("name: odd\nservices: {a: {image: busybox}}\n")
    done = etc.run("systemd", "enable", cwd=folder, check=False)
    if any(ord(c) < 32 for c in name):
        assert done.returncode != 0 and "no unit can name it" in done.stderr
        assert "odd" not in etc.command(["find", UNITS]).stdout
        return
    assert done.returncode == 0
    text = text_of(etc, f"{UNITS}/berth@odd.service.d/project.conf")
    [line] = re.findall(r"^WorkingDirectory=-(.*)$", text, re.M)
    assert os.path.samefile(line.replace("%%", "%"), folder) and line[-1] not in " \\"
    [line] = re.findall(r"^RequiresMountsFor=(.*)$", text, re.M)
    assert os.path.samefile(shlex.split(line)[0].replace("%%", "%"), folder)


def test_enable_by_name(etc):
    """A project that has its place in /etc/berth needs nothing but the template."""
    etc.command(["mkdir", "-p", "/etc/berth/shop"])
    etc.command(["tee", "/etc/berth/shop/compose.yaml"], input="services: {a: {image: busybox}}\n")
    etc.run("systemd", "enable", "shop", cwd=etc.home)
    assert "berth@shop.service" in etc.command(["ls", f"{UNITS}/multi-user.target.wants"]).stdout
    assert "berth@shop.service.d" not in etc.command(["ls", UNITS]).stdout


def test_enable_refuses(etc):
    project = etc.project({"compose.yaml": "services: {a: {imag: busybox}}\n"})
    done = project.run("systemd", "enable", check=False)
    assert done.returncode != 0 and "compose.yaml:1:" in done.stderr
    assert project.run("systemd", "enable", "../x", check=False).returncode != 0
    project.write({"compose.yaml": {"services": {"a": SLEEP}}})
    done = project.run("systemd", "enable", "--user", check=False)
    assert done.returncode != 0 and "run it as that user" in done.stderr
    assert not os.path.exists(os.path.join(etc.home, ".config"))
    # Without systemd there is nobody to ask.
    assert "does not run systemd" in project.run("systemd", "status", check=False).stderr
    assert etc.command(["ls", UNITS]).stdout.count("berth") == 0


def test_somebodys_template_stays(etc):
    project = etc.project({"compose.yaml": {"services": {"a": SLEEP}}})
    etc.command(["tee", f"{UNITS}/berth@.service"], input="# mine\n")
    project.run("systemd", "enable")
    assert text_of(etc, f"{UNITS}/berth@.service") == "# mine\n"


JOB = {"image": "busybox", "command": ["sh", "-c", "echo ran"]}


def test_timers(etc):
    """Jobs are left to timers of systemd's, which call `berth job run --scheduled`."""
    project = etc.project({"compose.yaml": {"services": {
        "web": SLEEP,
        "backup": {**JOB, "x-berth": {"schedule": {"calendar": "Mon..Fri 03:30",
                                                   "persistent": True}}},
        "report": {**JOB, "x-berth": {"schedule": {"calendar": "hourly", "overlap": "queue"}}}}}})
    project.run("systemd", "enable")
    name = project.name
    timer = text_of(etc, f"{UNITS}/berth-{name}-backup.timer")
    for line in ("OnCalendar=Mon..Fri 03:30", "Persistent=yes", f"PartOf=berth@{name}.service"):
        assert f"\n{line}\n" in timer
    job = text_of(etc, f"{UNITS}/berth-{name}-backup.service")
    assert f" -p {name} job run --scheduled backup\n" in job and "Type=oneshot" in job
    assert f'Environment="BERTH_ROOT={etc.root}"\n' in job
    assert " job run --scheduled --detach report\n" in \
        text_of(etc, f"{UNITS}/berth-{name}-report.service")
    conf = text_of(etc, f"{UNITS}/berth@{name}.service.d/services.conf")
    assert f"Wants=berth-{name}-backup.timer\n" in conf
    assert 'Environment="BERTH_TIMERS=backup,report"\n' in conf
    files = [f"{UNITS}/berth-{name}-{part}" for part in
             ("backup.timer", "backup.service", "report.timer", "report.service")]
    if shutil.which("systemd-analyze"):
        etc.command(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *files])
    # What is no job any more loses its timer; those of another project are not touched.
    etc.command(["cp", files[0], f"{UNITS}/berth-other-x.timer"])
    etc.command(["sed", "-i", "1s/project .*: /project other: /", f"{UNITS}/berth-other-x.timer"])
    project.write({"compose.yaml": {"services": {"report": {
        **JOB, "x-berth": {"schedule": "hourly"}}}}})
    project.run("systemd", "enable")
    assert "backup" not in etc.command(["ls", UNITS]).stdout
    project.run("systemd", "disable")
    left = etc.command(["ls", UNITS]).stdout
    assert name not in left and "berth-other-x.timer" in left


def test_a_timer_keeps_the_time(berth, systemd):
    project = berth.project({"compose.yaml": {"services": {
        "web": SLEEP,
        "job": {"image": "busybox", "command": ["sh", "-c", "echo ran; sleep 1; exit 3"],
                "x-berth": {"schedule": "*-*-* *:*:*"}},
        "ours": {**JOB, "x-berth": {"schedule": "*-*-* *:*:*"}}}}})
    process = unit(project, systemd, BERTH_TIMERS="job")
    systemd.wait("READY=1")
    berth.wait_until(lambda: "ran" in project.run("logs", "ours").stdout)
    assert project.run("logs", "job").stdout == ""
    assert project.run("job", "ls", "--format", "{{.Service}} {{.Next}}").stdout.count("Z") == 2
    # What its timer calls, also from elsewhere.
    done = berth.run("-p", project.name, "job", "run", "--scheduled", "job", cwd=berth.home,
                     check=False)
    assert done.returncode == 3
    assert project.run("logs", "--no-log-prefix", "job").stdout == "ran\n"
    project.run("stop", "job")
    assert project.run("job", "run", "--scheduled", "job").returncode == 0
    assert project.run("logs", "--no-log-prefix", "job").stdout == "ran\n"
    stop(project, systemd, process)


def test_credentials(etc, systemd):
    project = etc.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "secrets": ["password", "token"]}},
        "secrets": {"password": {"x-berth": {"credential": "db-password"}},
                    "token": {"file": "./none", "x-berth": {"credential": "token"}}}}})
    done = project.run("up", "-d", check=False)
    assert done.returncode != 0
    assert "secret password: there is no credential db-password: put it into " \
        "/etc/credstore/db-password" in done.stderr
    etc.command(["mkdir", "-p", "/etc/credstore", "/etc/credstore.encrypted"])
    etc.command(["tee", "/etc/credstore.encrypted/db-password"], input="sealed")
    etc.command(["tee", "/etc/credstore/token"], input="t0ken")
    done = project.run("up", "-d", check=False)
    assert "credential db-password is encrypted" in done.stderr
    project.run("systemd", "enable")
    conf = text_of(etc, f"{UNITS}/berth@{project.name}.service.d/services.conf")
    assert "LoadCredentialEncrypted=db-password:db-password\n" in conf
    assert "LoadCredential=token:token\n" in conf
    # What systemd makes of that: a folder for the unit.
    given = os.path.join(etc.base, "given")
    os.mkdir(given)
    with open(os.path.join(given, "db-password"), "w") as file:
        file.write("open sesame")
    process = unit(project, systemd, CREDENTIALS_DIRECTORY=given)
    systemd.wait("READY=1")
    shown = project.exec("a", "sh", "-c", "cat /run/secrets/*; ls -l /run/secrets/password")
    assert shown.stdout.startswith("open sesamet0ken-r--r--r--")
    # The next supervisor has it as well.
    etc.kill(project.supervisor_pids()[0])
    etc.wait_until(project.supervisor_pids)
    project.run("up", "-d", "--force-recreate")
    assert project.exec("a", "cat", "/run/secrets/password").stdout == "open sesame"
    project.run("systemd", "disable")
    stop(project, systemd, process)


def test_credentials_that_are_wrong(berth):
    for text, wanted in (
            ("{x-berth: {credential: a/b}}", "is no name of a credential"),
            ("{x-berth: {credential: a}, environment: HOME}", "excludes environment"),
            ("{x-berth: {credentials: a}}", "did you mean")):
        project = berth.project({"compose.yaml":
                                 f"services: {{a: {{image: busybox, secrets: [s]}}}}\n"
                                 f"secrets: {{s: {text}}}\n"})
        done = project.run("config", "-q", check=False)
        assert done.returncode != 0 and "compose.yaml:2:" in done.stderr and wanted in done.stderr


# -- what systemd is told --

def test_ready_when_all_are_healthy(berth, systemd):
    project = berth.project({"compose.yaml": {"services": {
        "db": SLOW, "web": {**SLEEP, "depends_on": {"db": {"condition": "service_healthy"}}}}}})
    process = unit(project, systemd)
    systemd.wait("STATUS=0 of 2 healthy, waiting for db")
    systemd.wait("EXTEND_TIMEOUT_USEC=60000000")
    assert "READY=1" not in systemd.read()
    project.exec("db", "touch", "/tmp/well")
    systemd.wait("READY=1")
    systemd.wait("STATUS=2 of 2 healthy")
    # It is the keeper that systemd has for its main process.
    assert process.inner_pid() in project.keeper_pids()
    ready = len(systemd.lines)
    project.exec("db", "rm", "/tmp/well")
    systemd.wait("STATUS=1 of 2 healthy: db unhealthy", deadline=90, after=ready)
    stop(project, systemd, process)
    systemd.wait("STOPPING=1")
    assert project.ps() == [] and "WATCHDOG=1" not in systemd.lines


def test_others_ask_before_the_unit_is_there(berth):
    """Its supervisor has nothing yet, but waits for who brings the project up."""
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    keeper = berth.popen_command(["sh", "-c", f"sleep 1000 & BERTH_STARTER=$! exec {binary()} "
                                              f"__keeper {project.name}"],
                                 env={"BERTH_ROOT": berth.root,
                                      "BERTH_RUNTIME_DIR": berth.runtime_dir})
    berth.wait_until(lambda: project.run("supervisor", "ls", "-q").stdout)
    rows = {project.run("supervisor", "ls", "--format", "{{.Pid}} {{.KeeperPid}}").stdout
            for _ in range(5)}
    assert len(rows) == 1
    pid = keeper.inner_pid()
    assert project.keeper_pids() == [pid]
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        [starter] = set(map(int, file.read().split())) - set(project.supervisor_pids())
    berth.kill(starter)
    assert keeper.wait(20) == 1
    assert project.supervisor_pids() == []


def test_reload(berth, systemd):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP, "b": SLEEP}}})
    process = unit(project, systemd)
    ready = systemd.wait("READY=1") + 1
    before = ids(project)
    project.write({"compose.yaml": {"services": {"a": SLEEP, "c": SLEEP}}})
    control(project, systemd, "reload")
    reloading = systemd.wait("RELOADING=1", after=ready)
    assert systemd.lines[reloading + 1].startswith("MONOTONIC_USEC=")
    ready = systemd.wait("READY=1", after=reloading) + 1
    after = ids(project)
    assert sorted(after) == [f"{project.name}-a-1", f"{project.name}-c-1"]
    assert after[f"{project.name}-a-1"] == before[f"{project.name}-a-1"]
    # A file that is wrong changes nothing, and the unit stays.
    project.write({"compose.yaml": "services: {a: {imag: busybox}}\n"})
    assert control(project, systemd, "reload", check=False).returncode != 0
    systemd.wait("READY=1", after=ready)
    systemd.wait("STATUS=reload failed", after=ready)
    assert ids(project) == after
    stop(project, systemd, process)


def test_a_project_that_fails(berth, systemd):
    project = berth.project({"compose.yaml": {"services": {
        "db": {"image": "busybox", "command": ["sh", "-c", "echo no disk; exit 3"]},
        "web": {**SLEEP, "depends_on": {"db": {"condition": "service_completed_successfully"}}},
        "other": SLEEP}}})
    process = unit(project, systemd)
    assert process.wait(30) == 1
    assert "READY=1" not in systemd.read()
    assert "service \"db\" didn't complete successfully: exit 3" in process.stderr.read()
    assert [line for line in systemd.lines if line.startswith("STATUS=")][-1] == \
        "STATUS=start failed: service \"db\" didn't complete successfully: exit 3"
    # Nothing runs any more, and what failed is there to be looked at.
    assert {row["State"] for row in project.ps()} <= {"exited", "created"}
    assert "no disk" in project.run("logs", "db").stdout


def test_stopped_while_it_starts(berth, systemd):
    """systemd ends the main process then; that is no failure of the unit's."""
    project = berth.project({"compose.yaml": {"services": {"db": SLOW}}})
    process = unit(project, systemd)
    systemd.wait("STATUS=0 of 1 healthy, waiting for db")
    berth.kill(process.inner_pid(), signal.SIGTERM)
    assert process.wait(30) == 0
    assert {row["State"] for row in project.ps("-a")} == {"exited"}


def test_a_file_that_is_wrong(berth, systemd):
    project = berth.project({"compose.yaml": "services: {a: {imag: busybox}}\n"})
    process = unit(project, systemd)
    assert process.wait(20) == 1
    assert "compose.yaml:1:" in process.stderr.read()
    assert project.keeper_pids() == []


def test_a_folder_that_is_gone(berth, systemd):
    """What is in the folder that it is started in instead is none of its."""
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    gone = os.path.join(project.path, "gone")
    process = unit(project, systemd, BERTH_UNIT_FOLDER=gone)
    assert process.wait(20) == 1
    said = process.stderr.read()
    assert f"start failed: folder {gone}: No such file or directory" in said
    assert "berth systemd enable" in said
    assert [line for line in systemd.lines if line.startswith("STATUS=")][-1].startswith(
        f"STATUS=start failed: folder {gone}")
    process = berth.popen("systemd", "run", project.name, cwd="/", env=systemd.env())
    assert process.wait(20) == 1
    assert f"start failed: folder /etc/berth/{project.name}: No such" in process.stderr.read()
    process = unit(project, systemd)
    systemd.wait("READY=1")
    done = control(project, systemd, "reload", check=False, BERTH_UNIT_FOLDER=gone)
    assert done.returncode == 1 and f"reload failed: folder {gone}" in done.stderr
    # Its stop needs no file.
    control(project, systemd, "stop", MAINPID="1", BERTH_UNIT_FOLDER=gone)
    assert process.wait(20) == 0 and project.ps() == []


PROVIDER = """#!/bin/sh
case "$*" in *" metadata") exit 1;; esac
echo "$@" >> "$(dirname "$0")/said"
"""


def test_providers(berth, systemd):
    """Who provides something is told of the unit's stop as of `down`."""
    project = berth.project({"compose.yaml": {"services": {
        "a": SLEEP, "db": {"provider": {"type": "cloud"}}}}, "bin/cloud": PROVIDER})
    berth.command(["chmod", "+x", f"{project.path}/bin/cloud"])
    path = {"PATH": f"{project.path}/bin:{berth.env['PATH']}"}
    process = unit(project, systemd, **path)
    systemd.wait("READY=1")
    control(project, systemd, "stop", MAINPID="1", **path)
    assert process.wait(20) == 0
    with open(f"{project.path}/bin/said", encoding="utf-8") as file:
        assert [line.split()[3] for line in file] == ["up", "down"]


def test_watchdog(berth, systemd):
    """A supervisor that hangs is replaced; containers and systemd notice nothing."""
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    process = unit(project, systemd, WATCHDOG_USEC="2000000")
    ready = systemd.wait("READY=1")
    seen = systemd.wait("WATCHDOG=1", after=ready)
    before, pids = ids(project), project.supervisor_pids()
    berth.kill(pids[0], signal.SIGSTOP)
    berth.wait_until(lambda: project.supervisor_pids() not in ([], pids), 20)
    assert ids(project) == before
    systemd.wait("WATCHDOG=1", after=seen + 1)
    assert len(project.keeper_pids()) == 1
    stop(project, systemd, process)
    assert "does not answer any more" in process.stderr.read()


def test_a_killed_keeper(berth, systemd):
    """systemd then calls ExecStop= as well, which has to leave everything to the next one."""
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, "mem_limit": "64m"}}}})
    process = unit(project, systemd)
    systemd.wait("READY=1")
    before = ids(project)
    berth.kill(project.keeper_pids()[0])
    process.wait(10)
    control(project, systemd, "stop")
    control(project, systemd, "settle", SERVICE_RESULT="signal")
    ready = len(systemd.read())
    # Even where the file has become unusable meanwhile.
    project.write({"compose.yaml": "services: {a: {imag: busybox}}\n"})
    process = unit(project, systemd)
    systemd.wait("READY=1", after=ready)
    assert ids(project) == before and rows(project)[0]["State"] == "running"
    stop(project, systemd, process)
    assert rows(project) == []


def test_one_that_runs_outside(berth, systemd):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    outside = project.keeper_pids()
    process = unit(project, systemd)
    systemd.wait("READY=1")
    assert project.keeper_pids() not in ([], outside)
    assert project.container("a")["State"] == "running"
    # Down by hand is an end that systemd takes for one: exit code 0.
    project.run("down")
    assert process.wait(20) == 0


def test_looked_at_while_it_begins(berth, systemd):
    """Between its look at who has the project and its having it nobody else gets it, though for
    what somebody asks a keeper has to be started."""
    berth.env["ASAN_OPTIONS"] += ":detect_leaks=0"  # it cannot when traced
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("create")
    project.run("supervisor", "stop", project.name)
    berth.wait_until(lambda: project.keeper_pids() == [])
    calls = os.path.join(berth.base, "calls")
    process = berth.popen_command(
        ["strace", "-qq", "-o", calls, "-e", "trace=umask", "-e", "inject=umask:delay_enter=2000000",
         *berth.program, "systemd", "run", project.name], cwd=project.path, env=systemd.env(),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    # Just before it becomes the keeper: strace, it, and its child that is to bring the project up.
    berth.wait_until(lambda: berth.command(["pgrep", "-fc", f"systemd run {project.name}"],
                                           check=False).stdout == "3\n")
    lookers = [project.popen("ps", "-a", "-q") for _ in range(3)]
    for looker in lookers:
        assert looker.wait(20) == 0 and len(looker.stdout.read().splitlines()) == 1
    systemd.wait("READY=1")
    assert len(project.keeper_pids()) == 1
    stop(project, systemd, process)


def test_one_that_runs_outside_and_is_followed(berth, systemd):
    """Who only listens keeps neither that one nor the unit, and hears of what comes next."""
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    said = os.path.join(berth.base, "said")
    with open(said, "w") as file:
        project.popen("events", stdout=file)

    def heard(what, times=1):
        with open(said) as lines:
            return lines.read().count(f" container {what} ") >= times

    berth.wait_until(lambda: project.run("kill", "-s", "CONT", "a") and heard("kill"))
    outside = project.keeper_pids()
    process = unit(project, systemd)
    ready = systemd.wait("READY=1") + 1
    assert project.keeper_pids() not in ([], outside)
    berth.wait_until(lambda: heard("stop") and heard("start"))
    # As systemd ends a main process that the stop has left.
    control(project, systemd, "stop", MAINPID="1")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process = unit(project, systemd)
    systemd.wait("READY=1", after=ready)
    berth.wait_until(lambda: heard("start", 2))
    control(project, systemd, "stop", MAINPID="1")


def test_term_stops_everything(berth, systemd):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    process = unit(project, systemd)
    systemd.wait("READY=1")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert project.container("a")["State"] == "exited"


def test_reexec(berth, systemd):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    process = unit(project, systemd)
    systemd.wait("READY=1")
    before, pids = ids(project), project.supervisor_pids()
    project.run("supervisor", "reexec", project.name)
    berth.wait_until(lambda: project.supervisor_pids() not in ([], pids))
    assert ids(project) == before
    stop(project, systemd, process)


def test_what_make_install_brings(berth):
    text = berth.run("systemd", "unit", "/opt/my tools/berth", cwd=berth.home).stdout
    assert 'ExecStart="/opt/my tools/berth" systemd run %i\n' in text
    text = berth.run("systemd", "unit", "--user", "/usr/bin/berth", cwd=berth.home).stdout
    assert "WantedBy=default.target\n" in text and "network-online" not in text


# -- what the journal is told --

@pytest.fixture
def journal(berth):
    journal = Journal(berth)
    yield journal
    journal.close()


def known_ids():
    with open(os.path.join(ROOT, "compose/control/message_ids.h")) as file:
        return dict(re.findall(r'#define MESSAGE_(\w+)\s+"([0-9a-f]{32})"', file.read()))


def test_own_messages(berth, systemd, journal):
    project = berth.project({"compose.yaml": {"services": {
        "db": SLOW, "flaky": {**SLEEP, "restart": "on-failure", "command": [
            "sh", "-c", "test -e /tmp/was && exec sleep 1000; touch /tmp/was; exit 3"]}}}})
    ids = known_ids()
    process = journal.service(binary(), "systemd", "run", project.name, cwd=project.path,
                              env=systemd.env())
    project.wait_state("db", "running")
    project.exec("db", "touch", "/tmp/well")
    systemd.wait("READY=1")
    about = {"BERTH_PROJECT": project.name, "BERTH_SERVICE": "db",
             "BERTH_CONTAINER": f"{project.name}-db-1", "SYSLOG_IDENTIFIER": "berth"}
    started = journal.wait(MESSAGE_ID=ids["STARTED"], PRIORITY="6", **about)
    assert started["MESSAGE"] == f"{project.name}-db-1: started"
    assert journal.wait(MESSAGE_ID=ids["HEALTHY"], **about)["PRIORITY"] == "6"
    journal.wait(MESSAGE_ID=ids["EXITED"], BERTH_SERVICE="flaky", PRIORITY="4",
                 MESSAGE=f"{project.name}-flaky-1: exited (3)")
    journal.wait(MESSAGE_ID=ids["RESTARTING"], BERTH_SERVICE="flaky",
                 MESSAGE=f"{project.name}-flaky-1: restarting in 100ms")
    project.exec("db", "rm", "/tmp/well")
    journal.wait(MESSAGE_ID=ids["UNHEALTHY"], PRIORITY="4", deadline=90, **about)
    berth.kill(project.supervisor_pids()[0])
    journal.wait(MESSAGE_ID=ids["SUPERVISOR_ENDED"], BERTH_PROJECT=project.name, PRIORITY="4")
    berth.wait_until(project.supervisor_pids)
    stop(project, systemd, process)


def test_the_journal_says_why_it_failed(berth, systemd, journal):
    project = berth.project({"compose.yaml": {"services": {
        "db": {"image": "busybox", "command": ["sh", "-c", "exit 3"]},
        "web": {**SLEEP, "depends_on": {"db": {"condition": "service_completed_successfully"}}}}}})
    process = journal.service(binary(), "systemd", "run", project.name, cwd=project.path,
                              env=systemd.env())
    assert process.wait(30) == 1
    journal.wait(MESSAGE_ID=known_ids()["START_FAILED"], BERTH_PROJECT=project.name, PRIORITY="3",
                 BERTH_SERVICE="db",
                 MESSAGE=f'project {project.name}: start failed: service "db" didn\'t complete '
                         'successfully: exit 3 (what had started is stopped)')


def messages(journal, seen):
    """Those of the unit's processes that are not in @seen yet, with their priorities."""
    texts = [(entry.get("PRIORITY"), entry["MESSAGE"]) for entry in journal.entries()
             if entry.get("SYSLOG_IDENTIFIER") in ("berth", "unit")]
    new = texts[len(seen):]
    seen += new
    return new


def test_all_that_a_unit_says(berth, systemd, journal):
    """One line for what happened, with the reason where it is not the usual; no progress."""
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "stop_signal": "SIGKILL", "volumes": ["data:/data"]},
                     "b": {**SLEEP, "stop_signal": "SIGKILL"}},
        "volumes": {"data": {}}}})
    name, seen = project.name, []
    process = journal.service(binary(), "systemd", "run", name, cwd=project.path,
                              env=systemd.env())
    ready = systemd.wait("READY=1") + 1
    journal.wait(MESSAGE=f"{name}-a-1: started")
    journal.wait(MESSAGE=f"{name}-b-1: started")
    assert sorted(messages(journal, seen)) == [
        ("6", f"{name}-a-1: started"), ("6", f"{name}-b-1: started"),
        ("6", f"volume {name}_data: created")]
    project.write({"compose.yaml": {
        "services": {"a": {**SLEEP, "environment": {"X": "${NONE}"}, "volumes": ["data:/data"]}},
        "volumes": {"data": {}}}})
    reload = journal.service(binary(), "systemd", "reload", name, cwd=project.path,
                             env=systemd.env())
    assert reload.wait(20) == 0
    systemd.wait("READY=1", after=ready)
    said = messages(journal, seen)
    assert sorted(said) == [
        ("4", 'The "NONE" variable is not set. Defaulting to a blank string.'),
        ("6", f"{name}-a-1: environment, stop_signal changed: making it anew"),
        ("6", f"{name}-a-1: exited (137)"), ("6", f"{name}-a-1: started"),
        ("6", f"{name}-b-1: exited (137)"),
        ("6", f"{name}-b-1: not in the file any more: removing it")]
    about = journal.wait(MESSAGE_ID=known_ids()["CHANGED"], BERTH_SERVICE="b")
    assert about["BERTH_CONTAINER"] == f"{name}-b-1" and about["BERTH_PROJECT"] == name
    stopping = journal.service(binary(), "systemd", "stop", name, cwd=project.path,
                               env=systemd.env(MAINPID="1"))
    assert stopping.wait(20) == 0 and process.wait(20) == 0
    assert messages(journal, seen) == [("6", f"{name}-a-1: exited (143)")]


LISTENER = ("import socket, time; s = socket.create_server(('0.0.0.0', 18099)); "
            "print('listens', flush=True); time.sleep(100)")
FAILURES = {
    "image": ({"web": {"image": "nowhere/none", "pull_policy": "never"}, "other": SLEEP}, "web",
              "nowhere/none"),
    "unhealthy": ({"web": {**SLEEP, "healthcheck": {
        "test": "echo no disk; false", "interval": "100ms", "retries": 1}}, "other": SLEEP}, "web",
                  "no disk"),
    "port": ({"web": {**SLEEP, "ports": ["18099:80"]}, "other": SLEEP}, "web", "18099"),
    "command": ({"web": {"image": "busybox", "command": ["nothing-there"]}}, "web",
                "nothing-there"),
    "file": ("services:\n  web: {image: [1, 2]}\n", None, "compose.yaml:2:"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_why_it_failed_is_one_message(berth, systemd, journal, case):
    """With what there is to look for it by, and in the status; nothing besides says "Error"."""
    services, blamed, reason = FAILURES[case]
    text = services if isinstance(services, str) else {"services": services}
    project = berth.project({"compose.yaml": text})
    if case == "port":
        taken = berth.popen_command(["/usr/bin/python3", "-c", LISTENER], stdout=subprocess.PIPE)
        assert taken.stdout.readline() == "listens\n"
    process = journal.service(binary(), "systemd", "run", project.name, cwd=project.path,
                              env=systemd.env())
    assert process.wait(40) == 1
    message = journal.wait(MESSAGE_ID=known_ids()["START_FAILED"], BERTH_PROJECT=project.name,
                           PRIORITY="3", **({"BERTH_SERVICE": blamed} if blamed else {}))
    assert message["MESSAGE"].startswith(f"project {project.name}: start failed: ")
    assert reason in message["MESSAGE"]
    assert "(what had started is stopped)" in message["MESSAGE"].splitlines()[0]
    # The starter has ended, so the journal could not ask whose it was; the unit's name is there.
    of_unit = berth.command(["journalctl", "-q", "--no-pager", "-o", "cat", "-u",
                             f"berth@{project.name}"]).stdout
    assert reason in of_unit
    status = [line for line in systemd.lines if line.startswith("STATUS=")][-1]
    assert status.startswith("STATUS=start failed: ") and reason in status
    if case == "port":
        berth.kill(taken.inner_pid())


def test_catalog(berth):
    """Every message that has a number is explained, and nothing else."""
    catalog = os.path.join(ROOT, "compose/berth.catalog")
    with open(catalog) as file:
        explained = re.findall(r"^-- ([0-9a-f]{32})$", file.read(), re.M)
    assert sorted(explained) == sorted(known_ids().values())
