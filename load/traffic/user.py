"""The users of this project's load: each asks for the paths of --path-mix, in a closed or an open loop."""

import math
import random
import time
from functools import partial

import gevent
from gevent import GreenletExit
from gevent.pool import Pool
from locust import FastHttpUser, task
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment
from locust.event import EventHook

from load.groups.plugin import request_unfinished
from load.rate import Lateness
from load.traffic.arrivals import Arrivals, PathMix
from load.traffic.connections import NotSent, Sending, client_pool
from load.traffic.settings import CLOSE, LoadSettings
from load.traffic.signing import authorizer

__all__ = ["HostnameUser", "requests_behind"]

requests_behind = EventHook()
"""Fired with `environment` by a user whose requests have been sent late for a while, and again if that goes on."""

_LOOKS = 1.0  # seconds after which a user that waits for its next request sees whether others came or went


class HostnameUser(FastHttpUser):
    """Asks for the paths of --path-mix: each as soon as the last is answered or, with --rate, when it is due."""

    # API Gateway gives an integration 30 s; whoever waits longer waits for nothing.
    network_timeout = 35.0
    connection_timeout = 10.0
    # Locust's default is to accept any certificate.
    insecure = False
    # An open loop needs room for what is not answered yet; beyond it, requests wait, and the wait is measured.
    concurrency = 256

    def __init__(self, environment: Environment) -> None:
        self.settings = settings = LoadSettings.from_options(environment.parsed_options)
        self.client_pool = client_pool(
            settings.connections,
            self.concurrency,
            network_timeout=self.network_timeout,
            connection_timeout=self.connection_timeout,
            insecure=self.insecure,
        )
        super().__init__(environment)
        self.authorize = authorizer(settings.authorization, settings.region)
        self.connection = {"Connection": "close"} if settings.connections.kind == CLOSE else {}
        self.stopping = False
        self.paths = PathMix(settings.paths, random.Random())

    def on_start(self) -> None:
        """Start the clock of an open loop."""
        if self.settings.rate:
            self.arrivals = Arrivals(self.interval(self.settings.rate), time.perf_counter(), random.Random())
            self.in_flight = Pool(self.concurrency, greenlet_class=Sending)
            self.lateness = Lateness()

    def stop(self, force: bool = False) -> bool:
        """Send no more requests; Locust calls it when the load ends. Those under way have the time of --stop-timeout.

        In a closed loop Locust waits for the request by itself. In an open one this greenlet only waits for requests
        to be due, so it ends. Locust's way would send those that are still due.
        """
        if self.stopping and not force:
            return False
        self.stopping = True
        if not self.settings.rate:
            return bool(super().stop(force))
        if self.settings.connections.size:  # else they would be sent after the load, as connections become free
            gevent.killall([request for request in self.in_flight if request.waits], block=False)
        self.group.killone(self.greenlet)  # which waits for those under way
        return True

    def on_stop(self) -> None:
        """End what is in flight, after the time that --stop-timeout gives."""
        if self.settings.rate:
            try:
                self.in_flight.join(self.environment.stop_timeout)
            finally:
                self.in_flight.kill()

    @task
    def request(self) -> None:
        """One request; in an open loop, one that is due."""
        path = self.paths.choose()
        if not self.settings.rate:
            self.get(path)
            return
        wait = math.inf
        while wait > _LOOKS:
            now = time.perf_counter()
            self.arrivals.pace(self.interval(self.settings.rate), now)
            wait = self.arrivals.due - now
            gevent.sleep(min(max(0.0, wait), _LOOKS))
        due = self.arrivals.next()
        while not self.in_flight.wait_available(_LOOKS):
            self.look(due)
        self.in_flight.spawn(self.request_due, path, due).sent = partial(self.look, due)

    def look(self, due: float) -> None:
        """See whether requests are sent late."""
        if self.lateness.is_behind(due, time.perf_counter()):
            requests_behind.fire(environment=self.environment)

    def interval(self, rate: float) -> float:
        """Seconds between two requests of this user, as one of those that there are."""
        users: int = self.environment.parsed_options.users_of_rate
        return users / rate

    def request_due(self, path: str, due: float) -> None:
        """A request of an open loop: its time counts from when it was due, not from when it could be sent.

        Else a service that stalls would hide the requests that it kept from being sent (coordinated omission).
        """
        if self.stopping and self.settings.connections.size:  # it had not begun as the load ended: as in `stop`
            raise NotSent
        late = time.perf_counter() - due
        with self.get(path, catch_response=True) as response:
            response.request_meta["response_time"] += late * 1000

    def get(self, path: str, catch_response: bool = False) -> ResponseContextManager:
        """Send a request; it is answered, fails, or is counted as unfinished where the load ends first."""
        try:
            return self.client.get(path, headers=self.headers(path), catch_response=catch_response)
        except NotSent:
            raise
        except GreenletExit:
            request_unfinished.fire(environment=self.environment)
            raise

    def headers(self, path: str) -> dict[str, str]:
        """The request's own headers."""
        if self.authorize is None:
            return self.connection
        return {**self.connection, **self.authorize("GET", f"{self.host}{path}")}
