"""The keys that seal secrets: from a variable, or from a file of their owner's that may change while processes run.

The first key seals, every key opens. A key once read keeps opening for as long as the process lives, so that a row read just
before its key was retired can still be opened.
"""

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeAlias

import structlog

from shared import ids
from shared.settings import SettingError, Settings

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SIZE: Final = 32
_LARGEST_FILE: Final = 64 * 1024

_Stamp: TypeAlias = tuple[int, int, int]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """256 random bits, and the name under which rows refer to them."""

    id: str
    material: bytes = field(repr=False)


class Keyring:
    """The keys in force."""

    def __init__(self, keys: Sequence[Key] = (), *, path: Path | None = None) -> None:
        """Hold `keys`, or those in the file at `path`; without either, none. Raises SettingError if the file is unusable."""
        self.path = path
        self._stamp = _stamp(path) if path else None
        self._known: dict[str, Key] = {}
        self._take(read(path) if path else keys)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read what the settings name. Raises SettingError, which never repeats a key."""
        if settings.encryption_keys and settings.encryption_key_file:
            raise SettingError("Set RONDO_ENCRYPTION_KEYS or RONDO_ENCRYPTION_KEY_FILE, not both.")
        if settings.encryption_keys:
            return cls(parse(settings.encryption_keys.split(","), where="RONDO_ENCRYPTION_KEYS"))
        return cls(path=settings.encryption_key_file)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys in force, the one that seals first; empty if there are none."""
        self._refresh()
        return self._keys

    def find(self, key_id: str) -> Key | None:
        """Return a key by its id, looking into the file again before giving up."""
        if key_id not in self._known:
            self._stamp = None
            self._refresh()
        return self._known.get(key_id)

    def _refresh(self) -> None:
        """Read the file again if it changed. A file that became unusable is complained about once, and changes nothing."""
        if self.path is None or (stamp := _stamp(self.path)) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._take(read(self.path))
        except SettingError as error:
            log.warning("key_file_unusable", reason=str(error))

    def _take(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)
        self._known |= {key.id: key for key in keys}


def new_key() -> Key:
    """Make a key."""
    return Key(ids.new("key"), secrets.token_bytes(_SIZE))


def parse(entries: Sequence[str], *, where: str) -> tuple[Key, ...]:
    """Read entries of the form `id:base64`. Raises SettingError, which names `where` and the entry, never its content."""
    keys = [_key(entry.strip(), f"{where}: key {number}") for number, entry in enumerate(entries, 1) if entry.strip()]
    if not keys:
        raise SettingError(f"{where} holds no key.")
    if len({key.id for key in keys}) < len(keys):
        raise SettingError(f"{where} holds two keys of the same id.")
    return tuple(keys)


def _key(entry: str, where: str) -> Key:
    key_id, _, encoded = entry.partition(":")
    if not encoded or not _ID.fullmatch(key_id):
        raise SettingError(f"{where} must have the form id:base64, with an id of at most 64 letters, digits, '.', '_' and '-'.")
    try:
        material = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise SettingError(f"{where} is not valid base64.") from None
    if len(material) != _SIZE:
        raise SettingError(f"{where} must be {_SIZE} bytes in base64, but is {len(material)}.")
    return Key(key_id, material)


def read(path: Path) -> tuple[Key, ...]:
    """Read a key file: one `id:base64` a line, the sealing key first. Raises SettingError if others may read it too."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_LARGEST_FILE)
    except OSError as error:
        raise SettingError(f"The key file {path} cannot be read: {error.strerror}.") from None
    if mode & 0o077:
        raise SettingError(f"The key file {path} must be its owner's alone (mode 0600), but has mode {mode:04o}.")
    return parse(content.decode("ascii", "replace").splitlines(), where=f"The key file {path}")


def write(path: Path, keys: Sequence[Key]) -> None:
    """Replace a key file as a whole, safely on disk, for its owner's eyes only. Raises SettingError."""
    path = path.resolve()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    lines = "".join(f"{key.id}:{base64.b64encode(key.material).decode()}\n" for key in keys)
    try:
        _write_out(draft, lines, owner_of=path)
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SettingError(f"The key file {path} cannot be written: {error.strerror}.") from None


def _write_out(draft: Path, lines: str, *, owner_of: Path) -> None:
    """Write a new file to the disk. It belongs to whom the old one belongs to, whoever runs this."""
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        if owner_of.exists():
            before = owner_of.stat()
            os.fchown(descriptor, before.st_uid, before.st_gid)
        file.write(lines)
        file.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes whenever a file does, or None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
