"""The service behind a real nginx: a stranger gets nothing, and below a path all links, forms and cookies work."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from serving.access.sessions import Sessions
from serving.access.tokens import Tokens
from serving.pages.formats import account_address
from serving.publication import publication_file

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx)"),
]
CONFIGURATION = """
daemon off; master_process off; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
  uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
  server {{ listen 127.0.0.1:{port}; location {location} {{ proxy_pass {upstream}; {more} }} }}
}}
"""
Proxy = Callable[..., str]


@pytest.fixture
def proxy(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Proxy]:
    """Starts an nginx of the test's own; returns its address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(upstream: str, *, location: str = "/", more: str = "") -> str:
        home, port = tmp_path / f"nginx{len(started)}", free_port()
        home.mkdir()
        file = home / "nginx.conf"
        file.write_text(CONFIGURATION.format(home=home, port=port, location=location, upstream=upstream, more=more))
        started.append(subprocess.Popen([str(NGINX), "-c", str(file), "-p", str(home)], stderr=subprocess.DEVNULL))
        _until_it_listens(port, started[-1])
        return f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=10)


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.05)
    pytest.fail("nginx does not listen")


HTTP_1_1 = 'proxy_http_version 1.1; proxy_set_header Connection "";'
SETUPS = {
    "as shipped": "",
    "HTTP/1.1, as later versions are shipped": HTTP_1_1,
    "Host passed on": f"{HTTP_1_1} proxy_set_header Host $http_host;",
    "no header that tells of it": f"{HTTP_1_1} proxy_set_header Host localhost; proxy_pass_request_headers off;",
}
DATA = ("/", "/accounts", "/api", "/api/accounts.csv", "/api/model", "/metrics", "/openapi.json")


@pytest.mark.parametrize("setup", SETUPS)
def test_a_stranger_behind_a_proxy_gets_nothing(prefixed: Any, proxy: Proxy, setup: str) -> None:
    url = proxy(prefixed.url, more=SETUPS[setup])
    for host in (None, "localhost", "127.0.0.1"):
        headers = {"host": host} if host else {}
        for path in DATA:
            answer = httpx.get(url + path, headers=headers)
            assert (answer.status_code, "Company" in answer.text) == (401, False), (path, host)
        answer = httpx.post(f"{url}/api/score", json={"account_ids": ["a02"]}, headers=headers)
        assert answer.status_code == 401


class Links(HTMLParser):
    """The addresses that a page names; `posted` are those that forms are sent to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.posted: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = self.posted if ("method", "post") in attrs else self.addresses
        links += [value for name, value in attrs if name in ("href", "action", "src") and value]


@pytest.mark.parametrize("passed", ["/holdfast as it is", "what follows /holdfast"])
def test_below_a_path_links_forms_and_cookies_work(prefixed: Any, proxy: Proxy, passed: str) -> None:
    upstream = prefixed.url if passed == "/holdfast as it is" else f"{prefixed.url}/"
    location = "/holdfast" if passed == "/holdfast as it is" else "/holdfast/"
    site = proxy(upstream, location=location, more=SETUPS["Host passed on"])
    once = _invite(prefixed)
    with httpx.Client(follow_redirects=True, headers={"accept": "text/html"}) as browser:
        form = browser.get(f"{site}/holdfast/accounts?segment=large")
        assert (form.status_code, 'action="/holdfast/sign-in"' in form.text) == (401, True)
        page = browser.get(f"{site}/holdfast/sign-in?once={once}")
        assert (page.status_code, str(page.url)) == (200, f"{site}/holdfast/")
        assert [cookie.path for cookie in browser.cookies.jar] == ["/holdfast"]
        _crawl(browser, site)
        page = browser.post(f"{site}/holdfast/sign-out", headers={"origin": site})
        assert (str(page.url), page.status_code) == (f"{site}/holdfast/sign-in", 200)
        assert browser.get(f"{site}/holdfast/").status_code == 401


def _crawl(browser: httpx.Client, site: str) -> None:
    """Every address that the pages name is below the path and answers."""
    left, seen = [f"{site}/holdfast/"], set()
    while left:
        address = left.pop()
        answer = browser.get(address)
        assert answer.status_code == 200, address
        if "text/html" not in answer.headers["content-type"]:
            continue
        page = Links(answer.text)
        assert all(link.startswith("/holdfast/") for link in page.posted), address
        for link in page.addresses:
            target = urljoin(address, link).partition("#")[0]
            assert urlsplit(target).path.startswith("/holdfast/"), (address, link)
            kind = re.sub(r"=[^&]*|/accounts/.+", "", target)
            if kind not in seen and not target.endswith("/sign-out"):
                seen.add(kind)
                left.append(target)
    assert len(seen) > 15


def test_an_awkward_id_survives_a_proxy_that_tidies_paths_up(prefixed: Any, proxy: Proxy) -> None:
    site = proxy(f"{prefixed.url}/", location="/holdfast/", more=SETUPS["Host passed on"])
    once = _invite(prefixed)
    with httpx.Client(follow_redirects=True, headers={"accept": "text/html"}) as browser:
        browser.get(f"{site}/holdfast/sign-in?once={once}")
        for account in ("a/06 é?#%", "../a//08\t\x01"):
            answer = browser.get(f"{site}/holdfast{account_address(account)}")
            assert answer.status_code == 200, account
            detail = browser.get(f"{site}/holdfast/api{account_address(account)}", headers={"accept": "*/*"})
            assert detail.json()["account_id"] == account


def _invite(server: Any) -> str:
    folder = publication_file.folder_of(server.place.params.data_dir)
    return Sessions(folder, Tokens(folder)).invite()
