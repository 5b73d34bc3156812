"""The files of `deploy/` for nginx and Caddy: the real programs between official clients and a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients.client_host import ClientHost
from tests.clients.deadline import Deadline
from tests.clients.server_process import ServerProcess, free_port
from tests.house.source_tree import ROOT

pytestmark = pytest.mark.clients

DEPLOY = ROOT / "deploy"
_NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/rewake.conf;
}}
"""


def program(name: str) -> str:
    # Debian keeps nginx where only administrators look.
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    assert found is not None, f"{name} is needed; `.ci/needs install` puts it there"
    return found


def nginx(folder: Path, *, port: int, upstream: int) -> tuple[list[str], dict[str, str]]:
    """The command for our file as it is shipped, with this port, without the certificate."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    text, listens = re.subn(r"listen 443 ssl http2;", f"listen 127.0.0.1:{port};", text)
    text, servers = re.subn(r"server 127\.0\.0\.1:3210;", f"server 127.0.0.1:{upstream};", text)
    text, certificates = re.subn(r"\n    ssl_certificate.*", "", text)
    assert (listens, servers, certificates) == (1, 1, 2)
    (folder / "rewake.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user))
    return [program("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")], {}


def caddy(folder: Path, *, port: int, upstream: int) -> tuple[list[str], dict[str, str]]:
    """The command for our file as it is shipped, told by the environment where everything is."""
    variables = {
        "DOMAIN": f"http://127.0.0.1:{port}",
        "UPSTREAM": f"127.0.0.1:{upstream}",
        "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    config = str(DEPLOY / "Caddyfile")
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", config], variables


@pytest.fixture(params=[nginx, caddy])
def proxy(request: pytest.FixtureRequest, shared_server: ServerProcess, tmp_path: Path) -> Iterator[str]:
    """The address of a proxy in front of the server."""
    port = free_port()
    command, variables = request.param(tmp_path, port=port, upstream=shared_server.port)
    log = tmp_path / "proxy.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=os.environ | variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = Deadline(60)
        while not answers(address):
            assert process.poll() is None, log.read_text()
            assert not deadline.is_over, log.read_text()
        yield address
    finally:
        process.terminate()
        process.wait(60)
        print(log.read_text())


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_live_queries_and_mutations_pass(proxy: str, npm: ClientHost, pypi: ClientHost) -> None:
    for host, author in ((npm, "npm"), (pypi, "pypi")):
        client = host.open(proxy)
        watching = client.subscribe("messages:list_all")
        before = len(watching.wait_value(lambda value: True))
        client.mutation("messages:send", {"author": author, "body": "through a proxy"})
        watching.wait_value(lambda value, least=before: len(value) > least)


def test_the_server_knows_who_called(proxy: str, npm: ClientHost) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=transport) as caller:
        answer = caller.post(
            f"{proxy}/api/mutation",
            json={"path": "sources:tell", "args": {}},
            # Nobody talks their way to another address: the proxy's own word stands last.
            headers={"x-forwarded-for": "203.0.113.9"},
            timeout=30,
        )
    assert answer.json()["value"]["ip"] == "127.0.0.2"
    assert npm.open(proxy).mutation("sources:tell")["ip"] == "127.0.0.1"


def test_large_bodies_pass_both_ways(proxy: str) -> None:
    body = os.urandom(1 << 20) * 24
    answer = httpx.post(f"{proxy}/echo", content=body, timeout=60)
    assert answer.status_code == 200
    assert answer.content == body


def test_nginx_takes_the_file_as_it_is_shipped(tmp_path: Path) -> None:
    """With https and HTTP/2: a certificate made now stands where the file expects one."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=chat.example -keyout key.pem -out cert.pem"
    made = subprocess.run(
        ["openssl", *words.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/ssl/chat.example.pem", str(certificate))
    text = text.replace("/etc/ssl/chat.example.key", str(key))
    (tmp_path / "rewake.conf").write_text(text)
    (tmp_path / "nginx.conf").write_text(_NGINX.format(folder=tmp_path, user=""))
    config = str(tmp_path / "nginx.conf")
    command = [program("nginx"), "-t", "-e", "stderr", "-p", str(tmp_path), "-c", config]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
