"""Who has signed a request to the endpoint, and the error, as the service's clients read errors, where nobody has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY
from werkzeug.wrappers import Request, Response

from twin.aws.moto.access_keys import issued_secret
from twin.aws.protocol import Protocol, error, protocol_of
from twin.aws.signature import Signature, Verdict, refused, signature_of, verify
from twin.credentials import Credentials

__all__ = ["Authentication"]

_WAY_OUT = 'run `eval "$(twin env)"` in this terminal'
_SENTENCES = {
    Verdict.NOT_SIGNED: f"The twin's endpoint takes signed requests alone (Signature Version 4): {_WAY_OUT}.",
    Verdict.UNKNOWN_KEY: "The access key {key} is not this twin's: "
    f"{_WAY_OUT}, or start the twin with --access-key test.",
    Verdict.EXPIRED: "The signature of {timestamp} is not valid at this time: sign the request anew.",
    Verdict.WRONG: f"The signature is not that of this request by the access key {{key}}: {_WAY_OUT}.",
}
# What the twin itself serves, or acts on, is in one Region: the services by the names that signatures have.
_OF_ONE_REGION = {"apigateway", "application-autoscaling", "ecs", "elasticloadbalancing", "servicediscovery"}
_ELSEWHERE = (
    "This twin serves {service} in {here}, and the request is for {there}: end it and start `twin up --empty "
    "--region {there}`, or ask for {here}."
)
# Codes of JSON protocols, of query protocols and of S3:
# https://docs.aws.amazon.com/general/latest/gr/sigv4-troubleshooting.html
_CODES = {
    Verdict.NOT_SIGNED: ("MissingAuthenticationTokenException", "MissingAuthenticationToken", "AccessDenied"),
    Verdict.UNKNOWN_KEY: ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
    Verdict.EXPIRED: ("InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
    Verdict.WRONG: ("InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"),
}


class Authentication:
    """Knows the twin's own access key, those that its IAM and STS have issued to who had it, and its Region."""

    def __init__(self, credentials: Credentials, account: str, region: str) -> None:
        self._credentials = credentials
        self._account = account
        self._region = region

    def refusal(self, request: Request) -> Response | None:
        """The error for a request that is not signed as it must be, or for another Region; None for any other."""
        given, verdict = self._verdict(request, self._secret_of)
        if verdict is Verdict.SIGNED:
            if given is None or given.service not in _OF_ONE_REGION or given.region == self._region:
                return None
            text = _ELSEWHERE.format(service=given.service, here=self._region, there=given.region)
            return error(protocol_of(request, given.service), 400, "InvalidEndpointException", text)
        details = {"key": given.key, "timestamp": given.timestamp} if given else {}
        return _error(request, given, verdict, _SENTENCES[verdict].format(**details))

    def is_signed(self, request: Request, path: str, *, service: str, region: str) -> bool:
        """Whether *request* was signed, for this scope, with the twin's own key, when it was one for *path*."""

        def secret_of(key: str) -> str | None:
            return self._credentials.secret_key if key == self._credentials.access_key else None

        given, verdict = self._verdict(request, secret_of, path)
        return verdict is Verdict.SIGNED and given is not None and (given.service, given.region) == (service, region)

    def _verdict(
        self, request: Request, secret_of: Callable[[str], str | None], path: str | None = None
    ) -> tuple[Signature | None, Verdict]:
        target = request.environ["REQUEST_URI"] if path is None else path
        url = target if target.startswith(("http://", "https://")) else f"http://{request.host}{target}"
        headers = {name.lower(): value for name, value in request.headers.items()}
        # WSGI knows no underscore in a name; S3's metadata have them, and moto has noted the names.
        noted = request.environ.get(PRESERVED_HEADER_NAMES_ENVIRON_KEY, {})
        headers |= {name.lower(): request.environ[key] for key, name in noted.items()}
        given = signature_of(url, headers)
        # Nothing is read of a request whose head says that it is not signed as it must be.
        if verdict := refused(given, headers, secret_of=secret_of, now=datetime.now(UTC)):
            return given, verdict
        if given is None or (secret := secret_of(given.key)) is None:
            return given, Verdict.UNKNOWN_KEY  # taken back in between
        return given, verify(given, secret, request.method, url, headers, request.get_data())

    def _secret_of(self, key: str) -> str | None:
        if key == self._credentials.access_key:
            return self._credentials.secret_key
        return issued_secret(self._account, key)


def _error(request: Request, given: Signature | None, verdict: Verdict, message: str) -> Response:
    of_json, of_query, of_s3 = _CODES[verdict]
    match protocol := protocol_of(request, given.service if given else ""):
        case Protocol.CBOR | Protocol.JSON:
            return error(protocol, 400, of_json, message)
        case Protocol.EC2:
            return error(protocol, 401, {Verdict.UNKNOWN_KEY: "AuthFailure"}.get(verdict, of_query), message)
        case Protocol.S3:
            return error(protocol, 403, of_s3, message)
        case Protocol.QUERY:
            return error(protocol, 403, of_query, message)
    return error(protocol, 403, of_json, message)
