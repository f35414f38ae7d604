from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.twin.running import CREDENTIALS
from twin.aws.client import Aws
from twin.errors import BadStack, StartFailed
from twin.gaps import Gap
from twin.machine.addresses import free_port
from twin.stack import Deployment, deploy
from twin.stack.terraform import Resource, Stack, load_stack

Requests = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def shop() -> Stack:
    """A stack in CDKTF's shape with a resource of nearly every type that the twin deploys."""
    return load_stack(Path(__file__).parent.parent / "cdk.tf.json")


@pytest.fixture(scope="module")
def deployment(shop: Stack, aws: Aws) -> Deployment:
    return deploy(shop, aws)


def stack(arguments_by_address: Mapping[str, Mapping[str, Any]], outputs: Mapping[str, Any] | None = None) -> Stack:
    resources = {address: Resource(address, given, {}) for address, given in arguments_by_address.items()}
    return Stack("small", "eu-west-2", {}, resources, outputs or {})


def sent(requests: Requests, operation: str) -> dict[str, Any]:
    (request,) = [request for name, request in requests if name == operation]
    return request


def tags(**given: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def test_outputs_are_resolved(deployment: Deployment) -> None:
    api = deployment.attributes["aws_apigatewayv2_api.api"]

    assert deployment.outputs == {
        "cluster_name": "shop",
        "gateway_url": api["api_endpoint"],
        "image": "123456789012.dkr.ecr.eu-west-2.amazonaws.com/shop:v1",
        "region": "eu-west-2",
        "stage_url": f"{api['api_endpoint']}/live",
    }


def test_a_url_of_an_api_leads_to_aws_so_the_one_here_stands_in_its_place(aws: Aws) -> None:
    """Of each API its own: two with a domain name, which the mappings' keys share."""
    domain = {"domain_name": "api.example.com"}
    resources: dict[str, Mapping[str, Any]] = {"aws_apigatewayv2_domain_name.main": domain}
    for name, stage, key in (("orders", "v1", {}), ("billing", "$default", {"api_mapping_key": "billing"})):
        at = {"api_id": f"${{aws_apigatewayv2_api.{name}.id}}"}
        resources |= {
            f"aws_apigatewayv2_api.{name}": {"name": name, "protocol_type": "HTTP"},
            f"aws_apigatewayv2_stage.{name}": {**at, "name": stage},
            f"aws_apigatewayv2_api_mapping.{name}": {
                **(at | key),
                "domain_name": "${aws_apigatewayv2_domain_name.main.id}",
                "stage": f"${{aws_apigatewayv2_stage.{name}.name}}",
            },
        }
    outputs = {
        "gateway_url": "https://api.example.com",
        "comparison_url": "https://api.example.com/alb",
        "billing_url": "https://api.example.com/billing/all",
        "stage_url": "${aws_apigatewayv2_stage.billing.invoke_url}",
        "other": "https://api.example.com.au",
    }

    result = deploy(stack(resources, outputs), aws)

    orders, billing = (
        result.attributes[f"aws_apigatewayv2_api.{name}"]["api_endpoint"] for name in ("orders", "billing")
    )
    assert orders != billing
    assert result.outputs == {
        "gateway_url": f"{orders}/v1",
        "comparison_url": f"{orders}/v1/alb",
        "billing_url": f"{billing}/all",
        "stage_url": f"{billing}/",
        "other": "https://api.example.com.au",
    }
    assert f"output gateway_url: https://api.example.com leads to AWS, so it is {orders}/v1" in [
        str(passed) for passed in result.gaps
    ]


def test_a_data_source_has_the_service_of_its_own_namespace(aws: Aws) -> None:
    resources: dict[str, dict[str, Any]] = {}
    for name in ("first", "second"):
        where = {"name": "same", "namespace_id": f"${{aws_service_discovery_http_namespace.{name}.id}}"}
        resources[f"aws_service_discovery_http_namespace.{name}"] = {"name": name}
        resources[f"aws_service_discovery_service.{name}"] = where
        resources[f"data.aws_service_discovery_service.{name}"] = where | {
            "depends_on": [f"aws_service_discovery_service.{name}"]
        }

    made = deploy(stack(resources), aws).attributes

    for name in ("first", "second"):
        own, found = (made[f"{data}aws_service_discovery_service.{name}"]["arn"] for data in ("", "data."))
        assert own == found
    assert made["aws_service_discovery_service.first"]["arn"] != made["aws_service_discovery_service.second"]["arn"]


def test_all_that_is_passed_over_is_listed(deployment: Deployment) -> None:
    assert {gap.where + (gap.what and f", {gap.what}") for gap in deployment.gaps} == {
        "aws_cloudwatch_dashboard.dashboard",
        "aws_iam_role_policy_attachment.execution",
        "aws_vpc_endpoint.s3",
        "aws_vpc_security_group_egress_rule.layers",
        "output dashboard",
        "output shouted",
        "output stage_url",
        "terraform_data.wait",
    }
    assert str(next(it for it in deployment.gaps if it.where.endswith("egress_rule.layers"))) == (
        "aws_vpc_security_group_egress_rule.layers: its prefix_list_id refers to aws_vpc_endpoint.s3, "
        "which the twin passes over"
    )


def test_ecs_gets_the_service_as_the_provider_would_send_it(deployment: Deployment, ecs_requests: Requests) -> None:
    made = deployment.attributes

    assert sent(ecs_requests, "CreateService") == {
        "availabilityZoneRebalancing": "ENABLED",
        "cluster": "arn:aws:ecs:eu-west-2:123456789012:cluster/shop",
        "deploymentConfiguration": {
            "alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True},
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
        },
        "desiredCount": 3,
        "enableExecuteCommand": False,
        "healthCheckGracePeriodSeconds": 30,
        "launchType": "FARGATE",
        "loadBalancers": [
            {
                "containerName": "app",
                "containerPort": 8080,
                "targetGroupArn": made["aws_lb_target_group.tasks"]["arn"],
            }
        ],
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "assignPublicIp": "DISABLED",
                "securityGroups": [made["aws_security_group.tasks"]["id"]],
                "subnets": [made["aws_subnet.private-a"]["id"], made["aws_subnet.private-b"]["id"]],
            }
        },
        "propagateTags": "SERVICE",
        "serviceConnectConfiguration": {
            "enabled": True,
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/shop"}},
            "namespace": made["aws_service_discovery_http_namespace.namespace"]["arn"],
            "services": [
                {
                    "clientAliases": [{"dnsName": "shop", "port": 8080}],
                    "discoveryName": "shop-http",
                    "portName": "http",
                    "timeout": {"idleTimeoutSeconds": 300, "perRequestTimeoutSeconds": 30},
                }
            ],
        },
        "serviceName": "shop",
        "tags": tags(Project="shop", team="a"),
        "taskDefinition": "arn:aws:ecs:eu-west-2:123456789012:task-definition/shop:1",
    }


def test_ecs_gets_the_task_definition(deployment: Deployment, ecs_requests: Requests) -> None:
    request = sent(ecs_requests, "RegisterTaskDefinition")
    (container,) = request.pop("containerDefinitions")

    assert request == {
        "cpu": "256",
        "executionRoleArn": deployment.attributes["aws_iam_role.execution"]["arn"],
        "family": "shop",
        "memory": "512",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "tags": tags(Project="shop"),
        "volumes": [{"name": "scratch"}],
    }
    assert container["image"] == deployment.outputs["image"]
    assert container["environment"] == [{"name": "PRICE", "value": "${not a reference}"}]
    assert container["portMappings"] == [{"name": "http", "containerPort": 8080, "appProtocol": "http"}]
    assert container["logConfiguration"]["options"]["awslogs-region"] == "eu-west-2"


def test_ecs_gets_the_cluster(deployment: Deployment, ecs_requests: Requests) -> None:
    assert sent(ecs_requests, "CreateCluster") == {
        "clusterName": "shop",
        "settings": [{"name": "containerInsights", "value": "enabled"}],
        "tags": tags(Project="shop"),
    }
    assert sent(ecs_requests, "PutClusterCapacityProviders") == {
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "cluster": "shop",
        "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
    }


def test_the_integration_leads_to_the_service_that_ecs_made_in_cloud_map(deployment: Deployment, aws: Aws) -> None:
    api = deployment.attributes["aws_apigatewayv2_api.api"]["id"]
    (integration,) = aws.call("apigatewayv2", "GetIntegrations", ApiId=api)["Items"]
    (route,) = aws.call("apigatewayv2", "GetRoutes", ApiId=api)["Items"]
    namespace = deployment.attributes["aws_service_discovery_http_namespace.namespace"]["id"]
    (service,) = aws.call(
        "servicediscovery", "ListServices", Filters=[{"Name": "NAMESPACE_ID", "Values": [namespace]}]
    )["Services"]

    assert service["Name"] == "shop-http"
    assert integration["IntegrationUri"] == service["Arn"]
    assert integration["ConnectionId"] == deployment.attributes["aws_apigatewayv2_vpc_link.vpc-link"]["id"]
    assert integration["RequestParameters"] == {"overwrite:path": "$request.path"}
    assert integration["ResponseParameters"] == {"200": {"overwrite:header.x-stage": "live"}}
    assert integration["TimeoutInMillis"] == 29000
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    assert route["AuthorizerId"] == deployment.attributes["aws_apigatewayv2_authorizer.jwt"]["id"]


def test_the_stage_has_its_throttling_and_its_log(deployment: Deployment, aws: Aws) -> None:
    (stage,) = aws.call("apigatewayv2", "GetStages", ApiId=deployment.attributes["aws_apigatewayv2_api.api"]["id"])[
        "Items"
    ]

    assert (stage["StageName"], stage["AutoDeploy"]) == ("live", True)
    assert stage["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 200, "ThrottlingRateLimit": 100.0}
    assert stage["RouteSettings"] == {"GET /hostname": {"ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 2.5}}
    assert stage["AccessLogSettings"] == {
        "DestinationArn": "arn:aws:logs:eu-west-2:123456789012:log-group:/ecs/shop",
        "Format": '{"requestId":"$context.requestId"}',
    }
    assert stage["Tags"] == {"Project": "shop"}


def test_the_network_has_what_the_provider_sets_after_creation(deployment: Deployment, aws: Aws) -> None:
    vpc = deployment.attributes["aws_vpc.vpc"]
    hostnames = aws.call("ec2", "DescribeVpcAttribute", VpcId=vpc["id"], Attribute="enableDnsHostnames")
    (described,) = aws.call("ec2", "DescribeVpcs", VpcIds=[vpc["id"]])["Vpcs"]
    subnets = aws.call("ec2", "DescribeSubnets", Filters=[{"Name": "vpc-id", "Values": [vpc["id"]]}])["Subnets"]

    assert hostnames["EnableDnsHostnames"] == {"Value": True}
    assert vpc["arn"] == f"arn:aws:ec2:eu-west-2:123456789012:vpc/{vpc['id']}"
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]} == {"Project": "shop", "Name": "shop"}
    assert {subnet["AvailabilityZone"] for subnet in subnets} == {"eu-west-2a", "eu-west-2b"}


def test_only_declared_rules_hold(deployment: Deployment, aws: Aws) -> None:
    group = deployment.attributes["aws_security_group.tasks"]
    (described,) = aws.call("ec2", "DescribeSecurityGroups", GroupIds=[group["id"]])["SecurityGroups"]
    (into,), (out,) = described["IpPermissions"], described["IpPermissionsEgress"]

    assert (into["FromPort"], into["IpRanges"]) == (8080, [{"CidrIp": "10.0.0.0/16"}])
    assert out["UserIdGroupPairs"][0]["GroupId"] == deployment.attributes["aws_security_group.endpoints"]["id"]
    assert described["Description"] == "Tasks"


def test_log_groups_and_roles(deployment: Deployment, aws: Aws) -> None:
    (group,) = aws.call("logs", "DescribeLogGroups", logGroupNamePrefix="/ecs/shop")["logGroups"]
    role = deployment.attributes["aws_iam_role.execution"]
    document = aws.call("iam", "GetRole", RoleName=role["name"])["Role"]["AssumeRolePolicyDocument"]

    assert (group["logGroupName"], group["retentionInDays"]) == ("/ecs/shop", 30)
    assert role["name"].startswith("shop-")
    assert len(role["name"]) == len("shop-") + 26
    assert document["Statement"][0]["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}


def test_the_load_balancer_forwards_by_path(deployment: Deployment, aws: Aws) -> None:
    (balancer,) = aws.call("elbv2", "DescribeLoadBalancers", Names=["shop"])["LoadBalancers"]
    (group,) = aws.call("elbv2", "DescribeTargetGroups", Names=["shop"])["TargetGroups"]
    (listener,) = aws.call("elbv2", "DescribeListeners", LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    rules = aws.call("elbv2", "DescribeRules", ListenerArn=listener["ListenerArn"])["Rules"]
    rule = next(rule for rule in rules if rule["Priority"] == "10")

    assert (balancer["Scheme"], balancer["Type"]) == ("internal", "application")
    assert deployment.attributes["aws_lb.inner"]["dns_name"] == balancer["DNSName"]
    assert (group["HealthCheckPath"], group["HealthCheckIntervalSeconds"], group["Matcher"]) == (
        "/ready",
        10,
        {"HttpCode": "200"},
    )
    assert (group["HealthyThresholdCount"], group["TargetType"]) == (2, "ip")
    assert listener["DefaultActions"][0]["FixedResponseConfig"] == {"ContentType": "text/plain", "StatusCode": "404"}
    assert rule["Conditions"][0]["Field"] == "path-pattern"
    assert rule["Conditions"][0]["PathPatternConfig"] == {"Values": ["/hostname"]}
    assert rule["Actions"][0]["ForwardConfig"]["TargetGroups"] == [
        {"TargetGroupArn": group["TargetGroupArn"], "Weight": 1}
    ]


def test_load_balancer_attributes_are_set(deployment: Deployment, aws: Aws) -> None:
    balancer = deployment.attributes["aws_lb.inner"]["arn"]
    group = deployment.attributes["aws_lb_target_group.tasks"]["arn"]
    of_balancer = aws.call("elbv2", "DescribeLoadBalancerAttributes", LoadBalancerArn=balancer)["Attributes"]
    of_group = aws.call("elbv2", "DescribeTargetGroupAttributes", TargetGroupArn=group)["Attributes"]
    values = {attribute["Key"]: attribute["Value"] for attribute in (*of_balancer, *of_group)}

    assert values["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert values["idle_timeout.timeout_seconds"] == "60"
    assert values["deregistration_delay.timeout_seconds"] == "5"
    assert values["load_balancing.algorithm.type"] == "least_outstanding_requests"


def test_what_has_no_use_is_listed_and_the_rest_is_made(aws: Aws) -> None:
    small = stack(
        {
            "aws_ecr_repository.one": {
                "name": "one",
                "colour": "red",
                "force_delete": True,
                "image_scanning_configuration": {"scan_on_push": True, "taste": "sweet"},
                "encryption_configuration": {"kms_key": "${aws_kms_key.key.arn}"},
                "image_tag_mutability": "${aws_vpc.vpc.mutability}",
            },
            "aws_kms_key.key": {},
            "aws_vpc.vpc": {"cidr_block": "10.9.0.0/16"},
        }
    )

    gaps = deploy(small, aws).gaps

    assert set(gaps) == {
        Gap("aws_kms_key.key", "", "the twin has no part that would use it"),
        Gap("aws_ecr_repository.one", "argument colour", "the twin has no use for it"),
        Gap("aws_ecr_repository.one", "argument image_scanning_configuration.taste", "the twin has no use for it"),
        Gap(
            "aws_ecr_repository.one",
            "argument encryption_configuration",
            "refers to aws_kms_key.key, which the twin passes over",
        ),
        Gap(
            "aws_ecr_repository.one",
            "argument image_tag_mutability",
            "refers to aws_vpc.vpc.mutability, an attribute that the twin does not know",
        ),
    }
    (repository,) = aws.call("ecr", "DescribeRepositories", repositoryNames=["one"])["repositories"]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}


def test_a_name_is_made_where_none_is_given(aws: Aws) -> None:
    group = deploy(stack({"aws_cloudwatch_log_group.group": {}}), aws).attributes["aws_cloudwatch_log_group.group"]

    (made,) = aws.call("logs", "DescribeLogGroups", logGroupNamePrefix="terraform-")["logGroups"]
    assert made["logGroupName"] == group["name"] == group["id"]


def test_a_provisioner_is_left_to_terraform(aws: Aws) -> None:
    group = Resource(
        "aws_cloudwatch_log_group.provisioned",
        {"name": "provisioned"},
        {"provisioner": [{"local-exec": {"command": "true"}}], "lifecycle": {"prevent_destroy": True}},
    )

    gaps = deploy(Stack("small", "eu-west-2", {}, {group.address: group}, {}), aws).gaps

    assert gaps == (Gap(group.address, "argument provisioner", "the twin leaves it to Terraform"),)


def test_a_service_of_cloud_map_is_made_in_a_private_dns_namespace(aws: Aws) -> None:
    made = deploy(
        stack(
            {
                "aws_vpc.dns": {"cidr_block": "10.7.0.0/16"},
                "aws_service_discovery_private_dns_namespace.dns": {
                    "name": "dns.internal",
                    "vpc": "${aws_vpc.dns.id}",
                },
                "aws_service_discovery_service.orders": {
                    "name": "orders",
                    "dns_config": {
                        "namespace_id": "${aws_service_discovery_private_dns_namespace.dns.id}",
                        "dns_records": [{"type": "SRV", "ttl": 10}],
                        "routing_policy": "MULTIVALUE",
                    },
                    "health_check_custom_config": {},
                },
            }
        ),
        aws,
    )

    arn = made.attributes["aws_service_discovery_service.orders"]["arn"]
    (service,) = aws.call(
        "servicediscovery",
        "ListServices",
        Filters=[
            {
                "Name": "NAMESPACE_ID",
                "Values": [made.attributes["aws_service_discovery_private_dns_namespace.dns"]["arn"]],
            }
        ],
    )["Services"]
    assert (service["Arn"], service["DnsConfig"]["DnsRecords"]) == (arn, [{"Type": "SRV", "TTL": 10}])
    assert made.gaps == ()


def test_scaling_is_registered(aws: Aws) -> None:
    deploy(
        stack(
            {
                "aws_appautoscaling_target.reads": {
                    "max_capacity": 9,
                    "min_capacity": 3,
                    "resource_id": "table/shop",
                    "scalable_dimension": "dynamodb:table:ReadCapacityUnits",
                    "service_namespace": "dynamodb",
                },
                "aws_appautoscaling_policy.reads": {
                    "name": "reads",
                    "policy_type": "TargetTrackingScaling",
                    "resource_id": "${aws_appautoscaling_target.reads.resource_id}",
                    "scalable_dimension": "${aws_appautoscaling_target.reads.scalable_dimension}",
                    "service_namespace": "${aws_appautoscaling_target.reads.service_namespace}",
                    "target_tracking_scaling_policy_configuration": {
                        "predefined_metric_specification": {
                            "predefined_metric_type": "DynamoDBReadCapacityUtilization"
                        },
                        "target_value": 60,
                    },
                },
            }
        ),
        aws,
    )

    service = "application-autoscaling"
    (target,) = aws.call(service, "DescribeScalableTargets", ServiceNamespace="dynamodb")["ScalableTargets"]
    (policy,) = aws.call(service, "DescribeScalingPolicies", ServiceNamespace="dynamodb")["ScalingPolicies"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (3, 9)
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60.0


@pytest.mark.parametrize(
    ("address", "arguments", "sentence"),
    [
        (
            "aws_cloudwatch_log_group.all",
            {"name": "${aws_vpc.missing.id}"},
            r"aws_cloudwatch_log_group\.all refers to aws_vpc\.missing\.id, but the stack has no aws_vpc\.missing\.",
        ),
        (
            "aws_ecs_task_definition.task",
            {"family": "all", "container_definitions": "[{]"},
            r"aws_ecs_task_definition\.task: the argument container_definitions is no JSON text \(line 1, column 3",
        ),
        (
            "aws_ecs_service.service",
            {"cluster": "all", "desired_count": "many"},
            r'aws_ecs_service\.service: Missing required parameter in input: "serviceName"; Invalid type for parameter '
            "desiredCount, value: many",
        ),
        (
            "aws_ecs_service.service",
            {"name": "all", "cluster": "absent", "task_definition": "${aws_kms_key.key.arn}"},
            r"No service of small can run on this machine: aws_ecs_service\.service: its task_definition refers to "
            r"aws_kms_key\.key, which the twin passes over\.",
        ),
        (
            "aws_ecs_service.service",
            {"name": "all", "cluster": "absent", "network_configuration": [{"subnets": ["subnet-0a1b2c"]}]},
            r"its network_configuration names subnet-0a1b2c, which is on AWS and not on this machine\.",
        ),
        (
            "aws_ecs_service.service",
            {"name": "all", "cluster": "absent", "desired_count": "${title(aws_kms_key.key.id)}"},
            r"its desired_count is not evaluated: \$\{title\(aws_kms_key\.key\.id\)\} is more than references",
        ),
        (
            "aws_ecs_service.service",
            {"name": "all", "cluster": "absent", "health_check_grace_period_seconds": "${var.seconds}"},
            r"CreateService was refused \(ClusterNotFoundException: Cluster not found\); "
            r"health_check_grace_period_seconds was left out, for it is not evaluated",
        ),
        (
            "data.aws_service_discovery_service.discovered",
            {"name": "all", "namespace_id": "ns-1"},
            r"discovered: the namespace ns-1 has no Cloud Map service 'all'; ECS makes it with the service, so",
        ),
        (
            "data.aws_service_discovery_service.discovered",
            {"name": "all"},
            r"discovered: the argument 'namespace_id' is missing\.",
        ),
    ],
)
def test_what_cannot_be_deployed_is_one_sentence(
    address: str, arguments: Mapping[str, Any], sentence: str, aws: Aws
) -> None:
    small = stack({address: arguments, "aws_kms_key.key": {}})

    with pytest.raises(BadStack, match=sentence) as refusal:
        deploy(small, aws)

    assert "\n" not in str(refusal.value)


def test_a_secret_has_its_version(aws: Aws) -> None:
    secret = "${aws_secretsmanager_secret.main.id}"
    made = deploy(
        stack(
            {
                "aws_secretsmanager_secret.main": {"name": "main", "recovery_window_in_days": 0},
                "aws_secretsmanager_secret_version.main": {"secret_id": secret, "secret_string": "s3cret"},
            }
        ),
        aws,
    ).attributes

    arn = made["aws_secretsmanager_secret.main"]["arn"]
    assert aws.call("secretsmanager", "GetSecretValue", SecretId=arn)["SecretString"] == "s3cret"


def test_an_endpoint_that_does_not_answer() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(StartFailed, match=f"The AWS endpoint {nowhere} does not answer"):
        deploy(stack({"aws_ecs_cluster.cluster": {"name": "shop"}}), Aws(nowhere, "eu-west-2", CREDENTIALS))


def test_attributes_are_plain_values(deployment: Deployment, shop: Stack) -> None:
    assert deployment.attributes.keys() < shop.resources.keys()
    assert json.loads(json.dumps(deployment.attributes)) == deployment.attributes
