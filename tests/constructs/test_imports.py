"""What is imported from where: the folder `constructs` beside the library of that name, and the provider's bindings."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from serviceconnect import bindings
from serviceconnect.program import find_node


@pytest.fixture(autouse=True, scope="module")
def stack_is_imported() -> None:
    """What it loads is what is tested."""
    find_node()
    importlib.import_module("serviceconnect.stack")


def test_constructs_is_the_library() -> None:
    constructs = importlib.import_module("constructs")
    assert constructs.Construct.__module__ == "constructs"
    assert "site-packages" in (constructs.__file__ or "")


def test_no_second_copy_of_our_modules() -> None:
    assert not [name for name in sys.modules if name.startswith("constructs.serviceconnect")]


def test_only_the_bindings_that_are_used_are_loaded() -> None:
    # The package has more than 2,000 of them; their `__init__` would load them all.
    loaded = [name for name in sys.modules if name.startswith(f"{bindings.PACKAGE}.")]
    assert 30 < len(loaded) < 100


def test_a_loaded_package_is_left_alone() -> None:
    before = sys.modules[bindings.PACKAGE]
    bindings.choose()
    assert sys.modules[bindings.PACKAGE] is before


def test_settings_need_no_cdktf() -> None:
    code = (
        "import sys\n"
        "from serviceconnect.settings import Settings\n"
        "print(Settings().desired_count, 'cdktf' in sys.modules, 'jsii' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False", "False"]
