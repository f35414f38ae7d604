"""What a deployment checks of the account, against a stand-in for EC2 and STS that answers as AWS does."""

from __future__ import annotations

import os
import runpy
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.command import Ran
from tests.constructs.stand_ins import StandIns
from tests.twin.running import PROJECT

Answers = dict[str, str]  # the call -> the answer's body
EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/deployer</Arn><UserId>AIDA</UserId><Account>123456789012</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""


def zones(region: str, ids: Mapping[str, str]) -> str:
    """EC2's answer to DescribeAvailabilityZones: the zone's id by its letter."""
    items = "".join(
        f"<item><optInStatus>opt-in-not-required</optInStatus><zoneName>{region}{letter}</zoneName>"
        f"<zoneId>{zone_id}</zoneId><zoneState>available</zoneState><regionName>{region}</regionName>"
        "<zoneType>availability-zone</zoneType></item>"
        for letter, zone_id in ids.items()
    )
    return (
        f'<DescribeAvailabilityZonesResponse xmlns="{EC2}"><requestId>1</requestId>'
        f"<availabilityZoneInfo>{items}</availabilityZoneInfo></DescribeAvailabilityZonesResponse>"
    )


@pytest.fixture
def account() -> Iterator[Callable[[Answers], str]]:
    """Starts an endpoint that gives these answers, and STS's; its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(answers: Answers) -> str:
        known = {"GetCallerIdentity": IDENTITY, **answers}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                body = known.get(form["Action"][0])
                refusal = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized."
                text = body or f"{refusal}</Message></Error></Errors><RequestID>1</RequestID></Response>"
                self.send_response(200 if body and "<Error>" not in body else 403)
                self.send_header("content-type", "text/xml")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def preflight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Runs the check for an action on an endpoint, with a Terraform that is good enough, in this process.

    As a command it is what tests/constructs/test_tools.py tests.
    """
    tools = StandIns(tmp_path / "bin")
    tools.add("terraform", """echo '{"terraform_version": "1.11.4"}'""")
    check = runpy.run_path(str(PROJECT / "tools/preflight.py"))["main"]

    def run(action: str, endpoint: str, **settings: str) -> Ran:
        with monkeypatch.context() as patched:
            for name in [name for name in os.environ if name.startswith(("AWS_", "SC_"))]:
                patched.delenv(name)
            given = {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL": endpoint,
                "HOME": str(tmp_path),
                "PATH": str(tools.folder),
            }
            for name, value in (given | settings).items():
                patched.setenv(name, value)
            patched.setattr(boto3, "DEFAULT_SESSION", None)  # of another environment
            patched.setattr(sys, "argv", ["preflight.py", action])
            code = check()
        written = capsys.readouterr()
        return Ran(code, written.out, written.err)

    return run


Account = Callable[[Answers], str]
Preflight = Callable[..., Ran]

TOKYO = {"a": "apne1-az4", "c": "apne1-az1", "d": "apne1-az2"}
LONDON = {"a": "euw2-az2", "b": "euw2-az3", "c": "euw2-az1"}
# One of the accounts whose first letter is the zone that VPC links do not reach.
VIRGINIA = {"a": "use1-az3", "b": "use1-az1", "c": "use1-az2", "d": "use1-az4", "e": "use1-az6", "f": "use1-az5"}
# The two of three that this account has.
CALIFORNIA = {"b": "usw1-az3", "c": "usw1-az1"}


@pytest.mark.parametrize(
    ("region", "ids", "settings"),
    [
        ("eu-west-2", LONDON, {}),
        ("ap-northeast-1", TOKYO, {}),
        ("ap-northeast-1", TOKYO, {"SC_AZ_COUNT": "3"}),
        ("us-east-1", VIRGINIA, {"SC_AVAILABILITY_ZONES": "us-east-1b,us-east-1c"}),
        # AWS's table of VPC links does not have this Region.
        ("il-central-1", {"a": "ilc1-az1", "b": "ilc1-az2", "c": "ilc1-az3"}, {}),
    ],
)
@pytest.mark.parametrize("action", ["deploy", "diff"])
def test_zones_that_are_there(
    account: Account, preflight: Preflight, action: str, region: str, ids: dict[str, str], settings: dict[str, str]
) -> None:
    endpoint = account({"DescribeAvailabilityZones": zones(region, ids)})
    done = preflight(action, endpoint, SC_REGION=region, **settings)
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    ("region", "ids", "settings", "said"),
    [
        (
            "us-east-1",
            VIRGINIA,
            {},
            "VPC links do not reach us-east-1a (use1-az3): set SC_AVAILABILITY_ZONES=us-east-1b,us-east-1c,",
        ),
        (
            "us-west-1",
            CALIFORNIA,
            {},
            "us-west-1a is not in this account's us-west-1: set SC_AVAILABILITY_ZONES=us-west-1b,us-west-1c,",
        ),
        (
            "ap-northeast-1",
            TOKYO,
            {"SC_AVAILABILITY_ZONES": "ap-northeast-1b,ap-northeast-1d"},
            "ap-northeast-1b is not in this account's ap-northeast-1: set"
            " SC_AVAILABILITY_ZONES=ap-northeast-1a,ap-northeast-1d,",
        ),
        (
            "eu-west-3",
            {"a": "euw3-az1", "b": "euw3-az2", "c": "euw3-az3"},
            {"SC_AZ_COUNT": "3"},
            "VPC links do not reach eu-west-3b (euw3-az2): set"
            " SC_AVAILABILITY_ZONES=eu-west-3a,eu-west-3c SC_AZ_COUNT=2,",
        ),
    ],
)
def test_zones_that_are_not_there_or_have_no_vpc_links(
    account: Account, preflight: Preflight, region: str, ids: dict[str, str], settings: dict[str, str], said: str
) -> None:
    endpoint = account({"DescribeAvailabilityZones": zones(region, ids)})
    done = preflight("diff", endpoint, SC_REGION=region, **settings)
    assert done.code == 3
    assert said in done.err

    # What it says is accepted.
    proposed = dict(word.split("=") for word in done.err.replace(", or", "").split() if word.startswith("SC_"))
    again = preflight("diff", endpoint, SC_REGION=region, **{**settings, **proposed})
    assert (again.code, again.err) == (0, "")


def test_subnets_of_an_existing_vpc_where_vpc_links_are_not(account: Account, preflight: Preflight) -> None:
    subnets = "".join(
        f"<item><subnetId>subnet-{number}</subnetId><availabilityZoneId>{zone}</availabilityZoneId></item>"
        for number, zone in enumerate(("use1-az1", "use1-az3"))
    )
    answer = f'<DescribeSubnetsResponse xmlns="{EC2}"><subnetSet>{subnets}</subnetSet></DescribeSubnetsResponse>'
    endpoint = account({"DescribeAvailabilityZones": zones("us-east-1", VIRGINIA), "DescribeSubnets": answer})
    existing = {"SC_VPC_ID": "vpc-0", "SC_SUBNET_IDS": "subnet-0,subnet-1", "SC_CREATE_ENDPOINTS": "false"}

    done = preflight("diff", endpoint, SC_REGION="us-east-1", **existing)
    assert done.code == 3
    assert "VPC links do not reach subnet-1 in use1-az3: name subnets in use1-az1, use1-az2, use1-az4" in done.err
    assert "subnet-0 in" not in done.err


def test_an_existing_vpc_that_cannot_have_the_endpoints(region: tuple[str, Any], preflight: Preflight) -> None:
    url, ec2 = region
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def subnet(third: int, zone: str) -> str:
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{third}.0/24", AvailabilityZone=f"eu-west-2{zone}")
        return str(made["Subnet"]["SubnetId"])

    one, two, other = subnet(0, "a"), subnet(1, "a"), subnet(2, "b")
    existing = {"SC_VPC_ID": vpc, "SC_ROUTE_TABLE_IDS": "rtb-0"}
    done = preflight("diff", url, SC_SUBNET_IDS=f"{one},{two},{other}", **existing)
    assert done.code == 3
    hostnames, zone = done.err.splitlines()[1:]
    assert hostnames.startswith(
        f"  vpc_id: {vpc} has enableDnsHostnames off, which private DNS names of endpoints need:"
    )
    assert zone.startswith(
        f"  subnet_ids: {one}, {two} are all in euw2-az2, and an endpoint takes one of a zone: name one,"
    )

    # What it says helps: the command, and one subnet; or endpoints of somebody else.
    assert f"aws ec2 modify-vpc-attribute --region eu-west-2 --vpc-id {vpc} --enable-dns-hostnames`" in hostnames
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert preflight("diff", url, SC_SUBNET_IDS=f"{one},{other}", **existing).code == 0
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    assert preflight("diff", url, SC_SUBNET_IDS=f"{one},{two}", SC_VPC_ID=vpc, SC_CREATE_ENDPOINTS="false").code == 0


def test_a_role_that_may_not_ask(account: Account, preflight: Preflight) -> None:
    done = preflight("diff", account({}))
    assert done.code == 3
    assert "refuses DescribeAvailabilityZones, which make diff asks first: You are not authorized." in done.err


NO_TOKEN = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error>
<RequestId>1</RequestId></ErrorResponse>"""


def test_a_region_that_the_account_has_not_enabled(account: Account, preflight: Preflight) -> None:
    # It leads to this machine, and does not say so: else the hint would be a twin's.
    endpoint = account({"GetCallerIdentity": NO_TOKEN}).replace("127.0.0.1", "0.0.0.0")
    done = preflight("diff", endpoint, SC_REGION="me-south-1")
    assert done.code == 3
    assert "The security token included in the request is invalid." in done.err
    assert "me-south-1 is not enabled for the account: `aws account enable-region --region-name me-south-1`" in done.err


@pytest.fixture
def region() -> Iterator[tuple[str, Any]]:
    """EC2 of a Region as moto has it: its address, and boto3's client."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    given = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-west-2"}
    yield url, boto3.client("ec2", endpoint_url=url, **given)
    server.stop()


def tagged(kind: str, **tags: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def test_a_destroy_of_what_is_the_stacks_own_has_nothing_in_its_way(
    region: tuple[str, Any], preflight: Preflight
) -> None:
    url, ec2 = region
    own = {"Project": "serviceconnect"}
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc", **own))["Vpc"]["VpcId"]
    groups = [
        ec2.create_security_group(
            GroupName=name, Description=name, VpcId=vpc, TagSpecifications=tagged("security-group", **own)
        )["GroupId"]
        for name in ("link", "tasks")
    ]
    pair = {"UserIdGroupPairs": [{"GroupId": groups[0]}], "IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080}
    ec2.authorize_security_group_ingress(GroupId=groups[1], IpPermissions=[pair])
    service = "com.amazonaws.eu-west-2.logs"
    endpoint = {"VpcEndpointType": "Interface", "TagSpecifications": tagged("vpc-endpoint", **own)}
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, SecurityGroupIds=groups, **endpoint)

    done = preflight("destroy", url)
    assert (done.code, done.err) == (0, "")


def test_a_destroy_is_told_of_guarddutys_endpoint_and_of_others_rules(
    region: tuple[str, Any], preflight: Preflight
) -> None:
    url, ec2 = region
    own = {"Project": "serviceconnect"}
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc", **own))["Vpc"]["VpcId"]

    def group(name: str, **tags: str) -> str:
        tags_ = {"TagSpecifications": tagged("security-group", **tags)} if tags else {}
        return str(ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc, **tags_)["GroupId"])

    tasks, theirs, database = group("tasks", **own), group(f"GuardDutyManagedSecurityGroup-{vpc}"), group("database")
    pair = {"UserIdGroupPairs": [{"GroupId": tasks}], "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    ec2.authorize_security_group_ingress(GroupId=database, IpPermissions=[pair])
    service = "com.amazonaws.eu-west-2.guardduty-data"
    made = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=service, SecurityGroupIds=[theirs], VpcEndpointType="Interface"
    )
    id = made["VpcEndpoint"]["VpcEndpointId"]

    done = preflight("destroy", url)
    assert done.code == 3
    head, endpoint, rule = done.err.splitlines()
    assert head == "make destroy cannot go through:"
    assert endpoint.startswith(f"  {id} ({service}) in {vpc} is not the stack's")
    assert f"aws ec2 delete-vpc-endpoints --region eu-west-2 --vpc-endpoint-ids {id};" in endpoint
    assert f"aws ec2 delete-security-group --region eu-west-2 --group-id {theirs} " in endpoint
    assert rule.startswith(f"  {database} (database), which is not the stack's, has an ingress rule that names the")
    assert f"group {tasks}," in rule

    # What it says helps.
    ec2.delete_vpc_endpoints(VpcEndpointIds=[id])
    ec2.delete_security_group(GroupId=theirs)
    ec2.revoke_security_group_ingress(GroupId=database, IpPermissions=[pair])
    assert preflight("destroy", url).code == 0
