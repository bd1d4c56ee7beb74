"""Encryption keys come from a variable or a file, and a file is followed while it changes."""

import base64
import os
from pathlib import Path

import pytest

from shared import keyring
from shared.keyring import Key, Keyring
from shared.settings import SettingError, Settings

ONE, TWO = Key("one", bytes(range(32))), Key("two", bytes(range(32, 64)))


def entry(key: Key) -> str:
    return f"{key.id}:{base64.b64encode(key.material).decode()}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    keyring.write(file, [ONE])
    return file


def test_the_variable_holds_keys_in_their_order() -> None:
    settings = Settings(encryption_keys=f"{entry(TWO)}, {entry(ONE)},")
    assert Keyring.from_settings(settings).keys == (TWO, ONE)


def test_a_file_holds_a_key_a_line(path: Path) -> None:
    keyring.write(path, [TWO, ONE])
    assert path.read_text(encoding="ascii") == f"{entry(TWO)}\n{entry(ONE)}\n"
    assert Keyring.from_settings(Settings(encryption_key_file=path)).keys == (TWO, ONE)


def test_without_settings_there_are_no_keys() -> None:
    assert Keyring.from_settings(Settings()).keys == ()


def test_keys_do_not_show() -> None:
    assert str(ONE.material) not in repr(ONE)


def test_two_places_for_keys_are_refused(path: Path) -> None:
    with pytest.raises(SettingError, match=r"^Set RONDO_ENCRYPTION_KEYS or RONDO_ENCRYPTION_KEY_FILE, not both\.$"):
        Keyring.from_settings(Settings(encryption_keys=entry(ONE), encryption_key_file=path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (",", "KEYS holds no key."),
        ("geheim", "KEYS: key 1 must have the form id:base64, with an id of at most 64 letters, digits, '.', '_' and '-'."),
        (f"ge heim:{entry(ONE)[4:]}", "KEYS: key 1 must have the form id:base64, with an id of at most 64 letters, digits, "),
        (f"{entry(ONE)},two:ge*heim", "KEYS: key 2 is not valid base64."),
        ("two:geheim==", "KEYS: key 1 must be 32 bytes in base64, but is 4."),
        ("two:gehéim", "KEYS: key 1 is not valid base64."),
        (f"{entry(ONE)},{entry(ONE)}", "KEYS holds two keys of the same id."),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_without_repeating_it(text: str, sentence: str) -> None:
    with pytest.raises(SettingError) as refused:
        keyring.parse(text.split(","), where="KEYS")
    assert str(refused.value).startswith(sentence)
    assert "heim" not in str(refused.value)
    assert "éim" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_file_that_is_not_its_owners_alone_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(SettingError) as refused:
        Keyring(path=path)
    assert str(refused.value) == f"The key file {path} must be its owner's alone (mode 0600), but has mode {mode:04o}."


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"none cannot be read: No such file or directory\.$"):
        Keyring(path=tmp_path / "none")


def test_a_written_file_is_its_owners_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        keyring.write(path, [TWO])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["keys"]


def test_a_link_to_a_file_stays_a_link(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    keyring.write(link, [TWO])
    assert link.is_symlink()
    assert keyring.read(path) == (TWO,)


def test_a_folder_that_cannot_be_written_is_said_in_one_sentence() -> None:
    with pytest.raises(SettingError, match=r"^The key file /proc/keys cannot be written: [^\n]+\.$"):
        keyring.write(Path("/proc/keys"), [ONE])


def test_a_key_that_is_put_first_seals_from_then_on(path: Path) -> None:
    ring = Keyring(path=path)
    keyring.write(path, [TWO, ONE])
    assert ring.keys == (TWO, ONE)


def test_a_key_is_looked_for_in_the_file_before_it_is_missing(path: Path) -> None:
    ring = Keyring(path=path)
    keyring.write(path, [ONE, TWO])
    assert ring.find("two") == TWO
    assert ring.find("three") is None


def test_a_retired_key_still_opens_what_was_read_before(path: Path) -> None:
    ring = Keyring(path=path)
    keyring.write(path, [TWO])
    assert ring.keys == (TWO,)
    assert ring.find("one") == ONE


def test_a_file_that_became_unusable_changes_nothing_until_it_is_mended(path: Path) -> None:
    ring = Keyring(path=path)
    keyring.write(path, [TWO])
    path.chmod(0o644)
    path.write_text("nonsense", encoding="ascii")
    assert ring.keys == (ONE,)
    keyring.write(path, [TWO])
    assert ring.keys == (TWO,)


def test_new_keys_differ() -> None:
    one, two = keyring.new_key(), keyring.new_key()
    assert one.id != two.id
    assert one.material != two.material
    assert len(one.material) == 32
