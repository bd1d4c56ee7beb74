"""What production imports must be there without the tests' tools, whose dependencies would hide a missing one."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(sys.argv[1:])); import {modules}"
"""None in place of a module makes its import fail, as if it were not installed."""


def locked() -> dict[str, Any]:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    return {package["name"]: package for package in lock["package"]}


def production() -> set[str]:
    """All packages that the image holds: what the project depends on, and what that depends on."""
    packages, found = locked(), set[str]()
    waiting = [dependency["name"] for dependency in packages["rondo"]["dependencies"]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            extras = [part for extra in packages[name].get("optional-dependencies", {}).values() for part in extra]
            waiting += [dependency["name"] for dependency in [*packages[name].get("dependencies", []), *extras]]
    return found


@pytest.mark.parametrize(
    "modules", ["api.__main__, api.admin", "worker.__main__, kombu.transport.redis, celery.worker.components", "deploy.health"]
)
def test_production_imports_only_what_it_installs(modules: str) -> None:
    kept = production()
    foreign = [name for name, owners in packages_distributions().items() if not kept & {_plain(owner) for owner in owners}]
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {WITHOUT.format(modules=modules)}", *foreign]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert tried.stderr == ""


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
