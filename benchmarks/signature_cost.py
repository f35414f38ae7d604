"""What checking signatures costs the endpoint: requests per second with the check and without, in alternation.

    python benchmarks/signature_cost.py [--rounds 40]

One endpoint in this process, one client on loopback that sends the same signed DiscoverInstances again and again, so
that signing is in neither side. The check is taken out and put back for each block of requests; both sides have the
same process and the same neighbours on the machine. The ratio of each pair of blocks is one measurement, by the clock
and by the process's CPU time, which neighbours disturb less; their medians and quartiles are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys

sys.path.insert(0, str(Path(__file__).parents[1]))

from twin.aws.authentication import Authentication
from twin.aws.endpoint import Endpoint
from twin.aws.moto.registry import Registry
from twin.credentials import Credentials
from twin.machine.addresses import Address, free_port

ACCOUNT, REGION = "123456789012", "eu-west-2"
BLOCK = 25  # requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    credentials = Credentials.new()
    address = Address("127.0.0.1", free_port())
    endpoint = Endpoint(
        address,
        account=ACCOUNT,
        region=REGION,
        gateway_url="http://127.0.0.1",
        credentials=credentials,
    )
    registry = Registry(ACCOUNT, REGION)
    service, _ = registry.create_service(registry.create_namespace("shop"), "shop")
    for number in range(3):
        registry.register(service, f"task-{number}", Address(f"127.0.0.{number + 2}", 8080), {})
    endpoint.start()
    body = json.dumps({"NamespaceName": "shop", "ServiceName": "shop"}).encode()
    target = {
        "X-Amz-Target": "Route53AutoNaming_v20170314.DiscoverInstances",
        "Content-Type": "application/x-amz-json-1.1",
    }
    request = AWSRequest("POST", endpoint.url + "/", target, body)
    SigV4Auth(Keys(credentials.access_key, credentials.secret_key), "servicediscovery", REGION).add_auth(request)
    headers = dict(request.headers.items())
    check = Authentication.refusal

    def block(checked: bool) -> tuple[float, float]:
        """Seconds for a block of requests, by the clock and of CPU time, the client's included."""
        Authentication.refusal = check if checked else lambda self, request: None  # type: ignore[method-assign]
        connection = HTTPConnection(address.host, address.port)
        started, used = time.perf_counter(), time.process_time()
        for _ in range(BLOCK):
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            assert len(json.loads(answer.read())["Instances"]) == 3
        connection.close()
        return time.perf_counter() - started, time.process_time() - used

    block(True), block(False)
    pairs = []
    for number in range(rounds):
        order = (True, False) if number % 2 else (False, True)
        taken = {checked: block(checked) for checked in order}
        pairs.append((taken[True], taken[False]))
    endpoint.stop()
    print(f"{rounds} pairs of {BLOCK} requests")
    for name, index in {"by the clock": 0, "CPU time": 1}.items():
        sides = [(with_[index], without[index]) for with_, without in pairs]
        low, middle, high = statistics.quantiles((without / with_ for with_, without in sides), n=4)
        with_, without = (statistics.median(side) / BLOCK * 1000 for side in zip(*sides, strict=True))
        print(
            f"{name}: {with_:.2f} ms a request with the check, {without:.2f} ms without; "
            f"requests per second with it, of those without: {middle:.2f} (quartiles {low:.2f} to {high:.2f})"
        )


if __name__ == "__main__":
    main()
