"""Load balancers as somebody else's stack has them: rules, redirects, fixed responses, several listeners, TCP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.twin.front.http_api.conftest import listing
from tests.twin.running import RunningTwin, TwinFactory, wait_until

ECHO = Path(__file__).parents[1] / "http_api" / "echo.py"


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory, any_service: Path) -> RunningTwin:
    command = f"{sys.executable} {ECHO} {{host}} {{port}}"
    return start_twin("--command", command, "--proxy-drain", "0", "--discovery-ttl", "0", synth=any_service)


class Balancer:
    """A load balancer of the test's own, before the stack's target group."""

    def __init__(self, twin: RunningTwin, name: str, kind: str = "application") -> None:
        self.elb = twin.client("elbv2")
        groups = {g["TargetGroupName"]: g["TargetGroupArn"] for g in self.elb.describe_target_groups()["TargetGroups"]}
        (self.group,) = (arn for name, arn in groups.items() if name != "empty")
        subnets = [subnet["SubnetId"] for subnet in twin.client("ec2").describe_subnets()["Subnets"]]
        made = self.elb.create_load_balancer(Name=name, Subnets=subnets[:2], Type=kind)["LoadBalancers"][0]
        self.arn, self.dns_name = made["LoadBalancerArn"], made["DNSName"]
        self.rules = 0

    def port(self, listener: int) -> int:
        """Where a listener is: without the right to have port 80 the twin has each below 1024 at 8000 more."""
        return listener + 8000 if ":" in self.dns_name else listener

    @property
    def forward(self) -> Any:
        return {"Type": "forward", "TargetGroupArn": self.group}

    def listen(self, port: int, action: Any, protocol: str = "HTTP", **more: Any) -> str:
        made = self.elb.create_listener(
            LoadBalancerArn=self.arn, Port=port, Protocol=protocol, DefaultActions=[action], **more
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def rule(self, listener: str, action: Any, *conditions: Any, priority: int | None = None) -> None:
        self.rules += 1
        self.elb.create_rule(
            ListenerArn=listener, Priority=priority or self.rules, Conditions=list(conditions), Actions=[action]
        )


def fixed(body: str, status: str = "200", kind: str = "text/plain") -> Any:
    answer = {"StatusCode": status, "ContentType": kind, "MessageBody": body}
    return {"Type": "fixed-response", "FixedResponseConfig": answer}


def condition(field: str, *values: Any, **more: Any) -> Any:
    member = "".join(word.title() for word in field.split("-")) + "Config"
    return {"Field": field, member: {"Values": list(values), **more}}


Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def rules(twin: RunningTwin) -> Iterator[Ask]:
    """Asks a load balancer whose rules each answer with their own name; its default forwards."""
    balancer = Balancer(twin, "rules")
    listener = balancer.listen(80, balancer.forward)
    for name, conditions in {
        "both": [condition("path-pattern", "/both/*"), condition("http-request-method", "POST")],
        "path": [condition("path-pattern", "/both/*", "/img/?.png")],
        "host": [condition("host-header", "*.example.com")],
        "header": [condition("http-header", "*Chrome*", HttpHeaderName="User-Agent")],
        "query": [condition("query-string", {"Key": "version", "Value": "v1"}, {"Value": "*beta*"})],
        "here": [condition("source-ip", "127.0.0.0/8"), condition("path-pattern", "/source")],
    }.items():
        balancer.rule(listener, fixed(name), *conditions)
    balancer.rule(listener, fixed("elsewhere"), condition("source-ip", "203.0.113.0/24"))
    balancer.rule(listener, fixed("too late"), condition("path-pattern", "/img/a.png"), priority=50_000)
    with httpx.Client(base_url=f"http://{balancer.dns_name}") as client:

        def serves() -> bool:
            try:
                return client.get("/source").text == "here" and client.get("/").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(serves, "the rules are served at dns_name")
        yield lambda method, path, **headers: client.request(
            method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )


@pytest.mark.parametrize(
    ("method", "path", "headers", "answer"),
    [
        ("POST", "/both/a", {}, "both"),
        ("GET", "/both/a", {}, "path"),
        ("GET", "/img/a.png?x=1", {}, "path"),  # and not the rule of a later priority
        ("GET", "/", {"host": "shop.example.com"}, "host"),
        ("GET", "/", {"host": "SHOP.example.com:8080"}, "host"),
        ("GET", "/", {"user_agent": "Mozilla chrome 1"}, "header"),
        ("GET", "/?a=b&version=v1", {}, "query"),
        ("GET", "/?any=x-beta-y", {}, "query"),
        ("GET", "/source", {}, "here"),
    ],
)
def test_the_first_rule_that_matches_answers(
    rules: Ask, method: str, path: str, headers: dict[str, str], answer: str
) -> None:
    got = rules(method, path, **headers)

    assert (got.status_code, got.text, got.headers["server"]) == (200, answer, "awselb/2.0")
    assert got.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("path", ["/img/aa.png", "/?version=v2", "/BOTH/a", "/?x=/both/a"])
def test_what_no_rule_matches_goes_to_the_default(rules: Ask, path: str) -> None:
    assert rules("GET", path).json()["path"] == path


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ({"StatusCode": "HTTP_301", "Protocol": "HTTPS", "Port": "443"}, "https://shop.test:443/a/b?c=1"),
        ({"StatusCode": "HTTP_302", "Path": "/new/#{path}", "Query": ""}, "http://shop.test:{port}/new/a/b"),
        (
            {"StatusCode": "HTTP_302", "Host": "www.#{host}", "Query": "#{query}&from=#{port}"},
            "http://www.shop.test:80/a/b?c=1&from=80",
        ),
        ({"StatusCode": "HTTP_302", "Host": "else.test", "Port": "8443", "Path": "/"}, "http://else.test:8443/?c=1"),
    ],
)
def test_a_redirect(twin: RunningTwin, to: dict[str, str], location: str) -> None:
    balancer = Balancer(twin, "redirect")
    balancer.listen(80, {"Type": "redirect", "RedirectConfig": to})
    answer = wait_until(lambda: asked(balancer.dns_name, "/a/b?c=1", host="shop.test"), "it redirects")

    where = location.format(port=balancer.port(80))
    assert (answer.status_code, answer.headers["location"]) == (int(to["StatusCode"][-3:]), where)
    assert answer.headers["server"] == "awselb/2.0"
    assert f"<h1>{answer.status_code} " in answer.text
    balancer.elb.delete_load_balancer(LoadBalancerArn=balancer.arn)


def asked(where: str, path: str, **headers: str) -> httpx.Response | None:
    """The answer; None where nobody listens yet."""
    try:
        return httpx.get(f"http://{where}{path}", headers=headers, follow_redirects=False)
    except httpx.TransportError:
        return None


def test_weights(twin: RunningTwin) -> None:
    """Of two groups with the weights 3 and 1 the second has no target: the load balancer answers for it."""
    balancer = Balancer(twin, "weights")
    vpc = twin.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = balancer.elb.create_target_group(Name="empty", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    empty = made["TargetGroups"][0]["TargetGroupArn"]
    groups = [{"TargetGroupArn": balancer.group, "Weight": 3}, {"TargetGroupArn": empty, "Weight": 1}]
    balancer.listen(80, {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}})

    def counted() -> Counter[int] | None:
        answers = [asked(balancer.dns_name, "/") for _ in range(200)]
        counts = Counter(answer.status_code for answer in answers if answer)
        return counts if counts[200] and counts.total() == 200 else None

    counts = wait_until(counted, "both groups are served")
    assert counts.keys() == {200, 503}
    # Binomial, 200 times 0.75: outside of this in one run of a million.
    assert 118 < counts[200] < 178


def test_another_listener_has_its_own_port_at_the_same_host(twin: RunningTwin) -> None:
    balancer = Balancer(twin, "ports")
    balancer.listen(3000, fixed("three thousand"))
    host = balancer.dns_name.partition(":")[0]

    answer = wait_until(lambda: asked(f"{host}:3000", "/"), "its port is served")
    assert answer.text == "three thousand"
    assert f"http://{host}:3000" in listing(twin)


def test_a_listener_of_https_has_its_certificate_and_the_redirect_leads_there(twin: RunningTwin) -> None:
    balancer = Balancer(twin, "https")
    certificate = twin.client("acm").request_certificate(DomainName="shop.example")["CertificateArn"]
    balancer.listen(443, balancer.forward, "HTTPS", Certificates=[{"CertificateArn": certificate}])
    to = {"StatusCode": "HTTP_301", "Protocol": "HTTPS", "Port": "443"}
    balancer.listen(80, {"Type": "redirect", "RedirectConfig": to})
    command = ["curl", "-ksSL", "-w", "%{stderr}%{http_version} %{url_effective}", f"http://{balancer.dns_name}/a?b=c"]

    def followed() -> subprocess.CompletedProcess[str] | None:
        done = subprocess.run(command, capture_output=True, text=True)
        return done if done.returncode == 0 else None

    done = wait_until(followed, "it is redirected and answered")
    host = balancer.dns_name.partition(":")[0]
    assert done.stderr == f"2 https://{host}:{balancer.port(443)}/a?b=c"
    seen = json.loads(done.stdout)
    assert seen["path"] == "/a?b=c"
    assert (seen["headers"]["x-forwarded-proto"], seen["headers"]["x-forwarded-port"]) == ("https", "443")
    url = f"https://{host}:{balancer.port(443)}".removesuffix(":443")
    assert f"{url}  load balancer https, listener 443" in listing(twin)


@pytest.mark.parametrize("kind", ["application", "network"])
def test_a_name_is_one_load_balancer(twin: RunningTwin, kind: str) -> None:
    """Two would have one listener of a name, which Envoy refuses, and with it what comes after."""
    name = f"once-{kind}"
    first, again = Balancer(twin, name, kind), Balancer(twin, name, kind)

    assert (again.arn, again.dns_name) == (first.arn, first.dns_name)
    zones = first.elb.describe_load_balancers(Names=[name])["LoadBalancers"][0]["AvailabilityZones"]
    with pytest.raises(first.elb.exceptions.DuplicateLoadBalancerNameException):
        first.elb.create_load_balancer(Name=name, Subnets=[zones[0]["SubnetId"]], Type=kind)
    assert len(first.elb.describe_load_balancers(Names=[name])["LoadBalancers"]) == 1


def test_a_network_load_balancer_passes_connections_on(twin: RunningTwin) -> None:
    balancer = Balancer(twin, "net", "network")
    balancer.listen(9000, balancer.forward, "TCP")
    host = balancer.dns_name.partition(":")[0]

    answer = wait_until(lambda: asked(f"{host}:9000", "/through?a=1", host="any.test"), "it is served")
    assert answer.json()["path"] == "/through?a=1"
    headers = {name.lower(): value for name, value in answer.json()["headers"].items()}
    assert headers["host"] == "any.test"
    assert "x-forwarded-port" not in headers  # nobody has looked into it
    assert f"tcp://{host}:9000" in listing(twin)
    assert ":loadbalancer/net/net/" in balancer.arn


def test_what_is_not_done_is_listed(twin: RunningTwin) -> None:
    balancer = Balancer(twin, "gaps")
    listener = balancer.listen(80, fixed(""))
    oidc = {"AuthorizationEndpoint": "https://a", "TokenEndpoint": "https://a", "UserInfoEndpoint": "https://a"}
    config = {"Issuer": "https://a", **oidc, "ClientId": "c", "ClientSecret": "s"}
    balancer.elb.create_rule(
        ListenerArn=listener,
        Priority=7,
        Conditions=[condition("path-pattern", "/private"), condition("source-ip", "10.0.0.0/8")],
        Actions=[
            {"Type": "authenticate-oidc", "AuthenticateOidcConfig": config, "Order": 1},
            {**balancer.forward, "Order": 2},
        ],
    )

    told = wait_until(lambda: "authenticate-oidc" in listing(twin) and listing(twin), "the gaps are listed")
    assert "listener gaps:80, rule 7, authenticate-oidc: nobody is asked who they are" in told
    assert "listener gaps:80, rule 7, condition source-ip: every client on this machine is 127.0.0.1" in told
