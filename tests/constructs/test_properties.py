"""Over all settings: every valid set synthesizes, every invalid one is refused with its rule."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from serviceconnect.settings import InvalidSettings, Settings
from serviceconnect.settings.gateway import without_names
from serviceconnect.settings.reading import read
from serviceconnect.settings.service import FARGATE_MEMORY, LOG_RETENTION_DAYS
from serviceconnect.zones import letters
from tests.constructs.synthesis import container, only, synthesized

REGIONS = ("eu-west-2", "us-east-1", "ca-west-1")
WORD = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in ("PORT", "DRAIN_SECONDS"))
NAME = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
SEGMENT = st.from_regex(r"[a-z][a-z0-9._~-]{0,6}", fullmatch=True).filter(lambda name: name != "alb")
PATH = st.lists(st.one_of(SEGMENT, NAME.map("{{{}}}".format)), min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(dict.fromkeys(parts))  # each variable once
)
METHOD = st.sampled_from(("GET", "POST", "ANY"))
ROUTE = st.one_of(
    st.builds("{} {}".format, METHOD, PATH),
    st.builds("{} {}".format, METHOD, st.sampled_from(("/", "/{proxy+}"))),
    st.just("$default"),
)


@st.composite
def valid(draw: st.DrawFn) -> dict[str, Any]:
    """Settings that fit together."""
    region = draw(st.sampled_from(REGIONS))
    account = "123456789012"
    cpu = draw(st.sampled_from(sorted(FARGATE_MEMORY)))
    stop_timeout = draw(st.integers(2, 120))
    minimum = draw(st.integers(0, 100))
    rebalancing = draw(st.booleans())
    low, count, high = sorted(draw(st.tuples(*[st.integers(1, 1000)] * 3)))
    whole = -(-100 // low)  # the percents that make a whole task of the fewest
    names = draw(st.lists(WORD, unique=True, max_size=4))
    secret = st.sampled_from(
        (
            f"arn:aws:secretsmanager:{region}:{account}:secret:name-a1b2c3:key::",
            f"arn:aws:ssm:{region}:{account}:parameter/name",
        )
    )
    vpc_cidr = draw(st.sampled_from(("10.0.0.0/16", "192.168.4.0/24", "172.16.0.0/20")))
    chosen: dict[str, Any] = {
        "name": draw(st.from_regex(r"(?!sg-|internal-)[a-z][a-z0-9-]{1,22}[a-z0-9]", fullmatch=True)),
        "region": region,
        "tags": draw(st.dictionaries(WORD, WORD, max_size=2)),
        "state_bucket": draw(st.sampled_from(("", "states"))),
        "vpc_cidr": vpc_cidr,
        "az_count": draw(st.integers(2, len(letters(region)))),
        "image_uri": draw(st.sampled_from(("", f"{account}.dkr.ecr.{region}.amazonaws.com/team/probe:1"))),
        "desired_count": count,
        "cpu": cpu,
        "memory": draw(st.sampled_from(FARGATE_MEMORY[cpu])),
        "architecture": draw(st.sampled_from(("X86_64", "ARM64"))),
        "container_port": draw(st.integers(1, 65535)),
        "container_user": draw(st.sampled_from(("", "1000", "10001:10001"))),
        "writable_paths": tuple(
            draw(st.lists(PATH.map(lambda path: path.replace("{", "").replace("}", "")), max_size=2))
        ),
        "health_check": draw(st.sampled_from(("", 'nc -z "$HOSTNAME" 80 || exit 1'))),
        "health_check_start_period": draw(st.integers(0, 300)),
        "register_when_healthy": draw(st.booleans()),
        "stop_timeout": stop_timeout,
        "drain_seconds": draw(st.integers(0, min(119, stop_timeout - 1))),
        "request_timeout": draw(st.integers(1, 30)),
        "environment": {name: draw(st.text(max_size=5)) for name in names[:2]},
        "secrets": {name: draw(secret) for name in names[2:]},
        "secrets_kms_key_arns": (f"arn:aws:kms:{region}:{account}:key/0a1b2c3d",)
        if draw(st.booleans()) and names[2:]
        else (),
        "task_policy_arns": draw(st.sampled_from(((), (f"arn:aws:iam::{account}:policy/team/queues",)))),
        "permissions_boundary": draw(st.sampled_from(("", f"arn:aws:iam::{account}:policy/boundary"))),
        "deployment_minimum_percent": minimum,
        "deployment_maximum_percent": draw(
            st.integers(100 + whole if minimum > 100 - whole else 101 if rebalancing else 100, 200)
        ),
        "availability_zone_rebalancing": rebalancing,
        "log_retention_days": draw(st.sampled_from(LOG_RETENTION_DAYS)),
        "execute_command": draw(st.booleans()),
        "container_insights": draw(st.sampled_from(("enhanced", "enabled", "disabled"))),
        "routes": tuple(draw(st.lists(ROUTE, min_size=1, max_size=4, unique_by=without_names))),
        "stage": draw(st.sampled_from(("$default", "v1"))),
        "authorization": draw(st.sampled_from(("NONE", "AWS_IAM"))),
        "cors_origins": draw(st.sampled_from(((), ("*",), ("https://example.com",)))),
        "throttle_rate": draw(st.integers(1, 100_000)),
        "comparison": draw(st.booleans()) and not vpc_cidr.endswith("/24"),
        "autoscaling": draw(st.sampled_from(("off", "cpu", "requests"))),
        "autoscaling_minimum": low,
        "autoscaling_maximum": high,
        "autoscaling_target": draw(st.integers(1, 100)),
        "egress": draw(st.sampled_from(((), ("10.20.0.0/16:5432", "sg-0a1b:5432", "pl-0a1b:443")))),
        "task_security_groups": draw(st.sampled_from(((), ("sg-0a1b",)))),
        "extra_endpoints": draw(st.sampled_from(((), ("sqs", "monitoring"), ("s3", "dynamodb", "ssm")))),
    }
    if draw(st.booleans()):
        chosen |= {"vpc_id": "vpc-0a1b", "subnet_ids": ("subnet-0a", "subnet-0b"), "route_table_ids": ("rtb-0c",)}
    return chosen


# A synth takes about a quarter of a second, so a failure is not shrunk.
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(valid())
def test_every_valid_set_synthesizes(chosen: dict[str, Any]) -> None:
    made = Settings(**chosen)
    stack = json.loads(synthesized(made))
    assert only(stack, "aws_ecs_service")["desired_count"] == made.desired_count
    assert "0.0.0.0/0" not in json.dumps(stack)
    written = {entry["name"]: entry["value"] for entry in container(stack)["environment"]}
    for name, value in made.environment.items():
        assert written[name].replace("$${", "${").replace("%%{", "%{") == value
    keys = [route["route_key"] for route in stack["resource"]["aws_apigatewayv2_route"].values()]
    assert len({without_names(key) for key in keys}) == len(keys) >= len(made.routes)
    assert len(json.dumps(stack["resource"].get("aws_vpc_endpoint", {}))) > 2


@settings(max_examples=100, deadline=None)
@given(valid())
def test_reading_gives_what_was_written(chosen: dict[str, Any]) -> None:
    as_json = json.loads(json.dumps(chosen))
    assert read(as_json, {}) == Settings(**chosen)


WRONG: dict[str, st.SearchStrategy[Any]] = {
    "egress": st.lists(st.text().filter(lambda text: "/" not in text and "-" not in text), min_size=1).map(tuple),
    "desired_count": st.integers(max_value=0) | st.integers(min_value=1001),
    "container_port": st.integers(max_value=0) | st.integers(min_value=65536),
    "stop_timeout": st.integers(min_value=121),
    "request_timeout": st.integers(max_value=0) | st.integers(min_value=31),
    "cpu": st.integers().filter(lambda cpu: cpu not in FARGATE_MEMORY),
    "az_count": st.integers(max_value=1) | st.integers(min_value=7),
    "log_retention_days": st.integers().filter(lambda days: days not in LOG_RETENTION_DAYS),
    "throttle_rate": st.integers(max_value=0),
    "name": st.text().filter(lambda name: not name.isascii() or not name.islower()),
    "architecture": st.text().filter(lambda text: text not in ("X86_64", "ARM64")),
    "authorization": st.text().filter(lambda text: text not in ("NONE", "AWS_IAM", "JWT")),
    "routes": st.lists(st.text().filter(lambda text: text != "$default" and " /" not in text), min_size=1).map(tuple),
    "vpc_cidr": st.text().filter(lambda text: "/" not in text),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_invalid_value_is_refused_with_its_rule(name: str) -> None:
    rule = next(field.metadata["rule"] for field in fields(Settings) if field.name == name)

    @settings(max_examples=25, deadline=None)
    @given(WRONG[name])
    def refused(value: Any) -> None:
        with pytest.raises(InvalidSettings) as error:
            Settings(**{name: value})
        assert any(problem.startswith(f"{name} = ") and rule.says in problem for problem in error.value.problems)

    refused()
