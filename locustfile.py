"""Load on the service, counted per hostname: `locust -H <gateway_url>`. Wiring only; load/ has users and counts."""

from locust import events

from load.traffic import listener
from load.traffic.user import HostnameUser

__all__ = ["HostnameUser"]

listener.register(events)
