"""What a scenario measured: rates, percentiles, CPU, and how that compares with the straight calls and with a target."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self | None:
        """Sort out measured seconds; None if there are none."""
        ordered = sorted(seconds)
        if not ordered:
            return None
        return cls(*(1000 * ordered[math.ceil(share * len(ordered)) - 1] for share in (0.50, 0.95, 0.99)))


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that one of a row's numbers should keep."""

    text: str
    met: bool


@dataclass(slots=True, kw_only=True)
class Row:
    """One line of the table."""

    scenario: str
    what: str
    """What is timed."""
    count: int = 0
    unit: str = "requests"
    wall: float = 0.0
    """Seconds; 0 where the line only adds a detail to the one before it."""
    times: Times | None = None
    straight: Times | None = None
    """The same from the upstream without Rondo between."""
    straight_rate: float | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU seconds by process; of others on this machine, and idle ones, which tell how far the numbers can be trusted."""
    note: str = ""
    target: Target | None = None

    @property
    def rate(self) -> float | None:
        """Units per second."""
        return self.count / self.wall if self.wall else None

    @property
    def added(self) -> float | None:
        """Milliseconds more than straight, at the median."""
        return self.times.p50 - self.straight.p50 if self.times and self.straight else None

    @property
    def ratio(self) -> float | None:
        """How many times as long as straight, at the median; of rates, where nothing is timed."""
        if self.times and self.straight and self.straight.p50:
            return self.times.p50 / self.straight.p50
        return self.rate / self.straight_rate if self.rate and self.straight_rate else None

    def json(self) -> dict[str, Any]:
        """Render the row with everything that is derived."""
        ours = {name: used for name, used in self.cpu.items() if name not in {"others", "idle"}}
        per_unit = {name: 1e6 * used / self.count for name, used in ours.items()} if self.count else {}
        return {
            "scenario": self.scenario,
            "what": self.what,
            "count": self.count,
            "unit": self.unit,
            "seconds": self.wall,
            "per_second": self.rate,
            "ms": _json(self.times),
            "straight_ms": _json(self.straight),
            "straight_per_second": self.straight_rate,
            "added_ms": self.added,
            "ratio": self.ratio,
            "cpu_seconds": self.cpu,
            "cpu_us_per_unit": per_unit,
            "note": self.note,
            "target": {"text": self.target.text, "met": self.target.met} if self.target else None,
        }


def _json(times: Times | None) -> dict[str, float] | None:
    return None if times is None else {"p50": times.p50, "p95": times.p95, "p99": times.p99}


PROCESSES = ("api", "worker", "postgres", "valkey", "upstream", "client", "others", "idle")

_HEAD = ("", "timed", "per s", "p50", "p95", "p99", "straight", "added", "ratio", "wall", *PROCESSES, "target", "")


def table(rows: list[Row]) -> str:
    """Lay the rows out, numbers to the right."""
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    left = {0, 1, len(_HEAD) - 2, len(_HEAD) - 1}
    lines = [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    times, target = row.times, row.target
    return (
        row.scenario,
        row.what,
        _number(row.rate),
        *(_number(getattr(times, name) if times else None) for name in ("p50", "p95", "p99")),
        _number(row.straight.p50 if row.straight else row.straight_rate),
        _number(row.added),
        _number(row.ratio),
        _number(row.wall or None),
        *(_number(row.cpu.get(name)) for name in PROCESSES),
        f"{target.text}: {'met' if target.met else 'MISSED'}" if target else "",
        row.note,
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
