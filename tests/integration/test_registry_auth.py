# SPDX-License-Identifier: GPL-2.0-or-later
"""Registries that want TLS and credentials: login, logout, config.json, helpers, tokens."""

import json
import os
import stat
import subprocess

import pytest

CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {base}/registry}}}}
http: {{addr: "198.51.100.1:5443", tls: {{certificate: {base}/tls.crt, key: {base}/tls.key}}}}
auth: {{htpasswd: {{realm: test, path: {base}/htpasswd}}}}
"""
HOST = "198.51.100.1:5443"
HELPER = """\
#!/bin/sh
echo "$1" >> {0}/helper.log
case $1 in
get) test -s {0}/helper.secret && exec cat {0}/helper.secret
     echo "credentials not found in native keychain"; exit 1;;
store) cat > {0}/helper.secret;;
erase) rm -f {0}/helper.secret;;
esac
"""


def config_of(berth):
    with open(os.path.join(berth.home, ".docker/config.json")) as file:
        return json.load(file)


@pytest.fixture
def registry(berth):
    """Not on a loopback address: those are trusted without TLS."""
    base = berth.base
    berth.outside_host()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
                    "-addext", "subjectAltName=IP:198.51.100.1", "-keyout", f"{base}/tls.key",
                    "-out", f"{base}/tls.crt"], check=True, capture_output=True)
    subprocess.run(["htpasswd", "-Bbc", f"{base}/htpasswd", "me", "secret"], check=True,
                   capture_output=True)
    with open(f"{base}/registry.yml", "w") as file:
        file.write(CONFIG.format(base=base))
    berth.popen_command(["docker-registry", "serve", f"{base}/registry.yml"], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.command(
        ["curl", "-sk", f"https://{HOST}/v2/"], check=False).returncode == 0, 30, "it answers")
    tar = f"{base}/image.tar"
    berth.run("image", "save", "-o", tar, "busybox:latest", cwd="/")
    berth.command(["skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", "me:secret",
                   f"docker-archive:{tar}:busybox:latest", f"docker://{HOST}/app:1"], cwd="/")
    return berth.project({"compose.yaml": f'services: {{a: {{image: "{HOST}/app:1"}}}}'})


def login(berth, *args, **options):
    return berth.run("login", "-u", "me", "--password-stdin", *args, HOST, cwd="/", check=False,
                     **options)


def test_tls_login_and_logout(berth, registry):
    env = {"SSL_CERT_FILE": f"{berth.base}/tls.crt"}
    result = registry.run("pull", check=False)
    assert result.returncode == 1 and "certs.d/198.51.100.1:5443/ca.crt" in result.stderr

    result = registry.run("pull", check=False, env=env)
    assert f"it takes `berth login {HOST}`" in result.stderr
    result = login(berth, input="wrong\n", env=env)
    assert result.returncode == 1 and "incorrect username or password" in result.stderr
    assert not os.path.exists(os.path.join(berth.home, ".docker/config.json"))

    result = berth.run("login", HOST, cwd="/", check=False, env=env, input="")
    assert result.returncode == 1 and "--password-stdin" in result.stderr
    result = login(berth, input="secret\n", env=env)
    assert result.returncode == 0 and "Login Succeeded" in result.stdout, result.stderr
    path = os.path.join(berth.home, ".docker/config.json")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert list(config_of(berth)["auths"]) == [HOST]
    registry.run("pull", env=env)
    # What docker's own kind of client makes of the file.
    berth.command(["skopeo", "inspect", "--tls-verify=false", "--authfile", path,
                   f"docker://{HOST}/app:1"], cwd="/")

    assert "Removing login credentials" in berth.run("logout", HOST, cwd="/").stdout
    assert "Not logged in" in berth.run("logout", HOST, cwd="/").stdout
    assert registry.run("pull", check=False, env=env).returncode == 1


def test_login_with_what_is_stored(berth, registry):
    env = {"SSL_CERT_FILE": f"{berth.base}/tls.crt"}
    assert login(berth, input="secret\n", env=env).returncode == 0
    result = berth.run("login", HOST, cwd="/", env=env, input="")
    assert result.stdout == "Login Succeeded\n"
    assert "Authenticating with existing credentials... [Username: me]" in result.stderr
    subprocess.run(["htpasswd", "-Bbc", f"{berth.base}/htpasswd", "me", "another"], check=True,
                   capture_output=True)
    failed = berth.run("login", HOST, cwd="/", env=env, input="", check=False)
    assert failed.returncode == 1 and "incorrect username or password" in failed.stderr


def test_a_helper_keeps_the_secret(berth, registry):
    folder = os.path.join(berth.home, ".docker")
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({"credHelpers": {HOST: "fake"}, "psFormat": "kept"}, file)
    path = os.path.join(berth.home, "docker-credential-fake")
    with open(path, "w") as file:
        file.write(HELPER.format(berth.base))
    os.chmod(path, 0o755)
    env = {"SSL_CERT_FILE": f"{berth.base}/tls.crt",
           "PATH": f"{berth.home}:{berth.env['PATH']}"}
    assert "login" in registry.run("pull", check=False, env=env).stderr
    assert login(berth, input="secret", env=env).returncode == 0
    config = config_of(berth)
    assert config["auths"] == {HOST: {}} and config["psFormat"] == "kept"
    registry.run("pull", env=env)
    berth.run("logout", HOST, cwd="/", env=env)
    assert not os.path.exists(f"{berth.base}/helper.secret")
    result = registry.run("pull", check=False, env={**env, "PATH": berth.env["PATH"]})
    assert "docker-credential-fake" in result.stderr and "$PATH" in result.stderr


def test_a_config_that_is_a_link_stays_one(berth, registry):
    """As people have it who keep their dot files in a folder under version control."""
    kept, folder = os.path.join(berth.home, "dotfiles"), os.path.join(berth.home, ".docker")
    os.makedirs(kept)
    os.makedirs(folder)
    with open(os.path.join(kept, "docker.json"), "w") as file:
        json.dump({"psFormat": "kept"}, file)
    os.symlink("../dotfiles/docker.json", os.path.join(folder, "config.json"))
    env = {"SSL_CERT_FILE": f"{berth.base}/tls.crt"}
    assert login(berth, input="secret", env=env).returncode == 0
    assert os.readlink(os.path.join(folder, "config.json")) == "../dotfiles/docker.json"
    with open(os.path.join(kept, "docker.json")) as file:
        config = json.load(file)
    assert list(config["auths"]) == [HOST] and config["psFormat"] == "kept"
    registry.run("pull", env=env)
    assert "Removing login credentials" in berth.run("logout", HOST, cwd="/").stdout
    assert os.path.islink(os.path.join(folder, "config.json"))
    assert os.listdir(kept) == ["docker.json"]
    os.unlink(os.path.join(kept, "docker.json"))
    result = login(berth, input="secret", env=env)
    assert result.returncode == 1 and "what the link config.json leads to" in result.stderr
