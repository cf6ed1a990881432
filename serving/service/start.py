"""Starting the service: what is checked before, and the one process it becomes."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from features.tables.scratch import new_folder
from models.words import counted
from params import Params
from serving.access.tokens import Tokens, is_loopback
from serving.forecast.refusals import BadRequest, NoPublication
from serving.publication import publication_file
from serving.service.worker_settings import ADDRESS, SETTINGS

ARBITER = "serving.service.arbiter"
SERVICE = "serving.service.bento_service:Holdfast"
ADDRESS_FILE = "address"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Start:
    """What is about to be started."""

    params: Params
    url: str
    access: str
    publication: str

    def lines(self) -> list[str]:
        """The same, to print."""
        return [
            f"Holdfast is starting on {self.url} with {counted(self.params.serving.workers, 'worker')}; Ctrl+C stops "
            "it.",
            f"Access: {self.access}.",
            f"Answers from: {self.publication}.",
        ]

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        workers = self.params.serving.workers
        return {"url": self.url, "workers": workers, "access": self.access, "publication": self.publication}

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
        raise BadRequest(f"serving.{problem['loc'][0]}: {problem['msg']}, got {problem['input']!r}.") from None
    host = str(serving.host)
    _require_tokens(params, host, serving.access == "required")
    serving = serving.model_copy(update={"port": _free_port(host, serving.port)})
    resolved = params.model_copy(update={"serving": serving, "data_dir": params.data_dir.resolve()})
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{serving.port}"
    return Start(resolved, url, _access(params, host), _publication(params))


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


def _require_tokens(params: Params, host: str, always: bool) -> None:
    if is_loopback(host) and not always:
        return
    now = datetime.now(tz=UTC)
    if not any(token.caller(now) for token in Tokens(publication_file.folder_of(params.data_dir))):
        where = "serving.access is required" if is_loopback(host) else f"{host} can be reached from other machines"
        raise BadRequest(f"{where}, and nobody has a token: `holdfast tokens issue NAME --role admin` first.")


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


def _access(params: Params, host: str) -> str:
    serving = params.serving
    parts = ["by token"]
    if serving.proxies:
        parts.append(f"by the header {serving.proxy_header} of a trusted proxy")
    elif is_loopback(host) and serving.access == "auto":
        parts = ["open to this machine alone"]
    return " or ".join(parts)


def _publication(params: Params) -> str:
    try:
        return publication_file.newest(publication_file.folder_of(params.data_dir)).name
    except NoPublication:
        return "nothing yet; run `holdfast publish`, it is taken up without a restart"
