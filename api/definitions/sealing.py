"""Secrets in definitions: a value comes in once and is never shown; what is shown in its place means it when it comes back."""

from collections.abc import Mapping
from typing import Any, Final

from agents import secrets
from agents.scrub import MIN_SECRET
from api.create import check, server_tools
from shared import ids
from shared.errors import InvalidRequest
from shared.items import Json

_MAX: Final = 65_536


class Seals:
    """The secrets of a definition that is being written: `texts` holds the values that came, by their new ids."""

    def __init__(self, kept: Mapping[str, str] | None = None) -> None:
        """`kept` are the ids of the definition's secrets so far, by their places."""
        self.texts: dict[str, str] = {}
        self._kept = kept or {}

    def take(self, value: Json, place: str, path: str, *, mark: str) -> Json:
        """Return what stands for a secret: of a value that came, or of the one that is at `place` already.

        `mark` is the member, `secret` or `encrypted`, that says that this is one. Raises InvalidRequest.
        """
        check.record(value, path, members={"value": check.string, mark: check.boolean})
        text = value.get("value")
        if text is not None:
            id_ = ids.new("sec")
            self.texts[id_] = _long_enough(text, f"{path}.value")
            return {"secret": id_}
        if place not in self._kept:
            raise InvalidRequest(
                f"Missing required parameter: '{path}.value'. There is no secret here yet that could be kept.",
                param=f"{path}.value",
                code="missing_required_parameter",
            )
        return {"secret": self._kept[place]}

    def headers(self, value: Any, place: str, path: str) -> Json:
        """Check headers: texts as they are, `{value, encrypted: true}` as secrets."""
        given = check.mapping(value, path)
        hidden = {name: one for name, one in given.items() if type(one) is dict and one.get("encrypted") is True}
        shown = {name: "" if name in hidden else one for name, one in given.items()}
        checked = server_tools.headers(shown, path)
        for name, one in checked.items():
            if name in hidden:
                if hidden[name].get("value") is not None:
                    server_tools.headers({name: hidden[name]}, path)
                checked[name] = self.take(hidden[name], f"{place}.{name}", f"{path}.{name}", mark="encrypted")
            elif type(one) is dict:
                checked[name] = one["value"]
        return checked


def _long_enough(text: str, path: str) -> str:
    check.string(text, path, most=_MAX)
    if len(text) < MIN_SECRET:
        raise InvalidRequest(
            f"Invalid '{path}': a secret must have at least {MIN_SECRET} characters, or it could not be kept out of texts.",
            param=path,
            code="invalid_value",
        )
    return text


def refuse_ids(value: Any) -> None:
    """Refuse what would stand for a secret by its id: nobody is shown one, so nobody can mean one."""
    if next(secrets.within(value), None) is not None:
        raise InvalidRequest("An object of 'secret' and an id can not be sent. Send the secret's value.", code="invalid_value")


def within(value: Any, place: str) -> dict[str, str]:
    """List the secrets of an object's members by their places."""
    given = value.items() if isinstance(value, dict) else ()
    return {f"{place}.{name}": one["secret"] for name, one in given if is_secret(one)}


def is_secret(value: Any) -> bool:
    """Whether this stands for a secret."""
    return isinstance(value, dict) and value.keys() == {"secret"} and str(value["secret"]).startswith("sec_")


def shown(value: Any, *, mark: str = "encrypted") -> Any:
    """Return a stored value with every secret replaced by `{<mark>: true}`."""
    if is_secret(value):
        return {mark: True}
    match value:
        case dict():
            return {name: shown(one, mark=mark) for name, one in value.items()}
        case list():
            return [shown(one, mark=mark) for one in value]
        case _:
            return value
