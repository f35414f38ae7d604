"""The stack with an authorizer whose issuer is on this machine in its tests: from Terraform to a request of Locust."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.twin.front.http_api.issuer import issuer_at_work
from tests.twin.running import PROJECT, STACK, TwinFactory

ISSUER = "https://issuer.example"


def with_jwt(folder: Path) -> Path:
    """The stack's Terraform, with the routes as SC_AUTHORIZATION=JWT would have them."""
    (source,) = STACK.glob("stacks/*/cdk.tf.json")
    stack = json.loads(source.read_text())
    resources = stack["resource"]
    (api,) = resources["aws_apigatewayv2_api"]
    resources["aws_apigatewayv2_authorizer"] = {
        "jwt": {
            "api_id": f"${{aws_apigatewayv2_api.{api}.id}}",
            "authorizer_type": "JWT",
            "identity_sources": ["$request.header.Authorization"],
            "jwt_configuration": {"audience": ["shop"], "issuer": ISSUER},
            "name": "jwt",
        }
    }
    for route in resources["aws_apigatewayv2_route"].values():
        route |= {"authorization_type": "JWT", "authorizer_id": "${aws_apigatewayv2_authorizer.jwt.id}"}
    target = folder / "cdk.tf.json"
    target.write_text(json.dumps(stack))
    return target


def test_tokens_of_an_issuer_elsewhere(
    start_twin: TwinFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with issuer_at_work() as issuer:
        twin = start_twin("--jwt-issuer", issuer.url, synth=with_jwt(tmp_path))
        token = issuer.token(iss=ISSUER)
        url = f"{twin.gateway_url}/hostname"

        assert httpx.get(url, headers={"authorization": f"Bearer {token}"}).status_code == 200
        assert httpx.get(url, headers={"authorization": issuer.token()}).status_code == 401
        assert httpx.get(url).status_code == 401
        monkeypatch.setenv("LOAD_JWT", token)
        run = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("locust")), "--headless", "--users", "2", "--run-time", "2s"),
                *("--host", twin.gateway_url, "--authorization", "JWT", "--results-dir", str(tmp_path / "results")),
            ],
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )

    assert run.returncode == 0, run.stderr
