from __future__ import annotations

import pytest

from twin.gateway.access_log import envoy_format, unknown_variables


@pytest.mark.parametrize(
    ("given", "by_integration", "by_gateway"),
    [
        ("$context.httpMethod", "%REQ(:METHOD)%", "%REQ(:METHOD)%"),
        ("${context.status}x", "%RESPONSE_CODE%x", "%RESPONSE_CODE%x"),
        ("$context.integration.status", "%RESPONSE_CODE%", "-"),
        ("$context.error.message", "-", "%RESPONSE_CODE_DETAILS%"),
        ("100 % $context.nothing.of.it", "100 %% -", "100 %% -"),
        ('{"path":"$context.path"}', '{"path":"%PATH(NQ:ORIG_OR_PATH)%"}', '{"path":"%PATH(NQ:ORIG_OR_PATH)%"}'),
        ("ends with a sentence: $context.stage.", "ends with a sentence: %METADATA(ROUTE:twin:stage)%.", None),
    ],
)
def test_variables_become_operators(given: str, by_integration: str, by_gateway: str | None) -> None:
    assert envoy_format(given, answered_by_integration=True) == by_integration + "\n"
    assert envoy_format(given, answered_by_integration=False) == (by_gateway or by_integration) + "\n"


def test_unknown_variables_are_told_once() -> None:
    given = "$context.status $context.customDomain.x $context.awsEndpointRequestId $context.customDomain.x"

    assert unknown_variables(given) == ["$context.awsEndpointRequestId", "$context.customDomain.x"]
