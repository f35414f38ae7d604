"""Prices and scenarios that the tests of the cost model share."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lab.costs.prices import PriceBook, load_prices
from lab.costs.scenario import Scenario

PRICE_LIST = Path(__file__).with_name("price_list")


@pytest.fixture(scope="session")
def prices() -> PriceBook:
    return load_prices("eu-west-2")


@pytest.fixture(scope="session")
def exposure_only() -> Scenario:
    """Requests and load balancer and nothing else: network, zones and logs left out."""
    return Scenario(
        network="none",
        cross_az_share=Decimal(0),
        gateway_log_bytes=Decimal(0),
        images_kept=0,
        response_bytes=Decimal(1024),
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def running(server: ThreadingHTTPServer) -> Iterator[str]:
    """The address of *server* while it serves."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})  # which its end waits for
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def price_list_url() -> Iterator[str]:
    """The recorded offer files over HTTP."""
    yield from running(ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=PRICE_LIST)))
