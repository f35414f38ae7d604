"""Reading the settings, and each of their rules."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from serviceconnect.settings import InvalidSettings, Settings
from serviceconnect.settings.reading import from_project, read
from serviceconnect.settings.sidecar import Sidecar
from serviceconnect.settings.table import markdown
from tests.constructs.synthesis import ROOT

ECR = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/probe:1"
COLLECTOR = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/collector:1"
SECRET = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:token-a1b2c3"
KEY = "arn:aws:kms:eu-west-2:123456789012:key/0a1b2c3d"
POLICY = "arn:aws:iam::123456789012:policy/queues"


def problems(context: dict[str, Any], **environment: str) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        read(context, environment)
    return refused.value.problems


def test_defaults() -> None:
    settings = read({}, {})
    assert settings == Settings()
    assert (settings.desired_count, settings.cpu, settings.memory, settings.architecture) == (3, 256, 512, "X86_64")
    assert settings.zones == ("eu-west-2a", "eu-west-2b")
    assert settings.discovery_name == settings.name == "serviceconnect"


@pytest.mark.parametrize(
    ("region", "count", "letters"),
    [("ap-northeast-1", 2, "ac"), ("ca-central-1", 3, "abd"), ("us-east-1", 6, "abcdef"), ("xx-nowhere-1", 4, "abcd")],
)
def test_zones_are_those_that_new_accounts_have(region: str, count: int, letters: str) -> None:
    assert Settings(region=region, az_count=count).zones == tuple(f"{region}{letter}" for letter in letters)


def test_the_projects_own_cdktf_json_is_valid() -> None:
    assert from_project(ROOT, {}) == Settings()


def test_environment_wins_over_context() -> None:
    settings = read({"desired_count": 2, "cpu": 512, "memory": 1024}, {"SC_DESIRED_COUNT": "5", "HOME": "/root"})
    assert (settings.desired_count, settings.cpu) == (5, 512)


def test_an_empty_variable_is_not_set() -> None:
    assert read({"desired_count": 2}, {"SC_DESIRED_COUNT": ""}).desired_count == 2


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("SC_NAME", "probe", "probe"),
        ("SC_STOP_TIMEOUT", "60", 60),
        ("SC_COMPARISON", "TRUE", True),
        ("SC_CREATE_ENDPOINTS", "true", True),
        ("SC_ROUTES", "GET /a, ANY /{proxy+}", ("GET /a", "ANY /{proxy+}")),
        ("SC_TAGS", "Owner=platform,Cost=a=b", {"Owner": "platform", "Cost": "a=b"}),
        ("SC_ENVIRONMENT", '{"LIST": "1,2"}', {"LIST": "1,2"}),
    ],
)
def test_values_from_the_environment(variable: str, text: str, value: object) -> None:
    assert getattr(read({}, {variable: text}), variable.removeprefix("SC_").lower()) == value


@pytest.mark.parametrize(
    ("context", "environment", "sentence"),
    [
        ({"cpu": "256"}, {}, 'cpu = "256" must be a whole number.'),
        ({"cpu": True}, {}, "cpu = true must be a whole number."),
        ({"comparison": 1}, {}, "comparison = 1 must be true or false."),
        ({"routes": "GET /"}, {}, 'routes = "GET /" must be a list of texts'),
        ({"routes": [1]}, {}, "routes = [1] must be a list of texts"),
        ({"tags": {"a": 1}}, {}, 'tags = {"a": 1} must be a map of texts'),
        ({}, {"SC_CPU": "many"}, "cpu = many (from SC_CPU) must be a whole number."),
        ({}, {"SC_COMPARISON": "yes"}, "comparison = yes (from SC_COMPARISON) must be true or false."),
        ({}, {"SC_TAGS": "Owner"}, "tags = Owner (from SC_TAGS) must be a map of texts"),
        ({}, {"SC_TAGS": '{"a": 1}'}, "must be a map of texts"),
        ({}, {"SC_TAGS": "{a"}, "must be a map of texts"),
        ({"desired_cout": 3}, {}, "desired_cout is not a setting; did you mean desired_count?"),
        ({}, {"SC_COLOUR": "red"}, "SC_COLOUR is not a setting; docs/settings.md lists them."),
    ],
)
def test_unreadable_values(context: dict[str, Any], environment: dict[str, str], sentence: str) -> None:
    (problem,) = problems(context, **environment)
    assert sentence in problem


# Each: what is chosen, the one sentence that it must give.
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"name": "A"}, "name = A must be 3 to 24 of"),
    ({"name": "sg-probe"}, "name = sg-probe must be 3 to 24 of"),
    ({"name": "internal-probe"}, "and not begin with sg- or internal-."),
    ({"region": "cn-north-1"}, "region = cn-north-1 must be a Region"),
    ({"region": "London"}, "region = London must be a Region"),
    ({"state_bucket": "A!"}, "state_bucket = A! must be empty or a bucket's name."),
    ({"vpc_cidr": "10.0.0.0/8"}, "vpc_cidr = 10.0.0.0/8 must be an IPv4 range of /16 to /24"),
    ({"vpc_cidr": "10.0.0.1/16"}, "vpc_cidr = 10.0.0.1/16 must be an IPv4 range"),
    ({"az_count": 1}, "az_count = 1 must be 2 to 6."),
    ({"az_count": 4}, "az_count = 4 must be at most 3, the zones of region = eu-west-2."),
    ({"region": "us-west-1", "az_count": 3}, "az_count = 3 must be at most 2, the zones of region = us-west-1."),
    ({"availability_zones": ("eu-west-2a",)}, "must name az_count = 2 different zones."),
    ({"availability_zones": ("eu-west-1a", "eu-west-1b")}, "must be zones of region = eu-west-2."),
    ({"vpc_id": "vpc-1", "route_table_ids": ("rtb-1",)}, "vpc_id = vpc-1 needs subnet_ids"),
    ({"vpc_id": "vpc-1", "subnet_ids": ("subnet-1",)}, "vpc_id = vpc-1 needs route_table_ids"),
    ({"subnet_ids": ("subnet-1",)}, "subnet_ids = subnet-1 needs vpc_id"),
    ({"create_endpoints": False}, "create_endpoints = false needs vpc_id"),
    (
        {"vpc_id": "vpc-1", "subnet_ids": ("subnet-1",), "create_endpoints": False, "extra_endpoints": ("sqs",)},
        "extra_endpoints = sqs needs create_endpoints = true.",
    ),
    ({"extra_endpoints": ("logs",)}, "extra_endpoints = logs must name each once, and none that the stack makes."),
    ({"egress": ("10.0.0.0/16",)}, "egress = 10.0.0.0/16 must be different destinations such as 10.0.0.0/16:5432"),
    ({"egress": ("10.0.0.1/16:5432",)}, "must be different destinations such as"),
    ({"egress": ("10.0.0.1:5432",)}, "must be different destinations such as"),
    ({"egress": ("sg-0a1b:65536",)}, "must be different destinations such as"),
    ({"egress": ("db.example.com:5432",)}, "must be different destinations such as"),
    ({"egress": ("sg-0a1b:5432", "sg-0a1b:5432")}, "must be different destinations such as"),
    (
        {
            "vpc_id": "vpc-1",
            "subnet_ids": ("subnet-1",),
            "create_endpoints": False,
            "egress": ("10.0.0.0/16:443",),
        },
        "egress must not name 10.0.0.0/16:443: the tasks have it already, by vpc_cidr.",
    ),
    ({"task_security_groups": ("db",)}, "task_security_groups = db must be up to 4 different security groups' ids"),
    ({"task_security_groups": ("sg-1", "sg-1")}, "must be up to 4 different security groups' ids"),
    (
        {"task_security_groups": ("sg-1", "sg-2", "sg-3", "sg-4", "sg-5")},
        "must be up to 4 different security groups' ids",
    ),
    ({"extra_endpoints": ("s3", "s3")}, "extra_endpoints = s3,s3 must name each once"),
    ({"extra_endpoints": ("sqs", "sqs")}, "extra_endpoints = sqs,sqs must name each once"),
    ({"image_uri": "nginx"}, "image_uri = nginx must be empty or an image with its tag or digest."),
    ({"image_uri": "docker.io/library/nginx:1"}, "must be in ECR in region = eu-west-2"),
    ({"image_uri": ECR, "region": "eu-west-1"}, "must be in ECR in region = eu-west-1"),
    ({"desired_count": 0}, "desired_count = 0 must be 1 to 1000."),
    ({"cpu": 300}, "cpu = 300 must be one of 256, 512, 1024"),
    ({"memory": 4096}, "memory = 4096 must be what Fargate offers for cpu = 256: 512, 1024, 2048."),
    ({"cpu": 8192, "memory": 17408}, "for cpu = 8192: 16384 to 61440 in steps of 4096."),
    ({"architecture": "arm"}, "architecture = arm must be one of X86_64, ARM64."),
    ({"container_port": 0}, "container_port = 0 must be 1 to 65535."),
    ({"container_user": "0:0"}, "container_user = 0:0 must be empty or a user's number that is not root's"),
    ({"writable_paths": ("tmp",)}, "writable_paths = tmp must be absolute paths."),
    ({"health_check_interval": 4}, "health_check_interval = 4 must be 5 to 300."),
    ({"health_check_timeout": 61}, "health_check_timeout = 61 must be 2 to 60."),
    ({"health_check_retries": 11}, "health_check_retries = 11 must be 1 to 10."),
    ({"health_check_start_period": 301}, "health_check_start_period = 301 must be 0 to 300."),
    ({"stop_timeout": 121}, "stop_timeout = 121 must be 2 to 120."),
    ({"drain_seconds": 60}, "drain_seconds = 60 must be below stop_timeout = 60"),
    ({"request_timeout": 31}, "request_timeout = 31 must be 1 to 30 (API Gateway's most)."),
    ({"environment": {"PORT": "1"}}, "must not set PORT: it comes from container_port."),
    ({"environment": {"A-B": "1"}}, "not 'A-B'."),
    ({"environment": {"A": "1"}, "secrets": {"A": SECRET}}, "A must be in environment or in secrets, not in both."),
    ({"secrets": {"A": "secret"}}, "secrets = A=secret must be names with ARNs"),
    ({"secrets": {"A": SECRET}, "region": "eu-west-1"}, f"secrets: A = {SECRET} must be in region = eu-west-1."),
    (
        {"secrets_kms_key_arns": ("alias/a",), "secrets": {"A": SECRET}},
        "secrets_kms_key_arns = alias/a must be ARNs of KMS keys.",
    ),
    ({"secrets_kms_key_arns": (KEY,)}, "needs secrets, which the keys decrypt."),
    (
        {"secrets_kms_key_arns": (KEY.replace("eu-west-2", "eu-west-1"),), "secrets": {"A": SECRET}},
        "key/0a1b2c3d must be in region = eu-west-2.",
    ),
    ({"task_policy_arns": ("queues",)}, "task_policy_arns = queues must be ARNs of managed policies."),
    ({"task_policy_arns": (POLICY, POLICY)}, "must name each once."),
    ({"permissions_boundary": "none"}, "permissions_boundary = none must be empty or the ARN of a managed policy."),
    ({"deployment_minimum_percent": 101}, "deployment_minimum_percent = 101 must be 0 to 100."),
    (
        {"deployment_maximum_percent": 100, "availability_zone_rebalancing": False},
        "deployment_minimum_percent = 100 with deployment_maximum_percent = 100 must leave room for a task more or"
        " less than desired_count = 3, or no deployment could start or stop one: make the maximum 134 or more, or the"
        " minimum 66 or less.",
    ),
    (
        {"deployment_maximum_percent": 133},
        "deployment_maximum_percent = 133 must leave room for a task more or less than desired_count = 3",
    ),
    (
        {"deployment_maximum_percent": 199, "deployment_minimum_percent": 1, "desired_count": 1},
        "than desired_count = 1, or no deployment could start or stop one: make the maximum 200 or more, or the"
        " minimum 0 or less.",
    ),
    (
        {"deployment_maximum_percent": 140, "autoscaling": "cpu", "autoscaling_minimum": 2},
        "must leave room for a task more or less than autoscaling_minimum = 2",
    ),
    (
        {"deployment_maximum_percent": 100, "deployment_minimum_percent": 50},
        "availability_zone_rebalancing = true with deployment_maximum_percent = 100 must leave room for a task more",
    ),
    ({"log_retention_days": 31}, "log_retention_days = 31 must be one of 1, 3, 5"),
    ({"container_insights": "on"}, "container_insights = on must be one of enhanced, enabled, disabled."),
    ({"command": ("",)}, "command =  must be words that are not empty."),
    (
        {"sidecars": (Sidecar(name="app", image=COLLECTOR),)},
        "sidecars = app must be containers of different names",
    ),
    (
        {"sidecars": (Sidecar(name="otel", image=COLLECTOR, ports=(4318, 8080)),)},
        "sidecars: port 8080 must be from 1 to 65535, and of one container alone",
    ),
    ({"sidecars": (Sidecar(name="otel", image="collector"),)}, "each with its image's tag or digest."),
    (
        {"sidecars": (Sidecar(name="otel", image="public.ecr.aws/adot/collector:1"),)},
        "sidecars: otel: image = public.ecr.aws/adot/collector:1 must be in ECR in region = eu-west-2",
    ),
    ({"fargate_spot": 101}, "fargate_spot = 101 must be 0 to 100."),
    ({"ip_address_type": "ipv6"}, "ip_address_type = ipv6 must be one of ipv4, dualstack."),
    ({"ip_address_type": "dualstack"}, "ip_address_type = dualstack needs domain_name"),
    (
        {
            "mutual_tls_truststore": "authorities.pem",
            "disable_default_endpoint": True,
            "domain_name": "api.example.com",
            "certificate_arn": "arn:aws:acm:eu-west-2:123456789012:certificate/0a1b2c3d",
        },
        "mutual_tls_truststore = authorities.pem must be empty or an object such as s3://bucket/authorities.pem.",
    ),
    ({"mutual_tls_truststore": "s3://bucket/a.pem"}, "needs disable_default_endpoint = true: clients"),
    ({"routes": ()}, "routes =  must be one or more, each of them once."),
    ({"routes": ("GET /a", "GET /a")}, "each of them once."),
    ({"routes": ("hostname",)}, "routes = hostname must be routes such as GET /hostname"),
    ({"routes": ("GET /{proxy+}/x",)}, "must be routes such as"),
    ({"routes": ("GET /orders/",)}, "routes = GET /orders/ must be routes such as GET /hostname, ANY /{proxy+} or"),
    (
        {"routes": ("GET /orders/{id}", "POST /orders/{id}", "GET /orders/{orderId}")},
        "routes = GET /orders/{id}, GET /orders/{orderId} must differ in more than a variable's name",
    ),
    ({"routes": ("ANY /{a+}", "ANY /{proxy+}")}, "routes = ANY /{a+}, ANY /{proxy+} must differ in more than"),
    (
        {"routes": ("GET /a/{id}/b/{id}",)},
        "routes = GET /a/{id}/b/{id} must name each of its variables once, and id is there 2 times.",
    ),
    ({"routes": ("GET /alb/x",), "comparison": True}, "routes = GET /alb/x must not be under /alb"),
    (
        {"vpc_cidr": "10.0.0.0/24", "comparison": True},
        "comparison = true needs a vpc_cidr of /23 or larger, not 10.0.0.0/24: each subnet has a sixteenth of it, and"
        " a load balancer's needs 32 addresses.",
    ),
    ({"cors_headers": ("a b",)}, "cors_headers = a b must be names of headers, or *."),
    ({"throttle_burst": 0}, "throttle_burst = 0 must be 1 to 100000."),
    ({"autoscaling_maximum": 0}, "autoscaling_maximum = 0 must be 1 to 1000."),
    ({"state_region": "London"}, "state_region = London must be empty or a Region"),
    (
        {"jwt_audience": ("a b",), "authorization": "JWT", "jwt_issuer": "https://a"},
        "jwt_audience = a b must be audiences",
    ),
    ({"tags": {"Owner": "${me}"}}, "tags = Owner=${me} must be tags of letters"),
    ({"stage": "a/b"}, "stage = a/b must be $default or a word."),
    ({"authorization": "BASIC"}, "authorization = BASIC must be one of NONE, AWS_IAM, JWT."),
    ({"authorization": "JWT", "jwt_issuer": "https://a"}, "authorization = JWT needs jwt_issuer and jwt_audience."),
    ({"jwt_audience": ("a",)}, "jwt_issuer and jwt_audience need authorization = JWT, not NONE."),
    ({"authorization": "JWT", "jwt_issuer": "a", "jwt_audience": ("a",)}, "must be empty or an https:// address."),
    ({"cors_origins": ("example.com",)}, "cors_origins = example.com must be origins"),
    ({"cors_methods": ("FETCH",)}, "cors_methods = FETCH must be HTTP methods, or *."),
    ({"domain_name": "api.example.com"}, "domain_name and certificate_arn need each other."),
    (
        {"domain_name": "api.example.com", "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/x"},
        "must be in region = eu-west-2.",
    ),
    (
        {
            "hosted_zone_id": "example.com",
            "domain_name": "api.example.com",
            "certificate_arn": "arn:aws:acm:eu-west-2:123456789012:certificate/x",
        },
        "hosted_zone_id = example.com must be empty or a hosted zone's id",
    ),
    ({"hosted_zone_id": "Z0A1B"}, "hosted_zone_id = Z0A1B needs domain_name: the record is its."),
    ({"disable_default_endpoint": True}, "disable_default_endpoint = true needs domain_name"),
    ({"throttle_rate": 0}, "throttle_rate = 0 must be 1 to 100000."),
    ({"comparison_health_path": "ready"}, "comparison_health_path = ready must be a path such as /ready."),
    ({"autoscaling": "memory"}, "autoscaling = memory must be one of off, cpu, requests."),
    ({"autoscaling": "cpu", "autoscaling_minimum": 5}, "desired_count = 3 must be from autoscaling_minimum = 5"),
    ({"autoscaling": "cpu", "autoscaling_target": 101}, "must be a percentage for autoscaling = cpu."),
    ({"load_fleet": 101}, "load_fleet = 101 must be 0 to 100."),
    ({"alarm_topic_arn": "topic"}, "alarm_topic_arn = topic must be empty or an SNS topic's ARN."),
]


@pytest.mark.parametrize(
    ("chosen", "sentence"), BROKEN, ids=lambda value: ",".join(value) if type(value) is dict else ""
)
def test_broken_rules(chosen: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        Settings(**chosen)
    (problem,) = refused.value.problems
    assert sentence in problem
    assert "\n" not in problem


def test_every_setting_with_a_rule_has_a_case() -> None:
    without = {field.name for field in fields(Settings)} - {name for chosen, _ in BROKEN for name in chosen}
    assert without == {"deployment_alarm", "health_check", "register_when_healthy", "execute_command"}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 50, 99, 100, 101, 1000])
def test_percents_are_refused_where_ecs_could_neither_start_nor_stop_a_task(count: int) -> None:
    for low in (0, 1, 50, 66, 67, 75, 90, 99, 100):
        for high in (101, 110, 125, 133, 134, 150, 199, 200):
            can_start, can_stop = count * high // 100 > count, -(-count * low // 100) < count
            chosen = {"desired_count": count, "deployment_minimum_percent": low, "deployment_maximum_percent": high}
            fits = True
            try:
                Settings(**chosen)  # type: ignore[arg-type]
            except InvalidSettings:
                fits = False
            assert fits == (can_start or can_stop), chosen


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = problems({"cpu": 300, "colour": "red"}, SC_STAGE="a/b", SC_DESIRED_COUNT="x", SC_DRAIN_SECONDS="60")
    assert len(found) == 5


def test_existing_vpc_may_run_an_image_from_anywhere() -> None:
    chosen = {"vpc_id": "vpc-1", "subnet_ids": ("subnet-1",), "create_endpoints": False}
    assert Settings(image_uri="docker.io/library/nginx:1", **chosen).repository_name == ""  # type: ignore[arg-type]
    chosen = {"vpc_id": "vpc-1", "subnet_ids": ("subnet-1",), "route_table_ids": ("rtb-1",)}
    by_nat = Settings(image_uri="docker.io/library/nginx:1", egress=("0.0.0.0/0:443",), **chosen)  # type: ignore[arg-type]
    assert by_nat.create_endpoints
    with pytest.raises(InvalidSettings, match="must be in ECR"):
        Settings(image_uri="docker.io/library/nginx:1", egress=("0.0.0.0/0:5432",), **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is missing"),
        ("{", "must be a JSON object"),
        ("[]", "must be a JSON object"),
        ('{"context": {"serviceconnect": []}}', "must be an object of settings"),
    ],
)
def test_broken_cdktf_json(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "cdktf.json").write_text(content)
    with pytest.raises(InvalidSettings, match=sentence):
        from_project(tmp_path, {})


def test_table_in_docs_is_current() -> None:
    assert (ROOT / "docs/settings.md").read_text() == markdown(), "run `make settings`"


def test_table_has_every_setting_once() -> None:
    rows = [line.split("`")[1] for line in markdown().splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(field.name for field in fields(Settings))


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        ("collector", "Invalid JSON"),
        ('[{"name": "otel"}]', "1.image: Field required"),
        ('[{"name": "otel", "image": "a/b:1", "cmd": []}]', "1.cmd: Unexpected keyword argument"),
        ('[{"name": "otel", "image": "a/b:1", "command": "--x"}]', "1.command: Input should be a valid"),
    ],
)
def test_sidecars_that_cannot_be_read(written: str, detail: str) -> None:
    (problem,) = problems({}, SC_SIDECARS=written)
    assert problem.startswith(f"sidecars = {written} (from SC_SIDECARS) must be a list of containers as objects")
    assert detail in problem


def test_sidecars_from_both_places() -> None:
    one = {"name": "otel", "image": COLLECTOR, "command": ["--a"], "environment": {"B": "c"}}
    expected = (Sidecar(name="otel", image=COLLECTOR, command=("--a",), environment={"B": "c"}),)
    assert read({"sidecars": [one]}, {}).sidecars == read({}, {"SC_SIDECARS": json.dumps([one])}).sidecars == expected


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two environments."""
    settings = {
        "name": "orders",
        "cpu": 512,
        "memory": 1024,
        "environments": {
            "prod": {"desired_count": 6, "memory": 2048},
            "test": {"name": "trial", "region": "eu-west-1"},
        },
    }
    (tmp_path / "cdktf.json").write_text(json.dumps({"context": {"serviceconnect": settings}}))
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("orders", 3, 1024, "eu-west-2")),
        ({"ENV": "prod"}, ("orders-prod", 6, 2048, "eu-west-2")),
        ({"ENV": "test"}, ("trial", 3, 1024, "eu-west-1")),
        ({"ENV": "prod", "SC_DESIRED_COUNT": "2"}, ("orders-prod", 2, 2048, "eu-west-2")),
        # The file that POSIX shells read when they start.
        ({"ENV": "/home/user/.shrc"}, ("orders", 3, 1024, "eu-west-2")),
    ],
)
def test_an_environment_has_its_settings_over_those_of_all(
    project: Path, variables: dict[str, str], expected: tuple[str, int, int, str]
) -> None:
    settings = from_project(project, variables)
    assert (settings.name, settings.desired_count, settings.memory, settings.region) == expected


def test_an_environment_that_is_not_there(project: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"ENV = prd must be one of .*, which has prod, test\."):
        from_project(project, {"ENV": "prd"})
    with pytest.raises(InvalidSettings, match=r"ENV = prod must be one of .*, which has none\."):
        from_project(ROOT, {"ENV": "prod"})
    (project / "cdktf.json").write_text(json.dumps({"context": {"serviceconnect": {"environments": {"prod": []}}}}))
    with pytest.raises(InvalidSettings, match=r"environments of cdktf\.json must be an object that has an object"):
        from_project(project, {"ENV": "prod"})
