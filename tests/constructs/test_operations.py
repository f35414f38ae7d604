"""Autoscaling, alarms and dashboard."""

from __future__ import annotations

import json

from tests.constructs.synthesis import Json, Synthesize, address, at, only, reference

# What CloudWatch has for traffic that comes from API Gateway.
GATEWAY = {"Count", "4xx", "5xx", "Latency", "IntegrationLatency"}
PROXY = {"RequestCount", "ActiveConnectionCount", "NewConnectionCount", "ProcessedBytes"}
TASKS = {"CPUUtilization", "MemoryUtilization"}


def test_no_autoscaling_by_default(stack: Json) -> None:
    assert not [kind for kind in stack["resource"] if kind.startswith("aws_appautoscaling")]


def test_autoscaling_by_cpu(synthesize: Synthesize) -> None:
    stack = synthesize(autoscaling="cpu", autoscaling_minimum=2, autoscaling_maximum=9, autoscaling_target=55)
    target = only(stack, "aws_appautoscaling_target")
    assert (target["min_capacity"], target["max_capacity"]) == (2, 9)
    assert target["scalable_dimension"] == "ecs:service:DesiredCount"
    tracking = only(stack, "aws_appautoscaling_policy")["target_tracking_scaling_policy_configuration"]
    assert tracking["target_value"] == 55
    assert tracking["predefined_metric_specification"] == {"predefined_metric_type": "ECSServiceAverageCPUUtilization"}
    # Else every deployment would undo the scaling.
    assert only(stack, "aws_ecs_service")["lifecycle"] == {"ignore_changes": ["desired_count"]}


def test_autoscaling_by_requests(everything: Json) -> None:
    tracking = only(everything, "aws_appautoscaling_policy")["target_tracking_scaling_policy_configuration"]
    assert "predefined_metric_specification" not in tracking
    queries = {query["id"]: query for query in tracking["customized_metric_specification"]["metrics"]}
    assert queries["each"]["expression"] == "FILL(requests, 0) / tasks"
    assert [query for query in queries if queries[query]["return_data"]] == ["each"]
    requests = queries["requests"]["metric_stat"]["metric"]
    assert requests["metric_name"] == "RequestCount"
    assert {dimension["name"] for dimension in requests["dimensions"]} == {
        "ClusterName",
        "ServiceName",
        "DiscoveryName",
    }


def test_alarms(synthesize: Synthesize) -> None:
    topic = "arn:aws:sns:eu-west-2:123456789012:alarms"
    stack = synthesize(desired_count=4, alarm_topic_arn=topic)
    errors, throttles, tasks = (
        at(stack, "aws_cloudwatch_metric_alarm", f"alarms/{name}") for name in ("errors", "throttles", "tasks")
    )
    assert [query.get("expression") for query in errors["metric_query"]] == [None, None, "100 * errors / requests"]
    assert (tasks["threshold"], tasks["comparison_operator"]) == (4, "LessThanThreshold")
    # No task, no metric.
    assert tasks["treat_missing_data"] == "breaching"
    # Before the first ones have started there are too few.
    assert tasks["depends_on"] == [address(stack, "terraform_data", "service/rolled-out")]
    # API Gateway counts no 429 for an HTTP API: the number comes from its log.
    counted = only(stack, "aws_cloudwatch_log_metric_filter")
    assert counted["log_group_name"] == reference(stack, "aws_cloudwatch_log_group", "logs/access", "name")
    (metric,) = [counted["metric_transformation"]]
    assert (throttles["namespace"], throttles["metric_name"]) == (metric["namespace"], metric["name"])
    assert all(alarm["alarm_actions"] == [topic] for alarm in (errors, throttles, tasks))


def test_alarms_without_topic_and_with_autoscaling(stack: Json, synthesize: Synthesize) -> None:
    assert "alarm_actions" not in at(stack, "aws_cloudwatch_metric_alarm", "alarms/errors")
    scaled = synthesize(autoscaling="cpu", autoscaling_minimum=2)
    assert at(scaled, "aws_cloudwatch_metric_alarm", "alarms/tasks")["threshold"] == 2


def test_dashboard_shows_metrics_that_exist(stack: Json) -> None:
    body = json.loads(only(stack, "aws_cloudwatch_dashboard")["dashboard_body"])
    rows = [row for widget in body["widgets"] for row in widget["properties"]["metrics"]]
    by_namespace: dict[str, set[str]] = {}
    for namespace, name, *dimensions, _ in rows:
        by_namespace.setdefault(namespace, set()).add(name)
        # Those by TargetDiscoveryName count only what other Service Connect tasks send.
        assert "TargetDiscoveryName" not in dimensions
    assert by_namespace == {"AWS/ApiGateway": GATEWAY, "AWS/ECS": PROXY | TASKS, "serviceconnect": {"Throttled"}}


def test_dashboard_widgets_do_not_overlap(stack: Json) -> None:
    widgets = json.loads(only(stack, "aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
    places = {(widget["x"], widget["y"]) for widget in widgets}
    assert len(places) == len(widgets)
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)
