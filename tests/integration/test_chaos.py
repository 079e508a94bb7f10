# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands in a random order, and a SIGKILL at a random moment of each: of the supervisor, its
client, a container, now and then the keeper. What is said to run runs, once; and all comes back.

A run of the suite takes a while of it; BERTH_TEST_CHAOS_SEC=N as long as wanted, BERTH_TEST_SEED=N
repeats the choices."""
import os
import random
import time

import pytest

SECONDS = float(os.environ.get("BERTH_TEST_CHAOS_SEC", "12"))
SEED = os.environ.get("BERTH_TEST_SEED")


def sleeper(number, **more):
    return {"image": "busybox", "command": ["sleep", str(number)], "init": True, **more}


SERVICES = {
    "base": sleeper(1001, volumes=["data:/data"]),
    "web": sleeper(1002, restart="always", ports=["80"],
                   depends_on={"base": {"condition": "service_started", "restart": True}}),
    "many": sleeper(1003, deploy={"replicas": 2}),
}
COMMANDS = (["up", "-d"], ["up", "-d", "--force-recreate", "-t", "0", "base"],
            ["up", "-d", "--scale", "many=3"], ["up", "-d", "--scale", "many=1"],
            ["stop", "-t", "0", "web"], ["stop", "-t", "0"], ["start"], ["restart", "-t", "0"],
            ["kill", "many"], ["rm", "-sf", "base"], ["pause", "web"], ["unpause", "web"],
            ["exec", "-T", "web", "true"], ["down", "-v", "-t", "0"])
VICTIMS = ("nobody", "supervisor", "supervisor", "supervisor", "client", "container", "keeper")


class Chaos:
    def __init__(self, berth, seed):
        self.berth, self.random, self.history = berth, random.Random(seed), []
        self.project = berth.project({"compose.yaml": {
            "services": SERVICES, "volumes": {"data": {}}}})

    def sleepers(self):
        found = {}
        for line in self.berth.inside_processes().values():
            if line[0] == "sleep":
                found[line[1]] = found.get(line[1], 0) + 1
        return found

    def pids(self, victim, client):
        if victim == "supervisor":
            return self.project.supervisor_pids()
        if victim == "keeper":
            return self.project.keeper_pids()
        if victim == "client":
            return [client.inner_pid()]
        if victim == "container":
            return [pid for pid, line in self.berth.inside_processes().items()
                    if line[0] == "sleep"]
        return []

    def round(self):
        command, victim = self.random.choice(COMMANDS), self.random.choice(VICTIMS)
        delay = self.random.choice((0.005, 0.02, 0.05, 0.1, 0.3)) * self.random.random()
        self.history.append(f"{' '.join(command)} ({victim} after {delay:.3f} s)")
        client = self.project.popen(*command)
        time.sleep(delay)
        try:
            pids = self.pids(victim, client)
            if pids:
                self.berth.kill(self.random.choice(pids))
        except ProcessLookupError:
            pass  # it was quicker
        _, err = client.communicate(timeout=60)
        if victim in ("nobody", "supervisor") and command[0] in ("up", "stop", "rm", "down"):
            assert client.returncode == 0, err
        assert "AddressSanitizer" not in err

    def is_true_to_its_word(self):
        rows = self.project.ps("-a")
        said, paused = {}, set()
        for row in rows:
            if row["State"] not in ("running", "paused", "created", "exited"):
                return False
            if row["State"] in ("running", "paused"):
                number = SERVICES[row["Service"]]["command"][1]
                said[number] = said.get(number, 0) + 1
                if row["State"] == "paused":
                    paused.add(number)
        found = self.sleepers()
        # An init that is paused does not come to see that its program was killed.
        for number in paused:
            found.setdefault(number, said[number])
        return said == found and len({row["Name"] for row in rows}) == len(rows)

    def all_is_back(self):
        self.project.run("unpause", check=False)
        self.project.run("up", "-d")
        assert sorted((row["Service"], row["State"]) for row in self.project.ps()) == [
            ("base", "running"), ("many", "running"), ("many", "running"), ("web", "running")]
        # With a keeper the name servers of its containers go: until those start again.
        if not any("(keeper" in line for line in self.history):
            assert self.project.exec("web", "nslookup", "-type=a", "base").returncode == 0


@pytest.mark.slow
def test_whatever_is_killed(berth):
    seed = SEED or str(random.randrange(1 << 32))
    chaos = Chaos(berth, seed)
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            for _ in range(4):
                chaos.round()
                berth.wait_until(chaos.is_true_to_its_word, 30, "what is said to run runs, once")
            chaos.all_is_back()
        chaos.project.run("down", "-v", "-t", "0")
    except AssertionError as error:
        tail = "\n".join(chaos.history[-12:])
        raise AssertionError(f"BERTH_TEST_SEED={seed}, round {len(chaos.history)}:\n{tail}\n"
                             f"{error}") from error
