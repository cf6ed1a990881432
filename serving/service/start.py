"""Starting the service: what is checked before, who gets in, and the one process it becomes."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from features.tables.scratch import new_folder
from models.words import counted
from params import Params, Serving, told_in_words
from serving.access.sessions import Sessions
from serving.access.tokens import Tokens, is_loopback
from serving.forecast.refusals import BadRequest, NoPublication
from serving.publication import publication_file
from serving.service.worker_settings import ADDRESS, SETTINGS

ARBITER = "serving.service.arbiter"
SERVICE = "serving.service.bento_service:Holdfast"
ADDRESS_FILE = "address"
OWN_PATHS = ("accounts", "api", "favicon.ico", "metrics", "model", "sign-in", "sign-out", "static")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Start:
    """What is about to be started."""

    params: Params
    url: str
    access: str
    publication: str
    sign_in: str = ""

    def lines(self) -> list[str]:
        """The same, to print."""
        return [
            f"Holdfast is starting on {self.url} with {counted(self.params.serving.workers, 'worker')}; Ctrl+C stops "
            "it.",
            f"Access: {self.access}.",
            *([f"Sign in, once, at {self.sign_in}"] if self.sign_in else []),
            f"Answers from: {self.publication}.",
        ]

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        workers = self.params.serving.workers
        content = {"url": self.url, "workers": workers, "access": self.access, "publication": self.publication}
        return content | ({"sign_in": self.sign_in} if self.sign_in else {})

    def environment(self, home: Path) -> dict[str, str]:
        """What the workers are told; the file with the address is to be in `home`, see `make_home`."""
        settings = {SETTINGS: self.params.model_dump_json(), ADDRESS: str(home / ADDRESS_FILE)}
        return {"BENTOML_HOME": str(home), **os.environ, **settings}


def prepare(params: Params, chosen: Mapping[str, Any]) -> Start:
    """Check that the service can be started, with some of `serving` chosen anew.

    Raises
    ------
    BadRequest
        An address that is none or not free, or one beyond this machine without any token.
    """
    try:
        serving = params.serving.model_validate({**params.serving.model_dump(), **chosen})
    except ValidationError as error:
        problem = error.errors()[0]
        raise BadRequest(f"serving.{problem['loc'][0]}: {told_in_words(problem)}.") from None
    host = str(serving.host)
    _require_own_path(serving.base_path)
    tokens = Tokens(publication_file.folder_of(params.data_dir))
    _require_access(serving, tokens)
    serving = serving.model_copy(update={"port": _free_port(host, serving.port)})
    resolved = params.model_copy(update={"serving": serving, "data_dir": params.data_dir.resolve()})
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{serving.port}"
    return Start(resolved, url, _access(serving, tokens), _publication(params))


def with_sign_in(start: Start) -> Start:
    """The same with a new one-time address to sign in at, where nobody has a token that could be asked for."""
    serving, folder = start.params.serving, publication_file.folder_of(start.params.data_dir)
    tokens = Tokens(folder)
    if serving.access != "auto" or tokens.any_valid:
        return start
    address = f"{start.url}{serving.base_path}/sign-in?once={Sessions(folder, tokens).invite()}"
    return replace(start, sign_in=address)


def replace_process(start: Start) -> None:
    """Become the server: signals reach it directly, and nothing of this process stays in memory."""
    home = make_home(start.url)
    command = [sys.executable, "-m", ARBITER, str(home), "serve", SERVICE, "--working-dir", str(ROOT)]
    command += ["--host", str(start.params.serving.host), "--port", str(start.params.serving.port)]
    os.execve(sys.executable, command, start.environment(home))


def make_home(url: str) -> Path:
    """A new folder for BentoML, which else keeps its files in the user's home, with the file that tells the address."""
    home = new_folder()
    (home / ADDRESS_FILE).write_text(url, encoding="utf-8")
    return home


def _require_access(serving: Serving, tokens: Tokens) -> None:
    """Refuse to start where nobody could get in, or where anybody could that must not."""
    host = str(serving.host)
    if serving.access == "anyone_is_admin":
        if not is_loopback(host):
            raise BadRequest(f"serving.access is anyone_is_admin, and {host} can be reached from other machines.")
        if tokens.any_valid:
            raise BadRequest(
                "serving.access is anyone_is_admin, and there are tokens: set it to auto, so that one is asked for, or "
                "revoke them (`holdfast tokens list`)."
            )
    elif not tokens.any_valid and (serving.access == "required" or not is_loopback(host)):
        where = "serving.access is required" if is_loopback(host) else f"{host} can be reached from other machines"
        raise BadRequest(f"{where}, and nobody has a token: `holdfast tokens issue NAME --role admin` first.")


def _require_own_path(base_path: str) -> None:
    first = base_path.split("/")[1:2]
    if first and first[0] in OWN_PATHS:
        raise BadRequest(f"serving.base_path: /{first[0]} is an address of the service itself: choose another.")


def _free_port(host: str, port: int) -> int:
    """The port, or any free one for 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadRequest(
                f"{host} port {port} cannot be listened on ({error.strerror}): give another with --port, or 0 for any."
            ) from None
        return int(probe.getsockname()[1])


def _access(serving: Serving, tokens: Tokens) -> str:
    if serving.access == "anyone_is_admin":
        return "whoever reaches this address sees all, as admin, through a proxy too (serving.access: anyone_is_admin)"
    if serving.proxies:
        return f"by token or by the header {serving.proxy_header} of a trusted proxy"
    if tokens.any_valid or serving.access == "required":
        return "by token"
    return "by the address below, from this machine; by token once one is issued (`holdfast tokens issue`)"


def _publication(params: Params) -> str:
    try:
        return publication_file.newest(publication_file.folder_of(params.data_dir)).name
    except NoPublication:
        return "nothing yet; run `holdfast publish`, it is taken up without a restart"
