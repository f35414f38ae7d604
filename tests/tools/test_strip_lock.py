from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.twin.running import PROJECT

LOCK = {
    "_meta": {"hash": {"sha256": "0" * 64}, "sources": [{"name": "pypi", "url": "https://mirror.example"}]},
    "default": {"starlette": {"hashes": ["sha256:1"], "index": "pypi", "version": "==1.0"}},
    "develop": {"boto3": {"hashes": ["sha256:2"], "version": "==1.0"}},
}

LISTS = {"packages": "default", "tools": "tools", "aws": "aws", "dev-packages": "develop"}


def test_no_address_is_left_and_every_hash_stays(tmp_path: Path) -> None:
    lock = tmp_path / "Pipfile.lock"
    lock.write_text(json.dumps(LOCK))

    subprocess.run([sys.executable, PROJECT / "tools" / "strip_lock.py", lock], check=True)

    stripped = json.loads(lock.read_text())
    assert stripped["_meta"] == {"hash": {"sha256": "0" * 64}, "sources": []}
    assert stripped["default"] == {"starlette": {"hashes": ["sha256:1"], "version": "==1.0"}}
    assert stripped["develop"] == LOCK["develop"]


def test_the_committed_lock_names_no_registry() -> None:
    text = (PROJECT / "Pipfile.lock").read_text()

    assert "://" not in text
    assert json.loads(text)["_meta"]["sources"] == []
    assert '"index"' not in text


def test_the_lock_has_every_package_of_the_pipfile_with_hashes() -> None:
    # Not `pipenv verify`: its hash of a Pipfile without sources depends on the pip configuration around it.
    pipfile = tomllib.loads((PROJECT / "Pipfile").read_text())
    lock = json.loads((PROJECT / "Pipfile.lock").read_text())

    for section, locked in LISTS.items():
        assert {canonicalize_name(name) for name in pipfile[section]} <= lock[locked].keys()
        assert all(entry["hashes"] and entry["version"].startswith("==") for entry in lock[locked].values())
    # One virtual environment holds them all.
    versions = {(name, entry["version"]) for locked in LISTS.values() for name, entry in lock[locked].items()}
    assert len(versions) == len({name for name, _ in versions})
