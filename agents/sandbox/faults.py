"""What Monty raises, as our own exceptions: faults of the program, which its writer is told, and faults of the sandbox."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic_monty import (
    Frame,
    MontyConversionError,
    MontyCrashedError,
    MontyDisconnectError,
    MontyRuntimeError,
    MontyShutdown,
    MontySyntaxError,
    MontyTypingError,
)

from agents.sandbox.base import SandboxUnavailable, cut

MAX_MESSAGE: Final = 4_000
MAX_LINE: Final = 200
PROGRAM: Final = "<python-input-1>"
"""What the second text is called that is fed to a session: before it stands the prologue."""
OUTERMOST: Final = 3
INNERMOST: Final = 7
"""How many frames of a deep traceback are shown, at each end."""


class Failed(Exception):
    """The program failed, for the reason that this is made with."""


class NoProgram(Failed):
    """The text is no program, so none of it has run, unless it tried to run such a text itself."""


PROGRAMS: Final = (MontyRuntimeError, MontyConversionError, MontyTypingError)
SANDBOXES: Final = (MontyCrashedError, MontyDisconnectError, MontyShutdown)


@contextmanager
def outside(code: str) -> Iterator[None]:
    """Raise `Failed`, `NoProgram` or `SandboxUnavailable` instead of what the interpreter and its pool raise for `code`."""
    try:
        yield
    except MontySyntaxError as error:
        raise NoProgram(_told(code, error)) from None
    except PROGRAMS as error:
        raise Failed(_told(code, error)) from None  # its text may be as long as the program's memory: keep none of it
    except SANDBOXES as error:
        raise SandboxUnavailable("The sandbox broke down.") from error
    except (RuntimeError, OSError) as error:  # the pool could start no process, or had none free in time
        raise SandboxUnavailable("The sandbox is not available.") from error


def _told(code: str, error: MontySyntaxError | MontyRuntimeError | MontyConversionError | MontyTypingError) -> str:
    """Show the fault as Python does, with the program's own lines."""
    if not isinstance(error, (MontySyntaxError, MontyRuntimeError)):
        return cut(str(error), limit=MAX_MESSAGE)
    frames = [_line(code, frame) for frame in error.traceback() if frame.filename == PROGRAM]
    if len(frames) > OUTERMOST + INNERMOST:
        frames[OUTERMOST:-INNERMOST] = [f"  … {len(frames) - OUTERMOST - INNERMOST} more …"]
    return "\n".join([*frames, cut(error.display("type-msg"), limit=MAX_MESSAGE)])


def _line(code: str, frame: Frame) -> str:
    """Show where a frame is; the interpreter's own idea of the line may not be what was written."""
    lines = code.splitlines()
    if frame.line > len(lines):
        return "  at the end of the program"
    function = f", in {frame.function_name}" if frame.function_name else ""
    return f"  line {frame.line}{function}: {lines[frame.line - 1].strip()[:MAX_LINE]}"
