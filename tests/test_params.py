"""Settings: defaults, a file over them, single values over both; every mistake named."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

import params_reading
from params import SettingsError, load


def test_defaults_load() -> None:
    params = load()
    assert params.revenue.grace_days == 30
    assert params.simulated.ends_on == date(2026, 1, 1)


def test_a_file_lies_over_the_defaults_and_a_single_value_over_both(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("revenue: {grace_days: 0, currency: EUR}\n")
    params = load(file, ["revenue.grace_days=45", "forecast.cuts=[region]"])
    assert params.revenue.currency == "EUR"
    assert params.revenue.grace_days == 45
    assert params.forecast.cuts == ("region",)
    assert params.revenue.reactivation == "exclude"


def test_tables_are_added_by_name() -> None:
    params = load(overrides=["source.tables.usage.lag_days=2"])
    assert params.source.tables["usage"].lag_days == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sed=1", r"sed: no such setting; did you mean seed\?"),
        ("revenue.grace=1", r"revenue.grace: no such setting; did you mean revenue.grace_days\?"),
        ("revenue.grace_days=many", r"revenue.grace_days: Input should be a whole number, got 'many'"),
        ("revenue.grace_days=30.5", r"revenue.grace_days: Input should be a whole number, got 30.5"),
        ("source.max_bad_share=few", r"source.max_bad_share: Input should be a number, got 'few'"),
        ("source.data_until=soon", r"source.data_until: Input should be a date, written as YYYY-MM-DD, got 'soon'"),
        ("source.data_until=2024-13-01", r"--set source.data_until=2024-13-01: the value '2024-13-01' is not readable"),
        ("source.path=[1]", r"source.path: Input should be a path, got \[1\]"),
        ("source.tables.usage.file=[1]", r"usage.file: Input should be text, got \[1\]"),
        ("seed=null", r"seed: Input should be a whole number, got null"),
        ("features.own={window: 3}", r"features.own.table: is missing$"),
        (
            "revenue.currency=EURO",
            r"revenue.currency: Input should be the three letters of a currency, such as USD",
        ),
        ("source.parts={a b: x}", r"source.parts.a b: The name should be letters, digits and underscores, got 'a b'"),
        (
            "serving.hosts=[http://x.com]",
            r"serving.hosts.0: Input should be a name in small letters without scheme and",
        ),
        ("serving.hosts=[Holdfast.example.com]", r"such as holdfast.example.com, got 'Holdfast.example.com'"),
        ("serving.hosts=[x.com:3000]", r"serving.hosts.0: .* without scheme and port"),
        ("serving.proxies=[127.0.0.1]", r"serving: proxies and proxy_header go together: .*, and in which header$"),
        ("serving.base_path=x", r"serving.base_path: Input should be a path such as /holdfast, or empty, got 'x'"),
        ("revenue.grace_days=400", r"revenue.grace_days: .*less than or equal to 120, got 400"),
        ("source.kind=spreadsheet", r"source.kind: Input should be 'simulated', 'files' or 'duckdb'"),
        ("record.url=mysql://h/db", r"record.url: Input should be an address that begins with postgresql://"),
        ("forecast.draws", r"--set forecast.draws: write it as key.path=value"),
        ("=3", r"--set =3: write it as key.path=value"),
        ("forecast..draws=3", r"write it as key.path=value"),
        ("forecast.cuts=[", r"the value '\[' is not readable YAML"),
        ("forecast=3", r"forecast: Input should be `key: value` pairs, got 3"),
        ("forecast.cuts=region", r"forecast.cuts: Input should be a list, got 'region'"),
        ("backtest.horizons=[]", r"backtest.horizons: The list should have at least 1 item, not 0, got \[\]"),
        ("source.day_first=maybe", r"source.day_first: Input should be true or false, got 'maybe'"),
        ("source.tables.usage.columns=id", r"usage.columns: Input should be `key: value` pairs, got 'id'"),
        (
            "source.tables.usage.colums.account_id=id",
            r"source.tables.usage.colums: no such setting; did you mean source.tables.usage.columns\?",
        ),
        ("source.tables.usage.account_id=id", r"source.tables.usage.account_id: no such setting$"),
    ],
)
def test_a_wrong_value_is_named(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(overrides=[override])


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"(?s)seed: .*forecast.draws: "):
        load(overrides=["seed=-1", "forecast.draws=0"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a\n- b\n", "must hold `key: value` lines, not a list"),
        ("a: [1\n", "cannot be read"),
        ("nonsense: 1\n", "nonsense: no such setting"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=message):
        load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"No settings file .*absent\.yaml\. Give an existing file"):
        load(tmp_path / "absent.yaml")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("# nothing\n")
    assert load(file) == load()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().revenue.grace_days = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "url", ["postgresql://writer:secret@host/db", "postgresql://h/db?password=secret", "postgresql://w:a/secret@h/db"]
)
@pytest.mark.parametrize("section", ["source", "record"])
def test_a_password_in_a_url_is_refused_and_not_shown(section: str, url: str) -> None:
    with pytest.raises(SettingsError, match=rf"{section}\.url holds a password") as refused:
        load(overrides=[f"{section}.url={url}"])
    assert "secret" not in str(refused.value)


def test_every_pattern_of_a_setting_is_told_in_words() -> None:
    files = Path(params_reading.__file__).parent.glob("params*.py")
    patterns = {pattern for file in files for pattern in re.findall(r'pattern=r?"(.*?)"', file.read_text("utf-8"))}
    assert patterns == set(params_reading._PATTERNS)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (
            "source.tables.usage.query",
            "FROM postgres_scan('host=h user=u password=secret', 'public', 'usage')",
        ),
        ("source.tables.usage.query", "SELECT * FROM postgres_scan('postgresql://u:secret@h/db', 'public', 'usage')"),
        ("source.parts.clients", "SELECT * FROM mysql_scan('host=h passwd = secret', 'db', 'clients')"),
        ("source.path", "s3://key:secret@bucket/exports"),
        ("forecast.cuts", "[segment, 'PWD=secret']"),
    ],
)
def test_a_password_in_any_setting_is_refused_and_not_shown(key: str, text: str) -> None:
    """A query is recorded with every run, as all settings are."""
    with pytest.raises(SettingsError, match=rf"{key} holds a password") as refused:
        load(overrides=[f"{key}={text if text.startswith('[') else json.dumps(text)}"])
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "query", ["SELECT 'https://' || host || ':' || port || '@'", "SELECT password_changed_at = day"]
)
def test_what_only_looks_alike_is_no_password(query: str) -> None:
    assert load(overrides=[f"source.tables.usage.query={json.dumps(query)}"])


def test_the_address_of_the_tracking_store_may_hold_one() -> None:
    """It is recorded without."""
    assert load(overrides=["tracking.uri=postgresql://mlflow:secret@host/mlflow"])
