"""The list of the erased: keyed, never in words, never lost in silence."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from features.forgetting.suppression import (
    ACCOUNT,
    CONTACT,
    USER,
    is_applied,
    mark_applied,
    read_suppressed,
    suppress,
)
from features.tables import whole_file
from params import Params, SettingsError, load

POISON = ("A1", "'; DROP TABLE account;--", 'say "x"', "Zürich 東京", "a/06 é?#%", "-x", "two\nlines", "%", "\ud800")


def settings(data_dir: Path, *overrides: str) -> Params:
    return load(overrides=[f"data_dir={data_dir}", *overrides])


@pytest.mark.parametrize("name", POISON)
def test_the_list_knows_an_id_and_does_not_name_it(tmp_path: Path, name: str) -> None:
    params = settings(tmp_path)
    assert not read_suppressed(params)
    suppressed = suppress(params, ACCOUNT, name)
    assert suppressed == read_suppressed(params)
    assert suppressed.among(ACCOUNT, [name, f"{name}0", name[:-1], None, 7]) == [name]
    assert not suppressed.holds(CONTACT, name)
    assert not suppressed.holds(USER, name)
    content = b"".join(file.read_bytes() for file in (tmp_path / "erased").iterdir())
    assert len(name) < 2 or name.encode("utf-8", "surrogatepass") not in content


def test_the_list_is_its_owners_and_holds_each_id_once(tmp_path: Path) -> None:
    params = settings(tmp_path)
    prints = [suppress(params, ACCOUNT, name).fingerprint for name in ("a", "b", "a")]
    assert len(set(prints)) == 2
    assert prints[1] == prints[2]
    assert len((tmp_path / "erased" / "list.jsonl").read_text().splitlines()) == 2
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "erased").iterdir()}
    assert (modes, stat.S_IMODE((tmp_path / "erased").stat().st_mode)) == ({0o600}, 0o700)


def test_two_data_folders_hash_the_same_id_in_different_ways(tmp_path: Path) -> None:
    digests = {suppress(settings(tmp_path / name), ACCOUNT, "a").digest_of(ACCOUNT, "a") for name in ("one", "other")}
    assert len(digests) == 2


@pytest.mark.parametrize("damage", ["key is gone", "key is no key", "list is no list"])
def test_a_list_that_cannot_be_read_is_an_error_and_never_an_empty_list(tmp_path: Path, damage: str) -> None:
    params = settings(tmp_path)
    suppress(params, ACCOUNT, "a")
    file = tmp_path / "erased" / ("list.jsonl" if "list" in damage else "key")
    file.unlink() if "gone" in damage else file.write_text("nonsense\n")
    with pytest.raises(SettingsError, match=r"The list of who was erased, .* cannot be read .* Restore both"):
        read_suppressed(params)


def test_the_list_may_lie_elsewhere_so_that_a_restored_folder_is_known_to_be_old(tmp_path: Path) -> None:
    params = settings(tmp_path / "data", f"retention.erased_folder={tmp_path / 'list'}")
    assert is_applied(params, read_suppressed(params))
    suppressed = suppress(params, ACCOUNT, "a")
    assert not is_applied(params, suppressed)
    mark_applied(params, suppressed)
    assert is_applied(params, suppressed)
    assert sorted(file.name for file in (tmp_path / "list").iterdir()) == ["key", "list.jsonl"]
    (tmp_path / "data" / "erased" / "applied").unlink()  # as in a backup from before
    assert not is_applied(params, suppressed)


def test_a_first_erasure_that_was_killed_before_its_list_was_written_can_be_done_again(tmp_path: Path) -> None:
    params = settings(tmp_path)
    suppress(params, ACCOUNT, "a")
    (tmp_path / "erased" / "list.jsonl").unlink()
    key = (tmp_path / "erased" / "key").read_bytes()
    assert not read_suppressed(params)
    assert suppress(params, ACCOUNT, "b").among(ACCOUNT, ["a", "b"]) == ["b"]
    assert (tmp_path / "erased" / "key").read_bytes() == key


def test_a_list_that_is_gone_is_no_empty_list_where_the_data_were_swept_by_one(tmp_path: Path) -> None:
    """As a disk that is not mounted, or a setting that names another place."""
    params = settings(tmp_path / "data", f"retention.erased_folder={tmp_path / 'list'}")
    mark_applied(params, suppress(params, ACCOUNT, "a"))
    elsewhere = settings(tmp_path / "data", f"retention.erased_folder={tmp_path / 'other'}")
    with pytest.raises(SettingsError, match=r"The list of who was erased, .*other.list\.jsonl, is gone.* Restore it"):
        read_suppressed(elsewhere)
    with pytest.raises(SettingsError, match="is gone"):
        suppress(elsewhere, ACCOUNT, "b")


def test_data_folders_that_share_a_list_lose_nobody_of_it(tmp_path: Path) -> None:
    """Each holds the lock of its own folder, so that they may erase at the same moment."""
    names = [f"a{number}" for number in range(24)]
    shared = f"retention.erased_folder={tmp_path / 'list'}"

    def erase(name: str) -> None:
        suppress(settings(tmp_path / name, shared), ACCOUNT, name)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(erase, names))
    assert read_suppressed(settings(tmp_path, shared)).among(ACCOUNT, names) == names


def test_the_name_of_the_list_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut could undo an erasure that was told to be done."""
    flushed: list[Path] = []
    monkeypatch.setattr(whole_file, "flush_folder", flushed.append)
    suppress(settings(tmp_path), ACCOUNT, "a")
    assert flushed == [tmp_path / "erased"] * 2


def test_a_list_that_was_emptied_is_no_empty_list_where_the_data_were_swept_by_one(tmp_path: Path) -> None:
    params = settings(tmp_path)
    mark_applied(params, suppress(params, ACCOUNT, "a"))
    (tmp_path / "erased" / "list.jsonl").write_text("")
    with pytest.raises(SettingsError, match="is gone"):
        read_suppressed(params)
