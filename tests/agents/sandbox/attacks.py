"""Programs that try to get out, or to take more than their share, and how to tell whether they did."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from agents.sandbox.base import MAX_OUTPUT, Ran, Sandbox
from agents.sandbox.monty import GRACE

SECONDS = 0.3
CANARY = "canary-6b1f"
OUT = "out"
"""What the value of a program is that got out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What lies outside of a sandbox."""

    secret: Path
    """A file with the canary in it."""
    absent: Path
    """A file that nobody has written."""
    port: int
    """Where the machine listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attack ended."""

    ran: Ran
    took: float
    world: World


async def attack(sandbox: Sandbox, code: str, world: World) -> Outcome:
    """Run a program that is given the places outside, and a moment."""
    inputs = {"secret": str(world.secret), "absent": str(world.absent), "port": world.port}
    began = time.monotonic()
    ran = await sandbox.run(code, inputs=inputs, seconds=SECONDS)
    return Outcome(ran=ran, took=time.monotonic() - began, world=world)


def got_out(outcome: Outcome) -> bool:
    return outcome.ran.value == OUT or outcome.world.absent.exists()


def took_for_ever(outcome: Outcome) -> bool:
    return outcome.took > SECONDS + 2 * GRACE


def said_too_much(outcome: Outcome) -> bool:
    ran = outcome.ran
    return max(len(ran.output), len(orjson.dumps(ran.value)), len(ran.error or "")) > MAX_OUTPUT + 200


ATTACKS: dict[str, tuple[str, Callable[[Outcome], bool]]] = {
    "reads a file": (f"'out' if open(secret).read() == {CANARY!r} else 0", got_out),
    "reads a file by its path": (
        f"from pathlib import Path\n'out' if Path(secret).read_text() == {CANARY!r} else 0",
        got_out,
    ),
    "writes a file": ("with open(absent, 'w') as file:\n    file.write('x')", got_out),
    "lists a folder": ("import os\n'out' if os.listdir('/') else 0", got_out),
    "reads the environment": (f"import os\n'out' if os.environ['RONDO_CANARY'] == {CANARY!r} else 0", got_out),
    "reads another's environment": (
        f"'out' if {CANARY!r} in open('/proc/self/environ').read() else 0",
        got_out,
    ),
    "opens a socket": ("import socket\nsocket.create_connection(('127.0.0.1', port), 1).close()\n'out'", got_out),
    "runs a command": ("import subprocess\nsubprocess.run(['true'], check=True)\n'out'", got_out),
    "runs a shell": ("import os\n'out' if os.system('true') == 0 else 1", got_out),
    "forks": ("import os\nif os.fork() == 0:\n    os._exit(0)\n'out'", got_out),
    "calls the C library": ("import ctypes\n'out' if ctypes.CDLL(None).getpid() else 0", got_out),
    "walks to every class": (
        "kinds = ().__class__.__base__.__subclasses__()\n'out' if len(kinds) > 50 else 0",
        got_out,
    ),
    "walks to a module's globals": ("def f(): pass\n'out' if f.__globals__['__builtins__'] else 0", got_out),
    "walks the heap": ("import gc\n'out' if gc.get_objects() else 0", got_out),
    "looks up its caller": ("import sys\n'out' if sys._getframe(1).f_globals else 0", got_out),
    "imports by name": ("'out' if __import__('posix').getpid() else 0", got_out),
    "imports from a string": ("exec('import subprocess as s')\n'out' if s.Popen(['true']).wait() == 0 else 1", got_out),
    "loops": ("while True:\n    pass", took_for_ever),
    "catches what stops it": (
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        took_for_ever,
    ),
    "waits for ever": (
        "import asyncio\nasync def f():\n    while True:\n        await asyncio.sleep(0)\nloop = asyncio.run(f())",
        took_for_ever,
    ),
    "counts for ever": ("import itertools\nfor n in itertools.count():\n    pass", took_for_ever),
    "sums for ever": ("sum(range(10**12))", took_for_ever),
    "computes a huge number": ("1 if 7 ** (7 ** 9) else 0", took_for_ever),
    "searches for ever": ("import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')", took_for_ever),
    "replaces by more and more": (
        "import re\ntext = 'ab'\nwhile True:\n    text = re.sub('a', 'aa', text)[:100000]",
        took_for_ever,
    ),
    "fills a list": ("x = [0] * 12_000_000\n'out'", got_out),
    "fills a list bit by bit": ("x = []\nfor n in range(100_000):\n    x.append(str(n) * 200)\n'out'", got_out),
    "fills a text": ("x = 'a' * 100_000_000\n'out'", got_out),
    "doubles a text": ("x = 'a'\nfor n in range(27):\n    x = x + x\n'out'", got_out),
    "shifts a number": ("x = 1 << 800_000_000\n'out'", got_out),
    "pads a text": ("x = f'{1:100000000}'\n'out'", got_out),
    "recurses without end": (
        (
            "import sys\ndeep = 0\ndef f():\n    global deep\n    deep += 1\n    f()\n"
            "try:\n    sys.setrecursionlimit(200_000)\nexcept AttributeError:\n    pass\n"
            "try:\n    f()\nexcept RecursionError:\n    pass\n'out' if deep > 100_000 else deep"
        ),
        got_out,
    ),
    "floods the output": ("for n in range(20_000):\n    print('a' * 50)", said_too_much),
    "prints one huge line": ("print('a' * 3_000_000)", said_too_much),
    "returns a huge text": ("'a' * 1_000_000", said_too_much),
    "returns what grows when it is written": ("x = [0] * 1000\n[x] * 1000", said_too_much),
    "fails with a huge message": ("raise ValueError('a' * 5_000_000)", said_too_much),
}
