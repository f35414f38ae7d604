"""The access log's format: API Gateway's variables as Envoy's command operators, pure.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html and
https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

from __future__ import annotations

import re

__all__ = ["envoy_format", "unknown_variables"]

_VARIABLE = re.compile(r"\$\{?context\.([A-Za-z][\w.-]*\w)\}?")
_NOTHING = "-"
_ALWAYS = {
    "requestId": "%REQ(X-REQUEST-ID)%",
    "extendedRequestId": "%REQ(X-REQUEST-ID)%",
    "requestTime": "%START_TIME(%d/%b/%Y:%H:%M:%S +0000)%",
    "requestTimeEpoch": "%START_TIME(%s%3f)%",
    "identity.sourceIp": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "identity.userAgent": "%REQ(USER-AGENT)%",
    "domainName": "%REQ(:AUTHORITY)%",
    "httpMethod": "%REQ(:METHOD)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "protocol": "%PROTOCOL%",
    "routeKey": "%METADATA(ROUTE:twin:route)%",
    "stage": "%METADATA(ROUTE:twin:stage)%",
    "status": "%RESPONSE_CODE%",
    "responseLength": "%BYTES_SENT%",
    "responseLatency": "%DURATION%",
    "integrationLatency": "%RESPONSE_DURATION%",
    "integration.latency": "%RESPONSE_DURATION%",
}
_OF_THE_INTEGRATION = {
    "integrationStatus": "%RESPONSE_CODE%",
    "integration.status": "%RESPONSE_CODE%",
}
_OF_THE_GATEWAY = {
    "error.message": "%RESPONSE_CODE_DETAILS%",
    "error.messageString": '"%RESPONSE_CODE_DETAILS%"',
    "authorizer.error": "%RESPONSE_CODE_DETAILS%",
    "integrationErrorMessage": "%RESPONSE_CODE_DETAILS%",
    "integration.error": "%RESPONSE_CODE_DETAILS%",
}


def envoy_format(access_log_format: str, *, answered_by_integration: bool) -> str:
    """The line for a request, with its end: one form if the integration answered, another if the gateway did.

    Variables for which there is no value become `-`, as API Gateway has it.
    """
    known = _ALWAYS | (_OF_THE_INTEGRATION if answered_by_integration else _OF_THE_GATEWAY)
    text = access_log_format.replace("%", "%%")
    return _VARIABLE.sub(lambda match: known.get(match[1], _NOTHING), text).rstrip("\n") + "\n"


def unknown_variables(access_log_format: str) -> list[str]:
    """The variables for which the twin never has a value."""
    known = _ALWAYS | _OF_THE_INTEGRATION | _OF_THE_GATEWAY
    return sorted({match[0] for match in _VARIABLE.finditer(access_log_format) if match[1] not in known})
