#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make test`: builds and runs everything, and says in one last line how it went.

    run_all.py [STEP...]     unit unit-asan unit-valgrind integration integration-asan

Long output goes to build/log/, the results as JUnit's XML to build/results/.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LOG = os.path.join(ROOT, "build/log")
RESULTS = os.path.join(ROOT, "build/results")
JOBS = str(os.cpu_count() or 2)
WORKERS = os.environ.get("WORKERS", JOBS)

# Valgrind sees what the sanitizers do not: reads of what was never written. At 50 times the time,
# and without the newer system calls (openat2, pidfd_open): so what decodes that others wrote, and
# no more. Values are Criterion's filters.
VALGRIND = ["valgrind", "-q", "--trace-children=yes", "--error-exitcode=99"]
VALGRIND_ROOMS = {
    "common": "@(alloc|error|fd|json|log|map|sha256|str|strbuf|strv|units)/*",
    "compose/tree": "*/*",
    "compose/model": "*/*",
    "compose/plan": "*/*",
    "compose/control": "*/*",
}


AGAIN_MOST = 6  # more failures than this are no bad luck


class Result:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def fail(self, name):
        self.failed += 1
        self.failures.append(name)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def run(argv, log, timeout, env=None):
    """Exit code, with all output in build/log/@log. 124: it took too long and was ended."""
    with open(os.path.join(LOG, log), "ab") as file:
        file.write(f"$ {' '.join(argv)}\n".encode())
        file.flush()
        process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=subprocess.STDOUT, env={**os.environ, **(env or {})},
                                   start_new_session=True)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return 124


def read_xml(path, prefix):
    result = Result()
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{prefix}: {case.get('classname') or ''} {case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None or \
                case.get("status") in ("FAILED", "ERRORED"):
            result.fail(name)
        elif case.find("skipped") is not None or case.get("status") == "SKIPPED":
            result.skipped += 1
        else:
            result.passed += 1
    return result


def outcome(code, path, prefix):
    """What the XML says; a failure that it does not know of (a crash, a leak) is one more."""
    try:
        result = read_xml(path, prefix)
    except (OSError, ElementTree.ParseError):
        result = Result()
        if code == 0:
            code = -1
    if code != 0 and result.failed == 0:
        result.fail(f"{prefix}: ended with {code}")
    return result


def make(build, targets, log):
    return run(["make", "-s", "--no-print-directory", f"-j{JOBS}", f"BUILD={build}", *targets], log, 1500)


def rooms():
    """Those that have unit tests, as the Makefile names them."""
    makefile = open(os.path.join(ROOT, "Makefile")).read().replace("\\\n", " ")
    names = re.search(r"^ROOMS := (.*)$", makefile, re.M).group(1).split()
    return [room for room in names if os.path.isdir(os.path.join(ROOT, "tests/unit", room))]


def unit_tests(step, build, prefix=(), filters=None, timeout=300):
    result = Result()
    log = f"{step}.log"
    for room in rooms():
        # A test that hangs shall not take the others' results with it.
        flags = ["--timeout", "100"]
        if filters is not None:
            if room not in filters:
                continue
            flags += ["--filter", filters[room]]
        name = room.replace("/", "-")
        if make(build, [f"build/{build}/test/{name}"], log) != 0:
            result.fail(f"{step} {room}: does not build")
            continue
        report = os.path.join(RESULTS, f"{step}-{name}.xml")
        code = run([*prefix, f"build/{build}/test/{name}", "--short-filename", *flags,
                    f"--xml={report}"], log, timeout,
                   {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1",
                    "LSAN_OPTIONS": f"print_suppressions=0:suppressions={HERE}/lsan.supp"})
        result.add(outcome(code, report, f"{step} {room}"))
    return result


def unit():
    return unit_tests("unit", "release")


def unit_asan():
    return unit_tests("unit-asan", "asan")


def unit_valgrind():
    if not shutil.which("valgrind"):
        result = Result()
        result.fail("unit-valgrind: valgrind is not installed (make packages)")
        return result
    return unit_tests("unit-valgrind", "release", VALGRIND, VALGRIND_ROOMS, 400)


def integration_tests(step, build, flags=()):
    result = Result()
    log = f"{step}.log"
    binary = os.path.join(ROOT, "build", build, "berth")
    if make(build, ["all"], log) != 0:
        result.fail(f"{step}: does not build")
        return result
    report = os.path.join(RESULTS, f"{step}.xml")
    code = run(["/usr/bin/python3", "-m", "pytest", "-n", WORKERS, f"--junitxml={report}", *flags,
                "tests/integration"], log, 1200, {"BERTH": binary})
    # 5: there was no test to run.
    result = outcome(0 if code == 5 else code, report, step)
    return again(result, step, log, binary) if 0 < result.failed <= AGAIN_MOST else result


def again(result, step, log, binary):
    """Runs the few that failed once more, one at a time. Those that pass now are named as
    unsteady, each a bug to be found; those that fail again have failed."""
    steady = Result()
    steady.passed, steady.skipped = result.passed, result.skipped
    for failure in sorted(set(result.failures)):
        words = failure.removeprefix(f"{step}: ").split(" ")
        node = f"tests/integration/{words[0]}.py::{words[-1]}"
        if run(["/usr/bin/python3", "-m", "pytest", node], log, 200, {"BERTH": binary}) == 0:
            print(f"    UNSTEADY, passed alone: {failure}", flush=True)
            steady.passed += 1
        else:
            steady.fail(failure)
    return steady


def integration():
    return integration_tests("integration", "release")


def integration_asan():
    return integration_tests("integration-asan", "asan", ["-m", "not slow"])


STEPS = {"unit": unit, "unit-asan": unit_asan, "unit-valgrind": unit_valgrind,
         "integration": integration, "integration-asan": integration_asan}


def main(arguments):
    unknown = [name for name in arguments if name not in STEPS]
    if unknown:
        sys.exit(f"no such step: {unknown[0]} ({', '.join(STEPS)})")
    for folder in (LOG, RESULTS):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    total = Result()
    for name in arguments or STEPS:
        started = time.monotonic()
        result = STEPS[name]()
        print(f"{name:<18} {result}  ({time.monotonic() - started:.0f} s, build/log/{name}.log)",
              flush=True)
        for failure in result.failures:
            print(f"    {failure}", flush=True)
        total.add(result)
    print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
