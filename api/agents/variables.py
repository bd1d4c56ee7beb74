"""The variables that an agent declares: with a value, with a secret, or to be given by every request."""

from typing import Any, Final

from api.create import check
from api.create import variables as given_variables
from api.definitions.sealing import Seals
from shared.items import Json

PLACE: Final = "variables"
_REQUIRED: Final = {"required": True}


def parse(value: Any, path: str, *, seals: Seals) -> Json:
    """Return, by name, a value, `{"value": object}`, `{"required": true}`, or what stands for a secret."""
    given = check.mapping(value, path)
    special = {name for name, one in given.items() if _is_secret(one) or one == _REQUIRED}
    plain = given_variables.parse({name: "" if name in special else one for name, one in given.items()}, path)
    return {
        name: _special(given[name], name, f"{path}.{name}", seals) if name in special else _kept(one["value"])
        for name, one in plain.items()
    }


def _is_secret(one: Any) -> bool:
    return type(one) is dict and one.get("secret") is True


def _special(one: Json, name: str, path: str, seals: Seals) -> Json:
    if one == _REQUIRED:
        return dict(_REQUIRED)
    if type(one.get("value")) is int:
        one = {**one, "value": str(one["value"])}
    return seals.take(one, f"{PLACE}.{name}", path, mark="secret")


def _kept(value: Any) -> Any:
    """An object would look like a declaration, so it stands inside one."""
    return {"value": value} if type(value) is dict else value
