from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from twin.front.http_api.access_log import envoy_format, unknown_variables

GIVEN: Any = {"constants": {"apiId": "a1b2", "accountId": ""}, "messages": {404: "Not Found", 429: "Too Many"}}


@pytest.mark.parametrize(
    ("given", "by_integration", "by_gateway"),
    [
        ("$context.httpMethod", "%REQ(:METHOD)%", "%REQ(:METHOD)%"),
        ("${context.status}x", "%RESPONSE_CODE%x", "%RESPONSE_CODE%x"),
        ("$context.integration.status", "%RESPONSE_CODE%", "-"),
        ("$context.error.message", "-", "%CEL({404: 'Not Found', 429: 'Too Many'}[response.code])%"),
        ("$context.error.messageString", "-", """%CEL({404: '"Not Found"', 429: '"Too Many"'}[response.code])%"""),
        ("$context.apiId $context.accountId", "a1b2 -", "a1b2 -"),
        ("100 % $context.nothing.of.it", "100 %% -", "100 %% -"),
        ('{"path":"$context.path"}', '{"path":"%PATH(NQ:PATH)%"}', None),
        ("ends with a sentence: $context.stage.", "ends with a sentence: %METADATA(ROUTE:twin:stage)%.", None),
    ],
)
def test_variables_become_operators(given: str, by_integration: str, by_gateway: str | None) -> None:
    format_ = partial(envoy_format, given, noted=False, **GIVEN)
    assert format_(answered_by_integration=True) == by_integration + "\n"
    assert format_(answered_by_integration=False) == (by_gateway or by_integration) + "\n"


def test_what_is_noted_of_a_request_is_read_there() -> None:
    line = envoy_format("$context.path $context.httpMethod", answered_by_integration=True, noted=True, **GIVEN)

    assert line == "%DYNAMIC_METADATA(twin.request:path)% %REQ(:METHOD)%\n"


def test_unknown_variables_are_told_once() -> None:
    given = "$context.status $context.customDomain.x $context.awsEndpointRequestId $context.customDomain.x"

    assert unknown_variables(given) == ["$context.awsEndpointRequestId", "$context.customDomain.x"]
