"""The AWS endpoint: one URL for every service. ECS is the twin's own; the others are moto's, with what it lacks.

What else is served here is a table that is handed in. Its own is, under /_twin/authorize, what the gateway asks.
"""

from __future__ import annotations

import hmac
import io
import json
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from moto.moto_server import werkzeug_app
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from twin.aws.api_urls import ApiUrls
from twin.aws.authentication import Authentication
from twin.aws.ecs.errors import EcsError, SerializationException
from twin.aws.guard import Guard
from twin.aws.moto import complete
from twin.aws.moto.stores import Serialized
from twin.aws.server import Server
from twin.aws.signature import AUTHORIZATION_HEADER, AUTHORIZATION_PATH, AUTHORIZATION_SECRET
from twin.credentials import Credentials
from twin.errors import BadInput, PortTaken
from twin.events import ApiChanged, BalancersChanged, DiscoveryDown, Events, report
from twin.machine.addresses import Address, is_free

__all__ = ["Endpoint"]

Json = dict[str, Any]
Handler = Callable[[str, Any], Json]
"""The answer to (operation, request), from any thread; it raises EcsError or BadInput to refuse."""

_LARGEST = 70_167_211  # bytes: the largest request of AWS's APIs but S3's, Lambda's CreateFunction with its program
_TOO_LARGE = f"The request's body is larger than {_LARGEST:,} bytes, the twin's limit: upload to S3 in parts."
_NONE: Mapping[str, Any] = {}
_CLOUD_MAP = "Route53AutoNaming_v20170314"
_JSON = "application/x-amz-json-1.1"
_API_PATHS = ("/v2/apis", "/v2/domainnames")
_OF_ELB = "/elasticloadbalancing/"  # in the scope of a signature
werkzeug_app.DISABLE_GLOBAL_CORS = True  # moto would let every page read its answers: see twin.guard


class Endpoint:
    """The HTTP server of the endpoint; its requests run in threads of its own."""

    def __init__(
        self,
        address: Address,
        *,
        account: str,
        region: str,
        api_urls: ApiUrls,
        credentials: Credentials,
        targets: Mapping[str, Handler] = _NONE,
        commands: Mapping[str, Handler] = _NONE,
        documents: Mapping[str, Callable[[str], Json]] = _NONE,
        origins: Collection[str] = (),
        events: Events | None = None,
    ) -> None:
        """
        Args:
            api_urls: where the HTTP APIs of API Gateway are served: their `ApiEndpoint`.
            credentials: with what calls are signed, the gateway's too where a route asks for it, and the token.
            targets: who does the operations of a service that is not moto's, by the prefix of `X-Amz-Target`.
            commands: who does the operations below a path, for who has the token.
            documents: who has the documents below a path, for everybody on this machine; LookupError: there is none.
            origins: of pages in a browser that may ask; no other page may.
            events: where it publishes what requests may have changed; while DiscoveryDown, DiscoverInstances fails.
        """
        self.address = address
        self._account = account
        self._region = region
        self._api_urls = api_urls
        self._events = events or Events()
        self._events.subscribe(DiscoveryDown, self._on_discovery_down)
        self._targets = targets
        self._commands = commands
        self._documents = documents
        self._token = credentials.token
        self._authentication = Authentication(credentials, account, region)
        self._discovery_is_down = False
        complete()
        moto = DomainDispatcherApplication(create_backend_app)
        # For each request moto tries the URL patterns of all services: a quarter of the time that an answer took.
        moto.get_backend_for_host = lru_cache(1_024)(moto.get_backend_for_host)
        self._moto = Serialized(moto)
        # The gateway asks with its client's Host and Origin; all that it learns is 200 or 403.
        self._guarded = Guard(self._answer, port=address.port, origins=origins, excepted=_is_of_the_gateway)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def _on_discovery_down(self, event: DiscoveryDown) -> None:
        self._discovery_is_down = event.down

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> None:
        """Listen.

        Raises:
            PortTaken: another program listens there.
        """
        taken = PortTaken(f"Port {self.address.port} is taken: end what listens there, or choose another --aws-port.")
        if not is_free(self.address):
            raise taken
        try:
            self._server = Server(self.address.host, self.address.port, self._guarded)
        except SystemExit:  # werkzeug's way to say that the port was taken in between
            raise taken from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening. Requests that are being served are left to their threads."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def _answer(self, environ: Json, start_response: Any) -> Iterable[bytes]:
        """What `_serve` answers, or the error in JSON: the server's own would be a page."""
        try:
            return self._serve(environ, start_response)
        except RequestEntityTooLarge as error:
            return _json({"message": _TOO_LARGE}, error.code)(environ, start_response)
        except HTTPException as error:  # what werkzeug cannot read of a request
            return _json({"message": error.description}, error.code or 400)(environ, start_response)
        except Exception as error:
            return self._server_exception(environ.get("PATH_INFO", ""), error)(environ, start_response)

    def _serve(self, environ: Json, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = _LARGEST
        if _is_of_the_gateway(environ):
            return self._authorize(request)(environ, start_response)
        for path, command in self._commands.items():
            if request.path.startswith(path):
                return self._serve_command(request, command, path)(environ, start_response)
        for path, document in self._documents.items():
            if request.path.startswith(path):
                return self._serve_document(request, document, path)(environ, start_response)
        if refusal := self._authentication.refusal(request):
            return refusal(environ, start_response)
        body = request.get_data()
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}  # for moto to read again
        prefix, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
        if prefix in self._targets:
            return self._serve_target(operation, request, self._targets[prefix])(environ, start_response)
        if self._discovery_is_down and (prefix, operation) == (_CLOUD_MAP, "DiscoverInstances"):
            return _json({"__type": "InternalFailure", "message": "twin fault"}, 500)(environ, start_response)
        if request.path.startswith(_API_PATHS):
            response = self._with_gateway(Response.from_app(self._moto, environ))
            if request.method != "GET":
                self._events.post(ApiChanged())
            return response(environ, start_response)
        if _OF_ELB in request.headers.get("Authorization", ""):
            response = Response.from_app(self._moto, environ)
            self._events.post(BalancersChanged())
            return response(environ, start_response)
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer

    def _serve_target(self, operation: str, request: Request, handler: Handler) -> Response:
        try:
            answer, status = handler(operation, _json_of(request)), 200
        except EcsError as error:
            answer, status = {"__type": error.code, "message": str(error)}, 400
        except Exception as error:
            return self._server_exception(operation, error)
        return _json(answer, status)

    def _serve_document(self, request: Request, document: Callable[[str], Json], path: str) -> Response:
        try:
            return _json(document(request.path.removeprefix(path)), 200)
        except LookupError:
            return _json({"message": f"{request.path} is not here"}, 404)

    def _with_gateway(self, response: Response) -> Response:
        """The answer with the `ApiEndpoint` of each HTTP API in it."""
        if response.status_code < 300 and response.get_data():  # moto does not always say that it is JSON
            answer = json.loads(response.get_data())
            for api in answer.get("items", [answer]):
                if "apiEndpoint" in api and api.get("protocolType") == "HTTP":
                    api["apiEndpoint"] = self._api_urls.url(api["apiId"])
            response.set_data(json.dumps(answer))
        return response

    def _serve_command(self, request: Request, handler: Handler, path: str) -> Response:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            text = "This needs the twin's token, which `twin` and `lab` find by its state folder: name it with --state."
            return _json({"message": text}, 403)
        try:
            return _json(handler(request.path.removeprefix(path), _json_of(request)), 200)
        except (BadInput, EcsError) as error:
            return _json({"message": str(error)}, 400)
        except Exception as error:
            return self._server_exception(request.path, error)

    def _server_exception(self, where: str, error: Exception) -> Response:
        """The answer where the twin itself has failed; its log tells how."""
        report(f"the endpoint's {where}", error)
        text = f"{type(error).__name__}: {error}"
        return _json({"__type": "ServerException", "message": f"The twin itself has failed ({text})."}, 500)

    def _authorize(self, request: Request) -> Response:
        """Whether the gateway may pass a request on: 200 if it is signed, else 403."""
        target = request.environ["REQUEST_URI"].removeprefix(AUTHORIZATION_PATH)
        signed = self._authentication.is_signed(request, target, service="execute-api", region=self._region)
        return Response(status=200 if signed else 403)


def _is_of_the_gateway(environ: Json) -> bool:
    """Whether the gateway asks here if its client's request is signed; nobody else knows the header's value."""
    given = environ.get("HTTP_" + AUTHORIZATION_HEADER.upper().replace("-", "_"), "").encode()
    ours = hmac.compare_digest(given, AUTHORIZATION_SECRET.encode())
    return ours and environ.get("PATH_INFO", "").startswith(AUTHORIZATION_PATH)


def _json_of(request: Request) -> Any:
    try:
        return json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError) as error:
        raise SerializationException(f"The request is no JSON ({error}).") from None


def _json(answer: Json, status: int) -> Response:
    headers = {"x-amzn-RequestId": str(uuid.uuid4())}
    return Response(json.dumps(answer), status=status, content_type=_JSON, headers=headers)
