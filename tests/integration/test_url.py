# SPDX-License-Identifier: GPL-2.0-or-later
"""berth url: where a published port is reached, as something to click on."""

WEB = {"image": "busybox", "init": True,
       "command": ["sh", "-c", "echo hello > /index.html; exec httpd -f -p 80 -h /"]}


def test_url(berth):
    project = berth.project({"compose.yaml": {"services": {
        "web": {**WEB, "ports": ["127.0.0.1:8443:443", "80", "[::1]:8053:8053"]}, "db": WEB}}})
    project.run("up", "-d")
    [url] = project.run("url", "web").stdout.splitlines()
    assert url.startswith("http://127.0.0.1:")
    berth.wait_until(lambda: berth.get(url, check=False).stdout == "hello\n")
    assert project.run("url", "web", "80").stdout == f"{url}\n"
    assert project.run("url", "--index", "1", "web", "443").stdout == "https://127.0.0.1:8443\n"
    assert project.run("url", "web", "8053").stdout == "http://[::1]:8053\n"
    for words, why in ((["web", "81"], "publishes no port 81"), (["db"], "publishes no port"),
                       (["web", "x"], "invalid port: x"), (["nobody"], "nobody")):
        result = project.run("url", *words, check=False)
        assert result.returncode == 1 and why in result.stderr, result.stderr
    project.run("stop", "-t", "0", "web")
    result = project.run("url", "web", check=False)
    assert result.returncode == 1 and result.stdout == ""
