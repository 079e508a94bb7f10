# SPDX-License-Identifier: GPL-2.0-or-later
"""Every flag of every command, by berth's own tables, is used in one of these tests."""
import ast
import glob
import os
import re

HERE = os.path.dirname(__file__)

# Flags that stand in no test, and why.
EXCEPTIONS = {
}


# Commands whose flags are those of another one, by the same table; or that a helper of all tests runs.
SAME = {
    ("container", "create"): ("container", "run"),
    ("image", "build"): ("build",),
    ("builder", "build"): ("build",),
}


def words_of(tree, known):
    """Of the texts in it, and of those that its names stand for."""
    words = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.update(node.value.split())
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.Name):
            words |= known.get(node.id, {node.id})
    return words


def words_in_tests():
    """A set of words for each function of each file (a test uses one command or some)."""
    sets = []
    for name in sorted(os.listdir(HERE)):
        if not re.fullmatch(r"test_.*\.py", name) or name == os.path.basename(__file__):
            continue
        with open(os.path.join(HERE, name)) as file:
            tree = ast.parse(file.read())
        known = {}
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                known[node.targets[0].id] = words_of(node.value, known)
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                known[node.name] = words_of(node, known)
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                sets.append(words_of(node, known))
    # On a machine with systemd.
    for path in glob.glob(os.path.join(HERE, "../vm/guest/*.sh")):
        with open(path) as file:
            sets += [set(line.split()) for line in file]
    return sets


def uses(words, flag, letter):
    if flag in words or any(word.startswith(flag + "=") for word in words):
        return True
    if letter is None:
        return False
    return any(re.fullmatch(r"-[A-Za-z]*" + letter + r"\S*", word) for word in words)


def flags_of(berth, path):
    """[(--flag, letter or None)], as its help text has them."""
    text = berth.run(*path, "--help", cwd="/").stdout
    options = text.split("\nOptions:\n", 1)
    if len(options) == 1:
        return []
    return [(match[2], match[1]) for match in
            re.finditer(r"^ +(?:-(\w), )? *(--[\w-]+)", options[1].split("\nCommands:")[0], re.M)
            if match[2] != "--help"]


def commands_of(berth, path=()):
    text = berth.run(*path, "--help", cwd="/").stdout
    listed = text.split("\nCommands:\n", 1)
    if len(listed) == 1:
        return [path]
    names = re.findall(r"^  (\S+)   ", listed[1], re.M)
    return [found for name in names for found in commands_of(berth, (*path, name))]


def test_every_flag(berth):
    sets = words_in_tests()
    missing = []
    for path in [(), *commands_of(berth)]:
        words = set(SAME.get(path, path))
        for flag, letter in flags_of(berth, path):
            if not any(words <= used and uses(used, flag, letter) for used in sets):
                missing.append(" ".join((*path, flag)))
    assert not set(missing) - set(EXCEPTIONS), "no test uses them"
    assert not set(EXCEPTIONS) - set(missing), "a test uses them now"
