"""What makes one `destroy` enough: the order, and the script that waits."""

from __future__ import annotations

from pathlib import Path

from tests.constructs.stand_ins import SCRIPTS, StandIns
from tests.constructs.synthesis import Json, address, at, only, reference, script

SCRIPT = SCRIPTS / "await_cloud_map.sh"
ENVIRONMENT = {"NAMESPACE_ID": "ns-1", "AWS_REGION": "eu-west-2", "PAUSE": "0"}


def test_stands_between_service_and_namespace(stack: Json) -> None:
    emptied = at(stack, "terraform_data", "cluster/emptied")
    assert emptied["input"] == {
        "namespace_id": reference(stack, "aws_service_discovery_http_namespace", "cluster/namespace", "id"),
        "region": "eu-west-2",
    }
    (provisioner,) = emptied["provisioner"]
    local = provisioner["local-exec"]
    assert local["when"] == "destroy"
    assert script(local["command"]) == "await_cloud_map"
    # A destroy-time provisioner may refer to nothing else.
    assert all(value.startswith("${self.") for value in local["environment"].values())
    assert address(stack, "terraform_data", "cluster/emptied") in only(stack, "aws_ecs_service")["depends_on"]


def test_waits_until_the_namespace_is_empty(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    # Two answers with a service, then none.
    tools.add("aws", f'n=$(cat "{tmp_path}/n" 2>/dev/null); echo "x$n" > "{tmp_path}/n"; [ "$n" = xx ] || echo srv-1')
    done = tools.run(SCRIPT, **ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("still holds srv-1") == 2
    call, *_ = tools.calls()
    assert call.startswith("aws servicediscovery list-services --region eu-west-2")
    assert "Name=NAMESPACE_ID,Values=ns-1,Condition=EQ" in call
    assert len(tools.calls()) == 3


def test_gives_up_with_a_way_out(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("aws", "echo srv-1")
    done = tools.run(SCRIPT, ATTEMPTS="3", **ENVIRONMENT)
    assert done.returncode == 1
    assert len(tools.calls()) == 3
    assert "srv-1" in done.stderr
    assert "delete-service" in done.stderr


def test_an_error_of_aws_is_not_an_empty_namespace(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("aws", 'echo "access denied" >&2; exit 254')
    done = tools.run(SCRIPT, **ENVIRONMENT)
    assert done.returncode == 254
    assert "access denied" in done.stderr
