from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.twin.running import PROJECT

LOCK = {
    "_meta": {"hash": {"sha256": "0" * 64}, "sources": [{"name": "pypi", "url": "https://mirror.example"}]},
    "default": {"starlette": {"hashes": ["sha256:1"], "index": "pypi", "version": "==1.0"}},
    "develop": {"boto3": {"hashes": ["sha256:2"], "version": "==1.0"}},
}


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

    assert "http" not in text
    assert json.loads(text)["_meta"]["sources"] == []
    assert '"index"' not in text


def test_the_lock_belongs_to_the_pipfile() -> None:
    verified = subprocess.run(
        [Path(sys.executable).with_name("pipenv"), "verify"],
        cwd=PROJECT, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "PIPENV_IGNORE_VIRTUALENVS": "1",
        "PIPENV_VENV_IN_PROJECT": "1", "HOME": "/nowhere"},
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
