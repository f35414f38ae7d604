"""Load on the service, counted by the host that answered: `locust -H <gateway_url>`. Wiring only: see load/."""

from load.groups import track
from load.traffic import listener
from load.traffic.answers import zone
from load.traffic.user import HostnameUser

__all__ = ["HostnameUser"]

# By name, so that `--group-by` can count by another: load.traffic.answers:pair, for one.
track("load.traffic.answers:hostname", noun="hostname", detail=("availability zone", zone))
listener.register()
