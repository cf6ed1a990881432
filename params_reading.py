"""How settings are read: files and `--set` laid over each other, and what cannot be used, in the words of YAML."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WORDS = {
    "^Value error, ": "",
    "a valid tuple": "a list",
    "^Tuple": "The list",
    " after validation": "",
    r"a valid dictionary( or instance of \w+)?": "`key: value` pairs",
    "a valid boolean, unable to interpret input": "true or false",
    "a valid integer(, .*)?$": "a whole number",
    "a valid number(, .*)?$": "a number",
    "a valid date(time)?( or datetime)?(, .*)?$": "a date, written as YYYY-MM-DD",
    "a valid string": "text",
    "is not a valid path.*": "should be a path",
}
_PATTERNS = {  # of the settings, and what they ask for
    r"^[a-z][a-z0-9_]{0,39}$": "a small letter and then small letters, digits and underscores, 40 at most",
    r"^\w+$": "letters, digits and underscores",
    r"^[\w. -]+$": "letters, digits, underscores, points, hyphens and spaces",
    r"^[A-Za-z]{3}$": "the three letters of a currency, such as USD",
    r"^postgresql://\S+$": "an address that begins with postgresql://, such as postgresql://reader@host/crm",
    r"^https?://\S+$": "an address that begins with http:// or https://",
    r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$": "a path such as /holdfast, or empty",
    r"^([a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:]*:[0-9a-f:.]*)$": (
        "a name in small letters without scheme and port, such as holdfast.example.com"
    ),
    r"^[A-Za-z][A-Za-z0-9-]*$": "the name of an HTTP header, such as X-Forwarded-User",
    r"^[A-Z][A-Z0-9_]{0,99}$": "the name of an environment variable, such as HOLDFAST_SLACK",
    r"^[a-z][a-z0-9_-]{0,39}$": "a small letter and then small letters, digits, underscores and hyphens, 40 at most",
    r"^[^'\\]+$": "a path or address without quotes and backslashes",
}
_PASSWORD = re.compile(r"""://[^/@\s'"]*:[^/@\s'"]*@|\b(password|passwd|pwd)\s*=""", re.IGNORECASE)
_PASSWORD_OF_AN_ADDRESS = re.compile(r"://[^/@]*:[^@]*@")  # whoever opens it takes all up to the @ for one
_MAY_HOLD_ONE = "tracking.uri"  # recorded without it, see training.tracking.store


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NOT_CUTS = ("account_id", "valid_from", "recorded_at", "total")


class SettingsError(Exception):
    """A settings file or `--set` that cannot be used; the message says which key and what to do."""


def read(file: Path) -> dict[str, Any]:
    """The content of a settings file."""
    try:
        content = _parsed(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"No settings file {file}. Give an existing file to --params.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # a ValueError of a day that there is not
        raise SettingsError(f"The settings file {file} cannot be read: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"The settings file {file} must hold `key: value` lines, not a {type(content).__name__}.")
    return content


def _parsed(text: str) -> Any:
    """YAML read by libyaml, which takes a sixth of the time; what it refuses the other parser tells better."""
    try:
        return yaml.load(text, Loader=_LOADER)
    except (ValueError, yaml.YAMLError):
        return yaml.safe_load(text)


def parsed_override(text: str) -> dict[str, Any]:
    """`key.path=value` as nested settings."""
    path, separator, value = text.partition("=")
    if not separator or not all(path.split(".")):
        raise SettingsError(f"--set {text}: write it as key.path=value, such as --set forecast.draws=2000.")
    try:
        nested: Any = yaml.safe_load(value)
    except (ValueError, yaml.YAMLError):
        raise SettingsError(f"--set {text}: the value {value!r} is not readable YAML.") from None
    for key in reversed(path.split(".")):
        nested = {key: nested}
    return dict(nested)


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`: mappings merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = overlay(merged[key], value) if nested else value
    return merged


def require_no_password(settings: Mapping[str, Any]) -> None:
    """Settings are recorded with every run, so that a password must not be among them; the message must not show it."""
    for name, text in _texts(settings):
        if name != _MAY_HOLD_ONE and _holds_password(name, text):
            where = "leave it out of the URL and give it" if name.endswith(".url") else "give it"
            raise SettingsError(
                f"{name} holds a password, and settings are recorded with every run: {where} in the environment, as "
                "PGPASSWORD or a password file."
            )


def _holds_password(name: str, text: str) -> bool:
    is_address = name.endswith(".url")
    return _PASSWORD.search(text) is not None or (is_address and _PASSWORD_OF_AN_ADDRESS.search(text) is not None)


def _texts(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """All texts of the settings, each with the keys that lead to it."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _texts(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _texts(value, name)
    elif isinstance(content, str):
        yield name, content


def explained(error: ValidationError, keys: Sequence[str], items: Mapping[str, Collection[str]]) -> str:
    """All that is wrong with the settings, a line a problem.

    Parameters
    ----------
    error
        What pydantic found.
    keys
        The keys of params.yaml, each with the sections it stands in.
    items
        The keys of an entry of each section that is empty by default, such as `source.tables.`.
    """
    lines = ["The settings cannot be used:"]
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"] if part != "[key]")
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {key}: no such setting{_suggested(key, keys, items)}")
        elif problem["type"] == "missing":
            lines.append(f"  {key}: is missing")
        else:
            lines.append(f"  {key}: {told_in_words(problem)}" if key else f"  {_in_words(problem['msg'])}")
    return "\n".join(lines)


def known_keys(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys of settings, each with the sections it stands in."""
    keys = []
    for key, value in settings.items():
        keys += [prefix + key, *(known_keys(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [])]
    return keys


def told_in_words(problem: "ErrorDetails") -> str:
    """What is wrong with a value, or with the name of an entry, and what came."""
    context = problem.get("ctx", {})
    what = _in_words(problem["msg"])
    if problem["type"] == "string_pattern_mismatch":
        thing = "The name" if problem["loc"][-1] == "[key]" else "Input"
        what = f"{thing} should be {_PATTERNS.get(context['pattern'], 'like ' + context['pattern'])}"
    if problem["type"] == "value_error" and isinstance(problem["input"], Mapping):
        return what  # of a whole section; to repeat all of it would tell nothing
    came = "null" if problem["input"] is None else repr(problem["input"])
    return f"{what}, got {came}{_nearest_word(problem['input'], context.get('expected', ''))}"


def _in_words(message: str) -> str:
    """A message of pydantic's in the words of YAML."""
    for pattern, words in _WORDS.items():
        message = re.sub(pattern, words, message)
    return message


def _suggested(key: str, keys: Sequence[str], items: Mapping[str, Collection[str]]) -> str:
    entry, _, name = key.rpartition(".")
    allowed = next((fields for section, fields in items.items() if entry.startswith(section)), None)
    if allowed is None:
        near = difflib.get_close_matches(key, keys, n=1)
    else:
        near = [f"{entry}.{field}" for field in difflib.get_close_matches(name, allowed, n=1)]
    return f"; did you mean {near[0]}?" if near else ""


def _nearest_word(came: object, expected: str) -> str:
    """Which of the words that a setting may have was perhaps meant."""
    near = difflib.get_close_matches(str(came), re.findall(r"'([^']+)'", str(expected)), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def different(names: tuple[str, ...]) -> tuple[str, ...]:
    """Columns of accounts, each named once."""
    if wrong := sorted({name for name in names if names.count(name) > 1 or name in NOT_CUTS}):
        raise ValueError(f"{', '.join(wrong)}: name each column of accounts once, and no key or time")
    return names


def ascending(edges: tuple[float, ...]) -> tuple[float, ...]:
    """Edges of ranges, in order."""
    if list(edges) != sorted(set(edges)):
        raise ValueError("give the edges in ascending order, each once")
    return edges


def kinds_by_name(value: Any) -> Any:
    """A list of columns as columns whose kind the source tells."""
    return dict.fromkeys(value) if isinstance(value, list | tuple) else value


def as_words(value: Any) -> tuple[Any, ...]:
    """A word, or a list of them, as words."""
    words = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not words or not all(isinstance(word, str | int | float) for word in words):
        raise ValueError("give text, numbers, true or false: one, or a list")
    return words
