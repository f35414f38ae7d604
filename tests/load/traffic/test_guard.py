"""Who may use Locust's web UI."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from flask import Flask

from load.traffic.guard import stand_before


def status(web_host: str, host: str, **headers: str) -> int:
    """Of the answer to a page's request, to a Locust that listens on *web_host*."""
    app = Flask(__name__)
    app.add_url_rule("/swarm", view_func=lambda: "started", methods=["POST"])
    stand_before(app, web_host)
    return app.test_client().post("/swarm", headers={"Host": host, **headers}).status_code


@pytest.mark.parametrize("web_host", ["", "0.0.0.0", "127.0.0.1", "192.0.2.7"])
def test_a_page_whose_name_was_made_to_lead_here_is_refused(web_host: str) -> None:
    same = {"Origin": "http://evil.example:8089", "Sec-Fetch-Site": "same-origin"}
    assert status(web_host, "evil.example:8089", **same) == 403


@pytest.mark.parametrize(
    ("web_host", "host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:8089", 200),
        ("127.0.0.1", "localhost:8089", 200),
        ("127.0.0.1", "192.0.2.7:8089", 403),
        ("", "192.0.2.7:8089", 200),
        ("", "[2001:db8::7]:8089", 200),
        ("", "localhost:8089", 200),
        ("", f"{socket.gethostname()}:8089", 200),
        ("load.example", "load.example:8089", 200),
        ("load.example", "LOAD.example", 200),
    ],
)
def test_it_is_reached_by_addresses_and_its_own_names(web_host: str, host: str, expected: int) -> None:
    assert status(web_host, host) == expected


@pytest.mark.parametrize(("words", "expected"), [([], "127.0.0.1"), (["--web-host", "0.0.0.0"], "0.0.0.0")])
def test_it_listens_on_this_machine_unless_it_is_told_otherwise(words: list[str], expected: str) -> None:
    program = (
        "from locust.argument_parser import get_parser; from load.traffic.options import add_options; import sys; "
        "add_options(parser := get_parser()); print(parser.parse_args(sys.argv[1:]).web_host)"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    ran = subprocess.run([sys.executable, "-c", program, *words], env=env, capture_output=True, text=True, check=True)

    assert ran.stdout.split() == [expected]
