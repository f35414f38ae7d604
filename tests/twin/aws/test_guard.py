"""No page in a browser gets into a running twin; clients of this machine do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.command import Command
from tests.twin.running import RunningTwin, TwinFactory
from twin.aws.guard import checked_origin
from twin.machine.addresses import free_port

EVIL = "https://evil.example"
FRIEND = "http://localhost:3000"
REGISTER = {
    "x-amz-target": "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition",
    "content-type": "application/x-amz-json-1.1",
}
DEFINITION = json.dumps({"family": "evil", "containerDefinitions": [{"name": "c", "image": "i"}]})


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    return start_twin("--allow-origin", FRIEND, "--proxy-drain", "0")


def curl(url: str, *options: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of what curl gets."""
    given = [word for name, value in (headers or {}).items() for word in ("--header", f"{name}: {value}")]
    done = subprocess.run(
        ["curl", "--silent", "--include", "--noproxy", "*", *given, *options, url],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    head, _, body = done.stdout.replace("\r", "").partition("\n\n")
    status, *lines = head.splitlines()
    return int(status.split()[1]), {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}, body


def families(twin: RunningTwin) -> list[str]:
    return list(twin.client("ecs").list_task_definition_families()["families"])


@pytest.mark.parametrize(
    ("path", "options", "headers"),
    [
        ("/", ("--data", DEFINITION), REGISTER),
        ("/", ("--request", "OPTIONS"), {"access-control-request-method": "POST"}),
        ("/_twin/set", ("--data", '{"assignments": ["discovery-ttl=60"]}'), {"content-type": "text/plain"}),
        ("/_twin/authorize/", ("--data", "x"), REGISTER),
        ("/_twin/authorize/../set", ("--path-as-is", "--data", '{"assignments": ["discovery-ttl=60"]}'), {}),
        ("/moto-api/reset", ("--request", "POST"), {}),
        ("/v4/0a1b", (), {}),
        ("/bucket", ("--request", "PUT"), {}),
    ],
)
@pytest.mark.parametrize(
    "page",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"host": "evil.example", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=str,
)
def test_no_request_of_a_page_does_anything(
    twin: RunningTwin, path: str, options: tuple[str, ...], headers: dict[str, str], page: dict[str, str]
) -> None:
    status, answered, body = curl(twin.aws_endpoint_url + path, *options, headers=headers | page)

    assert status == 403
    assert not any(name.startswith("access-control-") for name in answered)
    assert set(json.loads(body)) == {"message"}
    assert families(twin) == ["serviceconnect"]


def test_a_host_must_be_this_machine_with_this_port(twin: RunningTwin) -> None:
    port = twin.aws_endpoint_url.rpartition(":")[2]

    def status(host: str) -> int:
        return curl(f"{twin.aws_endpoint_url}/v4/0a1b", headers={"host": host})[0]

    others = ["evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "127.0.0.1:80", "127.0.0.1", ""]
    assert {status(host) for host in [*others, f"127.0.0.1:{port}\r\nhost: evil.example:{port}"]} == {403}
    assert {status(f"{name}:{port}") for name in ("127.0.0.1", "localhost", "[::1]")} == {404}


def test_a_refused_body_is_no_request_of_its_own(twin: RunningTwin) -> None:
    host, port = twin.aws_endpoint_url.removeprefix("http://").split(":")
    inner = f"POST /_twin/set HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-length: 2\r\n\r\n{{}}"
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(
            f"POST / HTTP/1.1\r\nhost: {host}:{port}\r\norigin: {EVIL}\r\nconnection: keep-alive\r\n"
            f"content-length: {len(inner)}\r\n\r\n{inner}".encode()
        )
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.count(b"HTTP/1.") == 1
    assert b"403" in answer.splitlines()[0]


def test_the_origin_that_the_user_has_named_may_ask(twin: RunningTwin) -> None:
    asked = {"origin": FRIEND, "access-control-request-method": "POST", "access-control-request-headers": "x-amz-date"}
    status, answered, _ = curl(twin.aws_endpoint_url, "--request", "OPTIONS", headers=asked)
    assert (status, answered["access-control-allow-origin"]) == (204, FRIEND)
    assert answered["access-control-allow-headers"] == "x-amz-date"

    status, answered, _ = curl(f"{twin.aws_endpoint_url}/v4/0a1b", headers={"origin": FRIEND})
    assert (status, answered["access-control-allow-origin"], answered["vary"]) == (404, FRIEND, "Origin")
    assert "access-control-allow-origin" not in curl(f"{twin.aws_endpoint_url}/v4/0a1b")[1]


@pytest.mark.parametrize(
    "text", ["*", "null", "localhost:3000", "http://a/b", "http://a:80", "ftp://a", "http://a:x", ""]
)
def test_what_is_no_origin_is_refused(twin_cli: Command, tmp_path: Path, text: str) -> None:
    ran = twin_cli("up", "--state", str(tmp_path), "--allow-origin", text)

    assert ran.code == 2
    assert ran.err.startswith(f"twin: --allow-origin {text} is no origin: ")


@pytest.mark.parametrize("text", ["http://localhost:3000", "https://tool.example", "http://[::1]:3000"])
def test_an_origin_is_as_browsers_send_it(text: str) -> None:
    assert checked_origin(text) == text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example"])
def test_the_gateway_answers_to_no_other_name(twin: RunningTwin, host: str) -> None:
    status, answered, body = curl(f"{twin.gateway_url}/hostname", headers={"host": host})

    assert (status, body) == (403, '{"message":"Forbidden"}')
    assert "access-control-allow-origin" not in answered


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:9000", "[::1]:9000"])
def test_the_gateway_answers_to_this_machine_at_any_forwarded_port(twin: RunningTwin, host: str) -> None:
    assert curl(f"{twin.gateway_url}/hostname", headers={"host": host})[0] == 200


@pytest.fixture(scope="module")
def evil_page() -> Iterator[Page]:
    """A page of http://evil.example, whose names all lead to this machine."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<form method=post enctype=text/plain><input name=a></form>")

        def log_message(self, *_: object) -> None:
            return

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        reason = "no Chromium on PATH: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    site = ThreadingHTTPServer(("127.0.0.1", free_port()), Site)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    names = "--host-resolver-rules=MAP *.example 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", names])
        page = browser.new_page()
        page.goto(f"http://evil.example:{site.server_port}/")
        yield page
        browser.close()
    site.shutdown()
    thread.join()
    site.server_close()


ASK = """async ([url, options]) => {
    try { const answer = await fetch(url, options); return [answer.type, answer.status, await answer.text()]; }
    catch (error) { return ["error", 0, String(error)]; }
}"""


def test_a_browser_carries_nothing_in(twin: RunningTwin, evil_page: Page) -> None:
    port = twin.aws_endpoint_url.rpartition(":")[2]
    urls = [twin.aws_endpoint_url, f"http://localhost:{port}", f"http://evil.example:{port}"]
    before = twin.events()

    for url in urls:
        for path, headers in (("/", REGISTER), ("/_twin/set", {"content-type": "text/plain"})):
            body = DEFINITION if path == "/" else '{"assignments": ["discovery-ttl=60"]}'
            for mode in ("cors", "no-cors"):
                options = {"method": "POST", "mode": mode, "headers": headers, "body": body}
                kind, status, _ = evil_page.evaluate(ASK, [url + path, options])
                assert (kind, status) in {("error", 0), ("opaque", 0)}
        evil_page.evaluate("url => document.forms[0].setAttribute('action', url)", f"{url}/_twin/set")
        with evil_page.context.expect_page() as opened:
            evil_page.evaluate("document.forms[0].target = '_blank', document.forms[0].submit()")
        answer = opened.value
        answer.wait_for_load_state()
        assert "may not ask this endpoint" in answer.content() or "is not this endpoint" in answer.content()
        answer.close()

    assert families(twin) == ["serviceconnect"]
    assert [event for event in twin.events()[len(before) :] if event["kind"] == "parameters"] == []


def test_a_browser_reads_nothing_of_the_service_under_another_name(twin: RunningTwin, evil_page: Page) -> None:
    port = twin.gateway_url.rpartition(":")[2]
    assert evil_page.context.browser is not None
    opened = evil_page.context.browser.new_page()
    opened.goto(f"http://evil.example:{port}/hostname")  # as after its name was made to lead here

    assert opened.evaluate(ASK, ["/hostname", {}]) == ["basic", 403, '{"message":"Forbidden"}']
    opened.close()
