"""Synthesized stacks, each made once: jsii is slow."""

from __future__ import annotations

import json

import pytest

from serviceconnect.settings import Settings
from tests.constructs.synthesis import Json, Synthesize, everything_on, synthesized


@pytest.fixture(scope="session")
def synthesize() -> Synthesize:
    """A function from settings (and ``endpoint_url``) to the parsed cdk.tf.json, which remembers what it made."""
    made: dict[str, Json] = {}

    def synthesize(endpoint_url: str = "", **chosen: object) -> Json:
        key = repr((endpoint_url, sorted(chosen.items())))
        if key not in made:
            made[key] = json.loads(synthesized(Settings(**chosen), endpoint_url))  # type: ignore[arg-type]
        return made[key]

    return synthesize


@pytest.fixture(scope="session")
def stack(synthesize: Synthesize) -> Json:
    """The stack with the default settings."""
    return synthesize()


@pytest.fixture(scope="session")
def everything() -> Json:
    """The stack with every optional part on."""
    parsed: Json = json.loads(synthesized(everything_on()))
    return parsed
