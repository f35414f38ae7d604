"""Health checks that pass on the twin and not in an image: said when the stack is synthesized."""

from __future__ import annotations

import pytest

from serviceconnect.health import warnings
from serviceconnect.settings import Settings
from tests.constructs.synthesis import ROOT

ALPINE = (ROOT / "Dockerfile").read_text()
IMAGE = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/probe:1"
CURL = "curl -fsS http://127.0.0.1:8080/ready || exit 1"


@pytest.mark.parametrize(
    ("chosen", "dockerfile", "says"),
    [
        ({}, ALPINE, []),
        ({"health_check": "nc -z 127.0.0.1 8080"}, ALPINE, []),
        ({"health_check": CURL}, ALPINE, ["calls curl, and the Dockerfile installs none"]),
        ({"health_check": CURL}, "FROM python:3.13-slim\nCMD []\n", ["calls curl"]),
        ({"health_check": CURL}, ALPINE.replace("WORKDIR /srv", "RUN apk add curl"), []),
        ({"health_check": CURL}, "FROM python:3.13\nCMD []\n", []),  # Debian's with everything in it
        ({"health_check": CURL, "image_uri": IMAGE}, ALPINE, []),  # nobody here looks into it
        ({"health_check": "wget -q --spider http://localhost:8080/ready"}, ALPINE, ["asks localhost"]),
        ({"health_check": "nc -z localhost 8080", "image_uri": IMAGE}, ALPINE, ["asks localhost"]),
        ({"health_check": "curl -f localhost:8080"}, ALPINE, ["calls curl", "asks localhost"]),
    ],
)
def test_what_rolls_back_on_aws_is_warned_of(chosen: dict[str, str], dockerfile: str, says: list[str]) -> None:
    found = list(warnings(Settings(**chosen), dockerfile))  # type: ignore[arg-type]
    assert len(found) == len(says)
    for sentence, said in zip(found, says, strict=True):
        assert sentence.startswith(f"health_check = {chosen['health_check']} ")
        assert said in sentence
        assert "ECS would roll the deployment back" in sentence
