"""Serve and tokens refuse what cannot be, before anything starts."""

from collections.abc import Callable

import pytest
from typer.testing import Result


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tokens", "isue"], "there is issue, list and revoke; did you mean issue?"),
        (["tokens", "issue", "ada", "--role", "csm"], "A token of role csm names its book"),
        (["tokens", "issue", "ada", "--days", "99999999"], "Invalid value for '--days'"),
        (["serve", "--host", "0.0.0.0"], "nobody has a token: `holdfast tokens issue NAME --role admin` first"),
    ],
)
def test_what_cannot_be_exits_2_with_a_message_and_no_traceback(
    run: Callable[..., Result], arguments: list[str], message: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
