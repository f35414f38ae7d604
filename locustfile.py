"""Load on the service: `locust -H <gateway_url>`. Users and wiring only; load/ has the rest."""

# Locust patches the standard library with gevent when it is imported: first.
from locust import FastHttpUser, events, task

from load.listener import register

register(events)


class HostnameUser(FastHttpUser):
    """Asks for /hostname, again as soon as it is answered, on a connection of its own."""

    # API Gateway gives an integration 30 s; whoever waits longer waits for nothing.
    network_timeout = 35.0
    connection_timeout = 10.0
    # Locust's default is to accept any certificate.
    insecure = False

    @task
    def hostname(self) -> None:
        """One request."""
        self.client.get("/hostname")
