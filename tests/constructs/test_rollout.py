"""What a deployment waits for: the order, and the script that looks at the service's deployments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.constructs.stand_ins import SCRIPTS, StandIns
from tests.constructs.synthesis import Json, Synthesize, at, only, reference, script

SCRIPT = SCRIPTS / "await_deployment.sh"
NEW, OLD = (f"arn:aws:ecs:eu-west-2:123456789012:task-definition/probe:{revision}" for revision in (2, 1))
ENVIRONMENT = {
    "CLUSTER": "probe",
    "SERVICE": "probe",
    "TASK_DEFINITION": NEW,
    "AWS_REGION": "eu-west-2",
    "PAUSE": "0",
}


def test_the_service_itself_does_not_wait_for_its_tasks(stack: Json) -> None:
    # Or Terraform would replace one whose first tasks do not start.
    assert "wait_for_steady_state" not in only(stack, "aws_ecs_service")


def test_runs_the_script_for_the_service(stack: Json) -> None:
    (provisioner,) = at(stack, "terraform_data", "service/rolled-out")["provisioner"]
    local = provisioner["local-exec"]
    assert "when" not in local
    assert script(local["command"]) == "await_deployment"
    assert set(local["environment"]) == set(ENVIRONMENT) - {"PAUSE"}
    assert local["environment"]["TASK_DEFINITION"] == service(stack, "task_definition")


def test_waits_anew_for_every_change_of_which_ecs_makes_a_deployment(stack: Json, synthesize: Synthesize) -> None:
    network = only(stack, "aws_ecs_service")["network_configuration"]
    assert triggers(stack) == {
        "service": service(stack, "id"),
        "task_definition": service(stack, "task_definition"),
        "subnets": network["subnets"],
        "security_groups": network["security_groups"],
        "target_group": "",
        "request_timeout": 31,
        "fargate_spot": 0,
        "desired_count": 3,
    }
    compared = synthesize(comparison=True)
    (balancer,) = only(compared, "aws_ecs_service")["load_balancer"]
    assert triggers(compared)["target_group"] == balancer["target_group_arn"]
    grouped = synthesize(task_security_groups=("sg-0a1b",))
    assert triggers(grouped)["security_groups"] == [*network["security_groups"], "sg-0a1b"]


def test_autoscaling_is_not_waited_for(synthesize: Synthesize) -> None:
    # Terraform does not set the number then, and sees another with each step.
    assert "desired_count" not in triggers(synthesize(autoscaling="cpu"))


def triggers(stack: Json) -> Json:
    found = at(stack, "terraform_data", "service/rolled-out")["triggers_replace"]
    assert isinstance(found, dict)
    return found


def service(stack: Json, attribute: str) -> str:
    return reference(stack, "aws_ecs_service", "service/service", attribute)


def answers(tools: StandIns, *primary: str) -> None:
    """Have `aws` tell these of the primary deployment, one after the other, the last from then on."""
    for number, row in enumerate(primary):
        (tools.folder / f"answer-{number}").write_text(f"{row}\n")
    tools.add(
        "aws",
        f"""case "$*" in
        *events*) echo "(service probe) was unable to place a task." ;;
        *rolloutStateReason*) echo "ECS deployment circuit breaker: tasks failed to start." ;;
        *)
            n=$(cat "{tools.folder}/n" 2>/dev/null || echo 0)
            cat "{tools.folder}/answer-$n"
            [ "$n" = {len(primary) - 1} ] || echo $((n + 1)) > "{tools.folder}/n" ;;
        esac""",
    )


def test_waits_until_all_tasks_of_the_new_definition_run(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    answers(
        tools,
        f"ecs-svc/1 {OLD} COMPLETED 3 3",  # ECS does not show the new one everywhere at once
        *2 * [f"ecs-svc/2 {NEW} IN_PROGRESS 0 3"],
        f"ecs-svc/2 {NEW} COMPLETED 2 3",
        f"ecs-svc/2 {NEW} COMPLETED 3 3",
    )
    done = tools.run(SCRIPT, **ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == [
        "await_deployment: 0 of 3 tasks of ecs-svc/2 run, IN_PROGRESS.",
        "await_deployment: 2 of 3 tasks of ecs-svc/2 run, COMPLETED.",
    ]
    assert len(tools.calls()) == 5
    assert tools.calls()[0].startswith("aws ecs describe-services --region eu-west-2 --cluster probe --services probe ")


@pytest.mark.parametrize(
    ("then", "what"),
    [
        (f"ecs-svc/2 {NEW} FAILED 0 3", "failed: "),
        (f"ecs-svc/3 {OLD} IN_PROGRESS 0 3", f"was given up for ecs-svc/3, with {OLD}: "),
        # A network that the tasks cannot start in is rolled back as well, and the definition stays.
        (f"ecs-svc/3 {NEW} COMPLETED 3 3", f"was given up for ecs-svc/3, with {NEW}: "),
    ],
)
def test_a_deployment_that_fails_is_told_with_its_reason(tmp_path: Path, then: str, what: str) -> None:
    tools = StandIns(tmp_path / "bin")
    answers(tools, f"ecs-svc/2 {NEW} IN_PROGRESS 0 3", then)
    done = tools.run(SCRIPT, **ENVIRONMENT)
    assert done.returncode == 1
    reason, _, events = done.stderr.partition(" Newest events: ")
    assert reason.startswith(
        f"await_deployment: deployment ecs-svc/2 of service probe {what}ECS deployment circuit breaker: tasks failed to"
        " start."
    )
    assert events == "(service probe) was unable to place a task.\n"
    # ECS tries that one no more, and Terraform may see nothing to change; in place of the others it has put one.
    again = "aws ecs update-service --region eu-west-2 --cluster probe --service probe --force-new-deployment"
    assert (again in reason) == ("FAILED" in then)


@pytest.mark.parametrize("row", [f"ecs-svc/2 {NEW} IN_PROGRESS 1 3", f"ecs-svc/1 {OLD} COMPLETED 3 3", "None"])
def test_gives_up(tmp_path: Path, row: str) -> None:
    tools = StandIns(tmp_path / "bin")
    answers(tools, row)
    done = tools.run(SCRIPT, ATTEMPTS="3", **ENVIRONMENT)
    assert done.returncode == 1
    assert "is not completed, after twenty minutes" in done.stderr
    assert "was unable to place a task" in done.stderr
    assert len(tools.calls()) == 4


def test_an_error_of_aws_is_no_deployment(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("aws", 'echo "access denied" >&2; exit 254')
    done = tools.run(SCRIPT, **ENVIRONMENT)
    assert done.returncode == 254
    assert "access denied" in done.stderr
