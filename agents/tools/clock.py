"""The current date and time: models know neither."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from agents.tools.base import Call, Effect, Function, Queue, ToolError
from shared.items import Json


class Clock:
    """`orq:current_date` and `orq:datetime`."""

    queue: Queue = "tools"

    def offer(self, spec: Json, /) -> Function:
        """Offer one optional argument, the zone."""
        return Function(
            name=str(spec["type"]).replace(":", "_"),
            description="Get the current date, time and weekday, in UTC or in a given time zone.",
            parameters=_PARAMETERS,
        )

    def effect(self, _: Json, /) -> Effect:
        """Looking at a clock does nothing."""
        return "pure"

    def timeout(self, _: Json, /) -> float:
        """It takes no time."""
        return 5.0

    async def run(self, _: Json, arguments: Json, call: Call, /) -> Any:
        """Say what time it is in the zone that was asked for, or in UTC."""
        there = call.now.astimezone(_zone(arguments.get("timezone") or "UTC"))
        return {
            "datetime": there.isoformat(timespec="seconds"),
            "date": there.date().isoformat(),
            "time": there.strftime("%H:%M:%S"),
            "weekday": _WEEKDAYS[there.weekday()],
            "timezone": str(there.tzinfo),
            "unix": int(there.timestamp()),
        }


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of zones, such as 'Europe', is an OSError
        raise ToolError(f"There is no time zone {name!r}. Use an IANA name such as 'Europe/Amsterdam'.") from error


# strftime's names depend on the locale of the machine.
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {
        "timezone": {
            "type": ["string", "null"],
            "description": "An IANA time zone such as 'Europe/Amsterdam'. UTC if it is left out.",
        }
    },
    "additionalProperties": False,
}
