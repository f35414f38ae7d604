"""The access log's format: API Gateway's variables as Envoy's command operators, pure.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html and
https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["envoy_format", "unknown_variables"]

_VARIABLE = re.compile(r"\$\{?context\.([A-Za-z][\w.-]*\w)\}?")
_NOTHING = "-"
_ALWAYS = {
    "requestTime": "%START_TIME(%d/%b/%Y:%H:%M:%S +0000)%",
    "requestTimeEpoch": "%START_TIME(%s%3f)%",
    "identity.sourceIp": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "identity.userAgent": "%REQ(USER-AGENT)%",
    "domainName": "%REQ(:AUTHORITY)%",
    "httpMethod": "%REQ(:METHOD)%",
    "path": "%PATH(NQ:PATH)%",
    "protocol": "%PROTOCOL%",
    "routeKey": "%METADATA(ROUTE:twin:route)%",
    "stage": "%METADATA(ROUTE:twin:stage)%",
    "status": "%RESPONSE_CODE%",
    "responseLength": "%BYTES_SENT%",
    "responseLatency": "%DURATION%",
    "integrationLatency": "%RESPONSE_DURATION%",
    "integration.latency": "%RESPONSE_DURATION%",
}
# As request.lua has noted them: the path before it is rewritten, and both escaped. Formats are JSON as a rule, and
# a client may send any character.
_NOTED = {
    "identity.userAgent": "%DYNAMIC_METADATA(twin.request:userAgent)%",
    "path": "%DYNAMIC_METADATA(twin.request:path)%",
}
_OF_THE_INTEGRATION = {
    "requestId": "%REQ(X-REQUEST-ID)%",
    "extendedRequestId": "%REQ(X-REQUEST-ID)%",
    "integrationStatus": "%RESPONSE_CODE%",
    "integration.status": "%RESPONSE_CODE%",
}
# What has too large headers is refused before it gets an id: the answer's is another.
_REQUEST_ID = "%CEL(response.code == 431 ? response.headers['apigw-requestid'] : request.id)%"
# The claims' script says of itself what it refuses: of all scripts Envoy says the same.
_AUTHORIZER_ERROR = (
    "%CEL(response.code_details.matches('^(jwt_authn|ext_authz)')"
    " ? response.code_details : metadata.filter_metadata['twin.claims']['error'])%"
)
_INTEGRATION_ERROR = (
    "%CEL(response.code_details.matches('^(no_healthy_upstream|cluster_not_found|upstream_|response_timeout)')"
    " ? response.code_details : '-')%"
)
_OF_THE_GATEWAY = {
    "requestId": _REQUEST_ID,
    "extendedRequestId": _REQUEST_ID,
    "authorizer.error": _AUTHORIZER_ERROR,
    "integrationErrorMessage": _INTEGRATION_ERROR,
    "integration.error": _INTEGRATION_ERROR,
}
_ERRORS = ("error.message", "error.messageString")
_CONSTANTS = ("accountId", "apiId")


def envoy_format(
    access_log_format: str,
    *,
    answered_by_integration: bool,
    noted: bool,
    constants: Mapping[str, str],
    messages: Mapping[int, str],
) -> str:
    """The line for a request, with its end: one form if the integration answered, another if the gateway did.

    So it is for a request whose path and agent request.lua has *noted*: it does so where they are not to be had later.

    Variables for which there is no value become `-`, as API Gateway has it.

    Args:
        constants: `accountId` and `apiId`; what is empty is not known.
        messages: what the gateway says in its own answers, by their status.
    """
    if answered_by_integration:
        known = _ALWAYS | _OF_THE_INTEGRATION
    else:
        errors = {"error.message": _by_status(messages), "error.messageString": _by_status(messages, '"')}
        known = _ALWAYS | _OF_THE_GATEWAY | errors
    values = {**known, **(_NOTED if noted else {}), **constants}
    text = access_log_format.replace("%", "%%")
    return _VARIABLE.sub(lambda match: values.get(match[1]) or _NOTHING, text).rstrip("\n") + "\n"


def unknown_variables(access_log_format: str) -> list[str]:
    """The variables for which the twin never has a value."""
    known = {*_ALWAYS, *_OF_THE_INTEGRATION, *_OF_THE_GATEWAY, *_ERRORS, *_CONSTANTS}
    return sorted({match[0] for match in _VARIABLE.finditer(access_log_format) if match[1] not in known})


def _by_status(messages: Mapping[int, str], quote: str = "") -> str:
    """The message that belongs to the answer's status, between *quote*s; `-` for other statuses."""
    cases = ", ".join(f"{status}: '{quote}{message}{quote}'" for status, message in messages.items())
    return f"%CEL({{{cases}}}[response.code])%"
