# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine of its own for one test: namespaces, state folders, projects, and the proof that
nothing is left of them afterwards."""

import fcntl
import hashlib
import json
import os
import pty
import re
import secrets
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from . import images

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Not /tmp: that is memory on Debian 13.
BASE = os.environ.get("BERTH_TEST_DIR", "/var/tmp")
CGROUPS = "/sys/fs/cgroup"
NS_GET_PARENT = 0xB702  # ioctl_ns(2)


def binary():
    return os.path.abspath(os.environ.get("BERTH", os.path.join(ROOT, "build/release/berth")))


def wait_until(predicate, deadline=10.0, message="", interval=0.02):
    """Returns the first true value of predicate(); asked again and again, never slept for."""
    end = time.monotonic() + deadline
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {message or predicate}")
        time.sleep(interval)


class Process(subprocess.Popen):
    """A process inside the sandbox; signals go to it, not to the nsenter in front of it."""

    def inner_pid(self):
        def child():
            if self.poll() is not None:
                raise ProcessLookupError(f"{self.args[-1]} has ended with {self.returncode}")
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
                pids = file.read().split()
            try:
                # Until its exec it is one of ours, without any handler of signals.
                return pids and os.readlink(f"/proc/{pids[0]}/exe") not in wrappers and int(pids[0])
            except FileNotFoundError:
                return False  # it ends just now

        wrappers = {os.path.realpath(shutil.which(name)) for name in ("nsenter", "env", "setpriv")}
        return wait_until(child, 10, "the process inside the sandbox starts", 0.002)

    def _is_stopped(self):
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "TZ"

    def send_signal(self, sig):
        try:
            if self.poll() is None and sig != signal.SIGSTOP:
                os.kill(self.pid, signal.SIGCONT)  # one that stands still would never end
            if self.poll() is None:
                os.kill(self.inner_pid(), sig)
                # nsenter stops when it sees that its child did, which may be late.
                if sig == signal.SIGSTOP:
                    wait_until(self._is_stopped, 30, "nsenter stops as well")
                elif sig == signal.SIGCONT:
                    os.kill(self.pid, sig)
        except ProcessLookupError:
            pass  # as Popen has it: it ended meanwhile


class Terminal:
    """A program on a terminal of its own, as its session's leader."""

    def __init__(self, sandbox, argv, rows=24, columns=80, **options):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.output = ""
        self.process = sandbox.popen_command(["setsid", "--ctty", *argv], stdin=slave, stdout=slave,
                                             stderr=slave, text=False, **options)
        os.close(slave)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, text):
        os.write(self.master, text.encode())

    def _read(self, timeout):
        """False once the other side is closed."""
        if not select.select([self.master], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += data.decode(errors="replace")
        return bool(data)

    def read_until(self, pattern, deadline=10.0):
        """Reads on until the pattern (a regular expression) is there; gives the match and
        forgets all up to its end."""
        end = time.monotonic() + deadline
        while True:
            match = re.search(pattern, self.output)
            if match:
                self.output = self.output[match.end():]
                return match
            if time.monotonic() > end or not self._read(max(0, end - time.monotonic())):
                raise AssertionError(f"no {pattern!r} on the terminal, but {self.output!r}")

    def wait(self, deadline=10.0):
        """Reads to the end; gives the exit code."""
        end = time.monotonic() + deadline
        while self._read(0.05) and time.monotonic() < end:
            if self.process.poll() is not None and not select.select([self.master], [], [], 0)[0]:
                break
        return self.process.wait(max(0.1, end - time.monotonic()))

    def close(self):
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


class Project:
    """A folder with a compose file, and a name that no other test uses."""

    def __init__(self, sandbox, name, path):
        self.sandbox, self.name, self.path = sandbox, name, path

    def write(self, files):
        for name, content in files.items():
            path = os.path.join(self.path, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if isinstance(content, dict):
                content = json.dumps(content, indent=1)
            if isinstance(content, str):
                content = content.encode()
            with open(path, "wb") as file:
                file.write(content)
            while path != os.path.dirname(self.path):
                self.sandbox.give(path)
                path = os.path.dirname(path)

    def run(self, *args, **options):
        return self.sandbox.run(*args, cwd=self.path, **options)

    def popen(self, *args, **options):
        return self.sandbox.popen(*args, cwd=self.path, **options)

    def pty(self, *args, **options):
        return self.sandbox.pty(*args, cwd=self.path, **options)

    def ps(self, *args):
        """The rows of `ps --format json`, of all containers."""
        result = self.run("ps", "-a", "--format", "json", *args)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def container(self, service, number=1):
        """The row of one container, or None."""
        name = f"{self.name}-{service}-{number}"
        return next((row for row in self.ps() if row["Name"] == name), None)

    def wait_state(self, service, state, deadline=10.0, number=1):
        """Waits until the container's State or Health is @state; gives its row."""
        def reached():
            row = self.container(service, number)
            return row if row and state in (row["State"], row["Health"]) else None

        return wait_until(reached, deadline, f"{service}-{number} is {state}")

    def exec(self, service, *argv, **options):
        return self.run("exec", "-T", service, *argv, **options)

    @property
    def runtime_dir(self):
        return os.path.join(self.sandbox.runtime_dir, "projects", self.name)

    def supervisor_pids(self):
        return self.sandbox.own_pids_of("__supervisor", self.name)

    def keeper_pids(self):
        return self.sandbox.own_pids_of("__keeper", self.name)


class Outside:
    """A second host, on a link to the sandbox's own."""

    address, host_address = "198.51.100.2", "198.51.100.1"
    address6, host_address6 = "2001:db8:51::2", "2001:db8:51::1"

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.holder = sandbox.popen_command(["unshare", "--net", "sleep", "infinity"])
        self.pid = wait_until(self._own_netns, 10, "the outside host's network namespace")
        # From here the pids are this machine's, as the netns argument needs them.
        sandbox.netns(["ip", "link", "add", "uplink0", "type", "veth", "peer", "name", "eth0",
                       "netns", str(self.pid)])
        self._configure(sandbox.pid, "uplink0", self.host_address, self.host_address6,
                        self.address, self.address6)
        self._configure(self.pid, "eth0", self.address, self.address6)

    def _own_netns(self):
        pid = self.holder.inner_pid()
        own = os.readlink(f"/proc/{pid}/ns/net")
        return pid if own != os.readlink(f"/proc/{self.sandbox.pid}/ns/net") else None

    @staticmethod
    def _configure(pid, link, address, address6, gateway=None, gateway6=None):
        batch = [f"link set lo up", f"addr add {address}/24 dev {link}",
                 f"addr add {address6}/64 dev {link} nodad", f"link set {link} up"]
        if gateway:
            batch += [f"route add default via {gateway}", f"-6 route add default via {gateway6}"]
        for line in batch:
            subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", *line.split()], check=True)

    def run(self, argv, check=True, timeout=30, **options):
        """Runs a command there."""
        return subprocess.run(["nsenter", "-t", str(self.pid), "-n", *argv], check=check,
                              timeout=timeout, capture_output=True, text=True, **options)

    def popen(self, argv, **options):
        process = subprocess.Popen(["nsenter", "-t", str(self.pid), "-n", *argv], **options)
        self.sandbox.processes.append(process)
        return process


class Injection:
    """strace, for its fault injection: see Sandbox.crash_point() and Sandbox.slow_calls()."""

    def __init__(self, sandbox, pid, calls, what=None, children=False):
        self.path = os.path.join(sandbox.base, f"calls-{secrets.token_hex(4)}")
        inject = ["-e", f"inject={calls}:{what}"] if what else []
        self.process = subprocess.Popen(
            ["strace", *(["-f"] if children else []), "-qq", "-p", str(pid), "-o", self.path,
             "-e", f"trace={calls}", *inject],
            stdin=subprocess.DEVNULL)
        sandbox.processes.append(self.process)
        wait_until(lambda: self._traced(pid), 30, "strace has attached")

    def _traced(self, pid):
        try:
            with open(f"/proc/{pid}/status") as file:
                tracer = re.search(r"^TracerPid:\s*(\d+)", file.read(), re.M).group(1)
        except (FileNotFoundError, ProcessLookupError):
            return True  # it was at something still, and that call was the one
        return int(tracer) == self.process.pid

    def close(self):
        self.process.terminate()
        self.process.wait()
        with open(self.path) as file:
            return sum(1 for line in file if "(" in line and " resumed>" not in line)


class Sandbox:
    """One test's machine. See conftest.py for the fixture `berth` that hands it out."""

    def __init__(self, template, shared):
        self.template, self.shared = template, shared
        self.processes, self.projects, self.ignored = [], [], []
        self.terminals, self.last_log = [], ""
        self.outside = None
        self.program = [binary()]
        self.base = tempfile.mkdtemp(prefix="bt-", dir=BASE)
        self.root = os.path.join(self.base, "root")
        self.runtime_dir = os.path.join(self.base, "run")
        self.home = os.path.join(self.base, "home")
        os.chmod(self.base, 0o755)
        for path in (self.runtime_dir, self.home):
            os.mkdir(path)
        self.env = self._environment()
        self._copy_template()
        self._start()
        self.baseline = self._snapshot()

    # -- life --

    def _environment(self):
        report = os.path.join(self.base, "sanitizer")
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.home,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "BERTH_ROOT": self.root,
            "BERTH_RUNTIME_DIR": self.runtime_dir,
            "BERTH_DEBUG": os.environ.get("BERTH_DEBUG", ""),
            # A detached supervisor has nobody to complain to: read at the end.
            "ASAN_OPTIONS": f"log_path={report}:exitcode=99:detect_leaks=1",
            "UBSAN_OPTIONS": f"log_path={report}:print_stacktrace=1:exitcode=99",
        }

    def _copy_template(self):
        # Images and layers are never written to once they are there, so links will do.
        subprocess.run(["cp", "-al", self.template, self.root], check=True)

    def _start(self):
        script = os.path.join(HERE, "sandbox_init.py")
        self.init = subprocess.Popen(
            ["unshare", "--fork", "--pid", "--mount", "--net", "--ipc", "--uts", "--propagation",
             "private", "--kill-child", "--", sys.executable, script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
        if self.init.stdout.readline() != b"ready\n":
            raise RuntimeError("the sandbox did not start")
        with open(f"/proc/{self.init.pid}/task/{self.init.pid}/children") as file:
            self.pid = int(file.read().split()[0])

    def close(self):
        """Ends whatever is left, come what may."""
        for terminal in self.terminals:
            terminal.close()
        self.init.stdin.close()
        try:
            self.init.wait(10)
        except subprocess.TimeoutExpired:
            self.init.kill()
            self.init.wait()
        self.init.stdout.close()
        for process in self.processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        for path in self._cgroups():
            self._remove_cgroup(path)
        shutil.rmtree(self.base, ignore_errors=True)

    def give(self, path):
        """That file or folder to whom berth runs as: root has it already."""

    # -- commands --

    def _enter(self, argv, cwd):
        """Entering a mount namespace leads to its root; --wd would lead out of it again."""
        if cwd is None:
            cwd = self.projects[0].path if len(self.projects) == 1 else self.home
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-i", "-u", "--",
                "env", "-C", cwd, *argv]

    def _environment_with(self, env):
        """None: without that variable."""
        return {name: value for name, value in {**self.env, **(env or {})}.items()
                if value is not None}

    def command(self, argv, check=True, timeout=60, cwd=None, env=None, input=None, text=True,
                stdin=subprocess.DEVNULL):
        """Runs any program in the sandbox; gives its CompletedProcess."""
        started = time.monotonic()
        process = self.popen_command(argv, cwd, env, text, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE,
                                     stdin=stdin if input is None else subprocess.PIPE)
        try:
            stdout, stderr = process.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate(timeout=10)
            raise AssertionError(f"{' '.join(argv)}: still running after {timeout} s\n"
                                 f"stdout: {stdout}\nstderr: {stderr}") from None
        self.processes.remove(process)
        result = subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)
        result.seconds = time.monotonic() - started
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: exit {result.returncode}\n"
                                 f"stdout: {result.stdout}\nstderr: {result.stderr}")
        return result

    def popen_command(self, argv, cwd=None, env=None, text=True, **options):
        process = Process(self._enter(argv, cwd), text=text, env=self._environment_with(env),
                          **options)
        self.processes.append(process)
        return process

    def run(self, *args, **options):
        """berth ARGS, to its end. Without cwd in the only project's folder. check=False allows
        an exit code other than 0."""
        return self.command([*self.program, *args], **options)

    def popen(self, *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
              stdin=subprocess.DEVNULL, **options):
        """berth ARGS in the background; ended with the test."""
        return self.popen_command([*self.program, *args], stdout=stdout, stderr=stderr, stdin=stdin,
                                  **options)

    def pty(self, *args, rows=24, columns=80, **options):
        """berth ARGS on a terminal."""
        terminal = Terminal(self, [*self.program, *args], rows, columns, **options)
        self.terminals.append(terminal)
        return terminal

    def netns(self, argv, check=True):
        """Runs a command of this machine in the sandbox's network only."""
        return subprocess.run(["nsenter", "-t", str(self.pid), "-n", *argv], check=check,
                              capture_output=True, text=True)

    def get(self, url, timeout=5, check=True):
        """Fetches a URL from the sandbox's host."""
        return self.command(["curl", "-sS", "-f", "-m", str(timeout), url], check=check)

    wait_until = staticmethod(wait_until)

    # -- what tests bring up --

    def project(self, files, name=None):
        """Writes a project folder: {"compose.yaml": text, bytes or dict, "sub/file": ...}."""
        name = name or f"t{secrets.token_hex(4)}"
        path = os.path.join(self.base, "projects", name)
        os.makedirs(path)
        self.give(path)
        project = Project(self, name, path)
        project.write(files)
        self.projects.append(project)
        return project

    def image_from_binaries(self, name, paths, files=None, changes=()):
        """Makes an image of this machine's programs (names or paths; folders whole), with their
        libraries, busybox, and @files: {path: text or (text, mode)}. The tar is made once a run."""
        key = hashlib.sha256(repr((paths, sorted((files or {}).items()))).encode()).hexdigest()[:16]
        tar = os.path.join(self.shared, f"image-{key}.tar")
        with open(f"{tar}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(tar):
                images.binaries_tar(f"{tar}.new", paths, files or {})
                os.rename(f"{tar}.new", tar)
        arguments = [part for change in changes for part in ("-c", change)]
        self.run("image", "import", *arguments, tar, name, cwd=self.home)

    def python_image(self, name="python", files=None):
        self.image_from_binaries(name, images.python_paths(), files, ['CMD ["python3"]'])

    def outside_host(self):
        """A second host on a link to this one: .address, .host_address (both also with 6),
        .run(argv), .popen(argv)."""
        if not self.outside:
            self.outside = Outside(self)
        return self.outside

    # -- looking inside --

    def inside_processes(self):
        """{pid as this machine sees it: command line} of all but process 1 and the harness's."""
        own = os.stat(f"/proc/{self.pid}/ns/pid").st_ino
        ours = {self.pid} | ({self.outside.pid} if self.outside else set())
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) in ours:
                continue
            try:
                if not self._is_inside(entry, own):
                    continue
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().rstrip(b"\0").decode(errors="replace").split("\0")
                with open(f"/proc/{entry}/stat") as file:
                    name, state = file.read().rsplit(")", 1)
            except OSError:
                continue
            if words == [""]:
                words = [f"[{name.split('(', 1)[1]}] {state.split()[0]}"]
            found[int(entry)] = words
        return found

    @staticmethod
    def _is_inside(pid, own):
        """Whether the pid namespace of @pid is @own (an inode) or below it."""
        fd = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY)
        try:
            while os.fstat(fd).st_ino != own:
                parent = fcntl.ioctl(fd, NS_GET_PARENT)
                os.close(fd)
                fd = parent
            return True
        except PermissionError:
            return False  # the one above all
        finally:
            os.close(fd)

    def pids_of(self, *words):
        """pids (as this machine sees them) of processes whose command line has all the words."""
        return [pid for pid, line in self.inside_processes().items()
                if all(word in line for word in words)]

    def own_pids_of(self, *words):
        """Like pids_of, without what such a process forked and what is not yet executed: its
        jobs, and containers that are just being born (in a pid namespace of their own)."""
        own = os.stat(f"/proc/{self.pid}/ns/pid").st_ino
        parents = {}
        for pid in self.pids_of(*words):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                if os.stat(f"/proc/{pid}/ns/pid").st_ino == own:
                    parents[pid] = parent
            except OSError:
                pass
        return [pid for pid, parent in parents.items() if parent not in parents]

    def kill(self, pid, number=signal.SIGKILL):
        """A process that has ended by itself meanwhile is fine: a supervisor follows its keeper."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def crash_point(self, pid, calls, number=None):
        """Kills process @pid as it is about to make its @number-th of these system calls (None:
        not at all). close() gives how many it made."""
        return Injection(self, pid, calls, number and f"signal=SIGKILL:when={number}")

    def slow_calls(self, pid, calls, usec):
        """Each of these system calls of process @pid takes so much longer, until close()."""
        return Injection(self, pid, calls, f"delay_exit={usec}")

    def slow_births(self, pid, usec):
        """What supervisor @pid starts is so long about to execute its program, until close()."""
        return Injection(self, pid, "execveat", f"delay_enter={usec}", children=True)

    # -- nothing may be left --

    def ignore_leftover(self, pattern):
        """For a test that leaves something on purpose: a regular expression of its line."""
        self.ignored.append(re.compile(pattern))

    def _cgroups(self):
        names = {project.name for project in self.projects} | self._recorded_projects()
        found = []
        for parent, folders, _ in os.walk(CGROUPS):
            if os.path.basename(parent).split(".")[0] == "berth":
                found += [os.path.join(parent, name) for name in folders if name in names]
                folders.clear()
        return found

    def _recorded_projects(self):
        names = set()
        for directory in (self.root, self.runtime_dir):
            try:
                names.update(os.listdir(os.path.join(directory, "projects")))
            except OSError:
                pass
        return names

    @staticmethod
    def _remove_cgroup(path):
        for parent, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(parent)
            except OSError:
                pass

    def _rules(self):
        """The firewall as text without counters."""
        lines = []
        for argv in (["iptables-legacy-save"], ["ip6tables-legacy-save"],
                     ["nft", "list", "ruleset"]):
            if not shutil.which(argv[0]):
                continue
            for line in self.netns(argv, check=False).stdout.splitlines():
                if argv[0] != "nft":
                    line = re.sub(r" \[\d+:\d+\]$", "", line)
                    # The kernel keeps an empty built-in table once somebody looked at it.
                    if line.startswith(("#", "*", "COMMIT")) or re.match(r":[A-Z]+ ACCEPT$", line):
                        continue
                lines.append(f"{argv[0]}: {line}")
        return self._without_empty_builtin(lines)

    @staticmethod
    def _without_empty_builtin(lines):
        """iptables-nft leaves its tables with nothing but empty base chains in them."""
        text = "\n".join(lines)
        if "berth" in text.lower() or re.search(r"\b(rule|accept|drop|jump|dnat|masquerade)\b",
                                                re.sub(r"policy accept", "", text)):
            return set(lines)
        return {line for line in lines if not line.startswith("nft:")}

    def _snapshot(self):
        with open(f"/proc/{self.pid}/mountinfo") as file:
            mounts = {line.split()[4] for line in file}
        with open(f"/proc/{self.pid}/net/dev") as file:
            links = {line.split(":")[0].strip() for line in file if ":" in line}
        return {"mount": mounts, "link": links, "rule": self._rules()}

    def _files_left(self):
        left = []
        for parent, _, names in os.walk(self.runtime_dir):
            left += [os.path.join(parent, name) for name in names
                     if not name.endswith("lock")]
        for project in self._recorded_projects():
            path = os.path.join(self.root, "projects", project)
            if os.path.isdir(path):
                left.append(path)
        return left

    def leftovers(self):
        """Lines about what `down` should have removed."""
        lines = [f"process: {' '.join(line)}" for line in self.inside_processes().values()]
        now = self._snapshot()
        for kind, values in now.items():
            lines += [f"{kind}: {value}" for value in sorted(values - self.baseline[kind])
                      if not (kind == "link" and value == "uplink0")]
        lines += [f"cgroup: {path}" for path in self._cgroups()]
        lines += [f"file: {path}" for path in self._files_left()]
        return [line for line in lines if not any(p.search(line) for p in self.ignored)]

    def sanitizer_reports(self):
        reports = []
        for name in sorted(os.listdir(self.base)):
            if name.startswith("sanitizer"):
                with open(os.path.join(self.base, name), errors="replace") as file:
                    reports.append(file.read())
        return reports

    def _end_processes(self):
        """What the test started and left running is the test's; what those started is berth's."""
        for process in self.processes:
            if process.poll() is None and not (self.outside and process is self.outside.holder):
                process.kill()
                process.wait()

    def down(self):
        """Takes every project down; gives what went wrong, as lines."""
        problems = []
        self._end_processes()
        names = {project.name for project in self.projects} | self._recorded_projects()
        for name in sorted(names):
            try:
                if name.startswith("container."):  # of a `run --rm`, on its way out
                    wait_until(lambda: name not in self._recorded_projects(), 10, f"{name} goes")
                    continue
                result = self.run("-p", name, "down", "-v", "-t", "0", "--remove-orphans",
                                  cwd=self.home, check=False, timeout=30)
            except AssertionError as error:
                problems.append(str(error))
                continue
            if result.returncode != 0:
                problems.append(f"down of {name}: exit {result.returncode}: {result.stderr}")
        return problems

    def finish(self):
        """Takes all down and checks that nothing is left; gives what is wrong, as lines."""
        self.last_log = self.diagnostics()
        problems = self.down()
        try:
            wait_until(lambda: not self.leftovers(), 3)
        except AssertionError:
            problems += [f"left behind: {line}" for line in self.leftovers()]
        problems += self.sanitizer_reports()
        return problems

    def diagnostics(self):
        """The supervisors' logs and the records on disk, for the report of a failed test."""
        parts = []
        for directory in (self.runtime_dir, os.path.join(self.root, "projects")):
            for parent, _, names in os.walk(directory):
                if "/upper/" in f"{parent}/" or "/work/" in f"{parent}/":
                    continue
                for name in sorted(names):
                    path = os.path.join(parent, name)
                    if not os.path.isfile(path) or not name.endswith((".log", ".json", "record")):
                        continue
                    try:
                        with open(path, errors="replace") as file:
                            parts.append(f"--- {path}\n{file.read()[-8000:]}")
                    except FileNotFoundError:
                        pass  # a supervisor that lives is still removing it
        parts.append("--- processes\n" + "\n".join(
            f"{pid} {' '.join(line)}" for pid, line in self.inside_processes().items()))
        return "\n".join(parts + self.sanitizer_reports())


def make_template(path):
    """A state folder with the image busybox in it, to be copied by every sandbox."""
    tar = f"{path}.tar"
    images.busybox_tar(tar)
    env = {"PATH": os.environ["PATH"], "BERTH_ROOT": path, "BERTH_RUNTIME_DIR": f"{path}.run"}
    subprocess.run([binary(), "image", "import", "-c", 'CMD ["sh"]', tar, "busybox:latest"],
                   env=env, check=True, timeout=120, stdout=subprocess.DEVNULL)
    # Sandboxes get links to all of it: no lock may be one that they share.
    for parent, _, names in os.walk(path):
        for name in names:
            if name == "lock" or name.endswith(".lock"):
                os.unlink(os.path.join(parent, name))
