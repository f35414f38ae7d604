"""What is priced: the declared options, Fargate's sizes, a profile, a stack, a measured run."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.costs.prices import load_prices
from lab.costs.scenario import (
    KB,
    OPTIONS,
    Scenario,
    asked_rate,
    default_scenario,
    fit,
    read_profile,
    scenario_of_run,
    scenario_of_settings,
    scenario_of_stack,
    with_options,
)
from lab.costs.study import Study
from lab.errors import BadInput
from lab.records.run import read_folder
from load.results import HostRow, create_run, update_meta, write_hosts
from serviceconnect.settings import Settings
from serviceconnect.settings.service import FARGATE_MEMORY

HEADER = "hour,requests_per_second\n"
DAY = HEADER + "".join(f"{hour},{hour / 2}\n" for hour in range(24))
SUBNETS = {"a": "eu-west-2a", "b": "eu-west-2b", "c": "eu-west-2c"}
SIZES = [(cpu, memory) for cpu, memories in FARGATE_MEMORY.items() for memory in memories]


def test_every_option_is_a_field_with_help() -> None:
    assert {option.field for option in OPTIONS} < set(Scenario.model_fields)
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
    assert all(option.help for option in OPTIONS)


def scenario_or_sentence(given_options: dict[str, Any]) -> Scenario | str:
    try:
        return with_options(Scenario(), given_options)
    except BadInput as error:
        return str(error)


@given(st.dictionaries(st.sampled_from([option.field for option in OPTIONS]), st.text(max_size=12)))
@settings(deadline=None, max_examples=200)
def test_any_text_is_a_scenario_or_one_sentence(given_options: dict[str, str]) -> None:
    found = scenario_or_sentence(given_options)
    assert isinstance(found, Scenario) or "\n" not in found


numbers = st.sampled_from(
    ["1e300", "-1e300", "1e-300", "nan", "inf", "-inf", "sNaN", "1e999999", "1e-999999", "9" * 5000, "-1", "0x1", ""]
)


@given(st.sampled_from([option.field for option in OPTIONS]), numbers)
@settings(deadline=None, max_examples=300)
def test_numbers_beyond_all_are_a_scenario_or_one_sentence(field: str, text: str) -> None:
    found = scenario_or_sentence({field: text})
    if isinstance(found, str):
        assert "\n" not in found
        assert len(found) < 300
    else:
        assert all(value < 10**13 for value in dict(found).values() if isinstance(value, Decimal))
        assert Study(found, load_prices("eu-west-2")).bills


def test_an_option_has_its_unit() -> None:
    assert with_options(Scenario(), {"response_bytes": "2.5"}).response_bytes == Decimal("2.5") * KB
    assert with_options(
        Scenario().at_rate(Decimal(20)), {"connections_per_request": "5"}
    ).connections_per_request == Decimal("0.25")


@given(st.sampled_from(SIZES))
@settings(deadline=None)
def test_every_size_fits_itself(size: tuple[int, int]) -> None:
    assert fit(*size) == size


@given(*[st.integers(0, top) for top in (16384, 122880)] * 2)
@settings(deadline=None)
def test_a_greater_need_never_gets_a_smaller_size(cpu: int, memory: int, more_cpu: int, more_memory: int) -> None:
    small, great = fit(cpu, memory), fit(cpu + more_cpu, memory + more_memory)
    if small and great:
        assert small[0] <= great[0]
        assert small[1] <= great[1]


@pytest.mark.parametrize(
    ("cpu", "memory", "size"),
    [(256, 512, (512, 1024)), (512, 1024, (1024, 2048)), (1024, 2048, (2048, 4096)), (16384, 122880, None)],
)
def test_the_task_that_holds_the_share_is_fargates_next(cpu: int, memory: int, size: tuple[int, int] | None) -> None:
    assert Scenario(cpu=cpu, memory=memory).size_with_share == size


def test_above_500_requests_a_second_for_each_task_the_proxy_needs_twice_the_cpu() -> None:
    at = Scenario(tasks=2).at_rate
    assert at(Decimal(1000)).size_with_share == (512, 1024)
    assert at(Decimal(1001)).size_with_share == (1024, 2048)
    # Where no task holds the greater share the one with the smaller serves.
    large = Scenario(cpu=8192, memory=61440, tasks=1)
    assert large.at_rate(Decimal(501)).size_with_share == large.size_with_share


@pytest.mark.parametrize(("cpu", "memory"), [("512", 1024), (512, 1024), ("1024", 2048), ("256", 512)])
def test_cpu_alone_has_the_least_memory_that_goes_with_it(cpu: object, memory: int) -> None:
    assert with_options(Scenario(), {"cpu": cpu}).memory == memory
    assert with_options(Scenario(cpu=1024, memory=4096), {"cpu": "2048"}).memory == 4096


def profile(folder: Path, text: str) -> Path:
    path = folder / "day.csv"
    path.write_text(text)
    return path


def test_a_days_profile(tmp_path: Path) -> None:
    rates = read_profile(profile(tmp_path, DAY))
    assert rates == tuple(Decimal(hour) / 2 for hour in range(24))
    assert Scenario(rates=rates).mean_rate == Decimal("5.75")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: the header"),
        ("a,b\n", "line 1: the header"),
        (HEADER + "0,1\n2,1\n", "line 3: hour 1"),
        (HEADER + "0,1,1\n", "line 2: hour 0"),
        (HEADER + "0,many\n", "line 2: requests_per_second = 'many': must be a valid decimal"),
        (HEADER + "0,-1\n", "line 2: requests_per_second = '-1': must be greater than or equal to 0"),
        (HEADER + "0,NaN\n", "line 2: requests_per_second = 'NaN': must be a finite number"),
        (HEADER + "0,1e300\n", "line 2: requests_per_second = '1e300': must be less than or equal to"),
        (HEADER + "0," + "9" * 200_000, "not a CSV file|must be"),
        (HEADER + "0,1\n", "has 1 hours; a day has 24"),
        (DAY + "24,1\n", "line 26: hour 24"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_profile(profile(tmp_path, text))


def test_a_profile_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_profile(tmp_path / "none.csv")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not a CSV file"):
        read_profile(tmp_path / "binary")


def host(name: str, zone: str, requests: int, first: float, last: float) -> HostRow:
    return HostRow(name, zone, requests, 0, 0.0, 1.0, 1.0, 1.0, first, last)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 30 s in which the last of three tasks was replaced half-way."""
    path = create_run(tmp_path / "run")
    update_meta(path, {"duration_s": 30.0, "response_bytes_mean": 123.5})
    hosts = [
        host("", "", 6, 1015.0, 1016.0),
        host("a", "eu-west-2a", 1000, 1000.0, 1030.0),
        host("b", "eu-west-2b", 1000, 1000.0, 1030.0),
        host("c", "eu-west-2a", 494, 1000.0, 1015.0),
        host("d", "eu-west-2c", 500, 1016.0, 1030.0),
    ]
    write_hosts(path, hosts)
    return path


def measured(folder: Path, scenario: Scenario, response_bytes: Decimal | None = None) -> Scenario:
    return scenario_of_run(read_folder(folder), scenario, response_bytes)


def test_a_measured_run_gives_payload_hosts_and_zones(run: Path) -> None:
    found = measured(run, Scenario(rates=(Decimal(7),), tasks=9, azs=2))
    assert found == Scenario(rates=(Decimal(7),), response_bytes=Decimal("123.5"), tasks=3, azs=3)


@pytest.mark.parametrize("rate", [120.5, "120.5"])
def test_only_an_open_loop_gives_the_rate_and_it_is_the_one_asked_for(run: Path, rate: object) -> None:
    # 3,000 requests in 30 s were measured.
    for closed in (None, {}, {"rate": None}, {"rate": 0}):
        update_meta(run, {"settings": closed})
        assert asked_rate(read_folder(run)) is None
        assert measured(run, Scenario()).rates == Scenario().rates
    # Locust's own options are text.
    update_meta(run, {"settings": {"rate": rate}})
    assert measured(run, Scenario()).rates == (Decimal("120.5"),)


def test_a_real_run_json_with_a_rate_is_priced() -> None:
    golden = Path(__file__).parents[1] / "golden" / "run"
    found = measured(golden, Scenario())
    assert (found.rates, found.response_bytes) == ((Decimal(30),), Decimal("38.3"))


def test_a_request_size_that_was_measured_counts_too(run: Path) -> None:
    update_meta(run, {"request_bytes_mean": 77})
    assert measured(run, Scenario()).request_bytes == 77


def test_without_hosts_and_zones_the_stacks_serve(run: Path) -> None:
    write_hosts(run, [host("", "", 3000, 1000.0, 1030.0)])
    found = measured(run, Scenario(tasks=7, azs=4))
    assert (found.tasks, found.azs) == (7, 4)


def test_a_run_without_payload_sizes_is_refused_with_the_way_out(run: Path) -> None:
    update_meta(run, {"response_bytes_mean": None})
    with pytest.raises(BadInput, match=r"no payload sizes.*--response-kb"):
        measured(run, Scenario())
    assert measured(run, Scenario(), Decimal(2048)).response_bytes == 2048


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"duration_s": 0}, "no duration_s above 0"),
        ({"duration_s": None}, "no duration_s above 0"),
        ({"duration_s": "long"}, "duration_s = 'long'"),
        ({"response_bytes_mean": -1}, "response_bytes_mean = -1"),
        ({"response_bytes_mean": 2**53}, "cannot be priced: response_bytes"),
        ({"request_bytes_mean": True}, "request_bytes_mean = True"),
        ({"settings": {"rate": -1}}, "rate = -1"),
        ({"settings": {"rate": "fast"}}, "rate = 'fast'"),
        ({"settings": {"rate": True}}, "rate = True"),
        ({"settings": {"rate": 1e300}}, "rate"),
        ({"settings": [1]}, "settings"),
    ],
)
def test_a_run_with_a_wrong_number_is_refused(run: Path, values: dict[str, Any], says: str) -> None:
    update_meta(run, values)
    with pytest.raises(BadInput, match=says):
        measured(run, Scenario())


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is it the folder of a run"):
        read_folder(tmp_path)


def endpoint(name: str) -> dict[str, Any]:
    return {"service_name": f"com.amazonaws.eu-west-2.{name}", "vpc_endpoint_type": "Interface"}


@pytest.fixture
def stack() -> dict[str, Any]:
    """A synthesized stack with what the cost model looks at, in the shape that CDKTF writes."""
    return {
        "provider": {"aws": [{"region": "eu-west-2"}]},
        "resource": {
            "aws_ecs_service": {
                "service_1": {
                    "desired_count": 5,
                    "task_definition": "${aws_ecs_task_definition.service_task.arn}",
                    "network_configuration": {
                        "assign_public_ip": False,
                        "subnets": [f"${{aws_subnet.network_private-{name}.id}}" for name in SUBNETS],
                    },
                    "service_connect_configuration": {"enabled": True, "service": [{"port_name": "http"}]},
                },
                "load_fleet": {"desired_count": 9, "task_definition": "x", "network_configuration": {}},
            },
            "aws_ecs_task_definition": {
                "service_task": {
                    "cpu": "1024",
                    "memory": "2048",
                    "runtime_platform": {"cpu_architecture": "ARM64"},
                }
            },
            "aws_subnet": {f"network_private-{name}": {"availability_zone": zone} for name, zone in SUBNETS.items()},
            "aws_vpc_endpoint": {
                **{name: endpoint(name) for name in ("ecr.api", "ecr.dkr", "logs", "ecs-agent", "secretsmanager")},
                **{name: endpoint(name) | {"vpc_endpoint_type": "Gateway"} for name in ("s3", "dynamodb")},
            },
            "aws_ecs_cluster": {"cluster": {"setting": [{"name": "containerInsights", "value": "enhanced"}]}},
            "aws_cloudwatch_log_group": {"app": {"retention_in_days": 7}, "gateway": {"retention_in_days": 14}},
            "aws_apigatewayv2_stage": {"stage": {"access_log_settings": {"format": "{}"}}},
            "aws_ecr_repository": {"image": {}},
            "aws_ecr_lifecycle_policy": {
                "image": {
                    "policy": json.dumps(
                        {
                            "rules": [
                                {
                                    "selection": {
                                        "tagStatus": status,
                                        "countType": "imageCountMoreThan",
                                        "countNumber": most,
                                    }
                                }
                                for status, most in (("tagged", 100), ("any", 4))
                            ]
                        }
                    )
                }
            },
        },
    }


def written(folder: Path, stack: Any) -> Path:
    path = folder / "cdk.tf.json"
    path.write_text(json.dumps(stack))
    return path


def test_what_is_deployed_is_what_is_priced(tmp_path: Path, stack: dict[str, Any]) -> None:
    assert scenario_of_stack(written(tmp_path, stack)) == Scenario(
        region="eu-west-2",
        tasks=5,
        cpu=1024,
        memory=2048,
        architecture="ARM64",
        azs=3,
        network="endpoints",
        endpoints=4,
        proxy_endpoints=1,
        gateway_log_bytes=Decimal(400),
        log_retention_days=14,
        insights=True,
        images_kept=4,
    )


def test_the_stack_that_is_synthesized_by_default_is_the_default_scenario() -> None:
    snapshot = Path(__file__).parents[2] / "constructs" / "serviceconnect.tf.json"
    assert scenario_of_stack(snapshot) == scenario_of_settings(Settings())


def test_what_is_not_deployed_is_not_priced(tmp_path: Path, stack: dict[str, Any]) -> None:
    for kind in ("aws_ecs_cluster", "aws_apigatewayv2_stage", "aws_ecr_repository"):
        del stack["resource"][kind]
    found = scenario_of_stack(written(tmp_path, stack))
    assert (found.insights, found.gateway_log_bytes, found.images_kept) == (False, Decimal(0), 0)


@pytest.mark.parametrize(
    ("nat_gateways", "public", "network"), [(2, False, "nat"), (0, True, "public"), (0, False, "none")]
)
def test_ways_out_other_than_endpoints(
    tmp_path: Path, stack: dict[str, Any], nat_gateways: int, public: bool, network: str
) -> None:
    resources = stack["resource"]
    del resources["aws_vpc_endpoint"]
    resources["aws_nat_gateway"] = {f"nat{number}": {} for number in range(nat_gateways)}
    resources["aws_ecs_service"]["service_1"]["network_configuration"]["assign_public_ip"] = public
    found = scenario_of_stack(written(tmp_path, stack))
    assert (found.network, found.nat_gateways) == (network, max(1, nat_gateways))


def test_subnets_from_elsewhere_count_as_a_zone_each(tmp_path: Path, stack: dict[str, Any]) -> None:
    configuration = stack["resource"]["aws_ecs_service"]["service_1"]["network_configuration"]
    configuration["subnets"] = ["subnet-1", "subnet-2"]
    assert scenario_of_stack(written(tmp_path, stack)).azs == 2


def test_the_proxys_access_log_is_priced_where_it_is_asked_for(tmp_path: Path, stack: dict[str, Any]) -> None:
    connect = stack["resource"]["aws_ecs_service"]["service_1"]["service_connect_configuration"]
    connect["access_log_configuration"] = {"format": "JSON"}
    assert scenario_of_stack(written(tmp_path, stack)).proxy_log_bytes == 300


def test_a_block_in_a_list_is_the_same_block(tmp_path: Path, stack: dict[str, Any]) -> None:
    alone = scenario_of_stack(written(tmp_path, stack))
    service = stack["resource"]["aws_ecs_service"]["service_1"]
    service["network_configuration"] = [service["network_configuration"]]
    service["service_connect_configuration"] = [service["service_connect_configuration"]]
    assert scenario_of_stack(written(tmp_path, stack)) == alone


def test_a_stack_without_service_connect_is_refused(tmp_path: Path, stack: dict[str, Any]) -> None:
    del stack["resource"]["aws_ecs_service"]["service_1"]["service_connect_configuration"]
    with pytest.raises(BadInput, match="0 ECS services behind Service Connect"):
        scenario_of_stack(written(tmp_path, stack))


@pytest.mark.parametrize("part", ["provider", "resource"])
def test_a_stack_of_another_shape_is_refused(tmp_path: Path, stack: dict[str, Any], part: str) -> None:
    del stack[part]
    with pytest.raises(BadInput, match="not the stack that this model knows"):
        scenario_of_stack(written(tmp_path, stack))


def test_an_unreadable_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="make synth"):
        scenario_of_stack(tmp_path / "cdk.tf.json")
    (tmp_path / "cdk.tf.json").write_text("{")
    with pytest.raises(BadInput, match="not JSON"):
        scenario_of_stack(tmp_path / "cdk.tf.json")


def test_default_settings_serve_without_a_stack() -> None:
    settings = Settings(
        desired_count=4, cpu=512, memory=1024, architecture="ARM64", az_count=3, container_insights="enhanced"
    )
    found = scenario_of_settings(settings)
    assert (found.region, found.tasks, found.azs, found.insights) == (settings.region, 4, 3, True)
    assert (found.cpu, found.memory, found.architecture) == (512, 1024, "ARM64")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[]",
        "null",
        '{"resource": []}',
        '{"resource": {"aws_ecs_service": [1]}}',
        '{"resource": {"aws_ecs_service": {"a": []}}}',
        '{"resource": {"aws_ecs_service": {"a": {"service_connect_configuration": 7}}}}',
    ],
)
def test_a_hostile_stack_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cdk.tf.json"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        scenario_of_stack(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (10**20, "tasks = 1000000"),
        ("many", "tasks = 'many'"),
        (0, "tasks = 0: must be greater than or equal to 1"),
        (None, "tasks = None"),
        ([], "tasks: must be a valid integer"),
        (2.5, "tasks = 2.5"),
    ],
)
def test_a_stack_with_a_wrong_count_is_one_sentence(
    tmp_path: Path, stack: dict[str, Any], value: object, says: str
) -> None:
    stack["resource"]["aws_ecs_service"]["service_1"]["desired_count"] = value
    with pytest.raises(BadInput, match=f"cannot be priced: {says}"):
        scenario_of_stack(written(tmp_path, stack))


def test_the_one_stack_is_found(tmp_path: Path, stack: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_scenario() == scenario_of_settings(Settings())
    for name in ("one", "two"):
        (tmp_path / "cdktf.out/stacks" / name).mkdir(parents=True)
    assert default_scenario(written(tmp_path / "cdktf.out/stacks/one", stack)).tasks == 5
    assert default_scenario().tasks == 5
    written(tmp_path / "cdktf.out/stacks/two", stack)
    with pytest.raises(BadInput, match=r"one, two.*--stack"):
        default_scenario()
