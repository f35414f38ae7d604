"""The AWS provider: for AWS itself, or for another endpoint such as the twin's."""

from __future__ import annotations

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags, AwsProviderEndpoints
from constructs import Construct

from serviceconnect.settings.common import CommonSettings

__all__ = ["aws_provider"]

# The bindings name the one version that they were made from. The first is CDKTF's last; later ones have fixes, and the
# same resources until the next major version.
VERSIONS = ">= 6.25, < 7"

# The services of the stack, as the provider calls them.
SERVICES = (
    "apigatewayv2",
    "appautoscaling",
    "cloudwatch",
    "ec2",
    "ecr",
    "ecs",
    "elbv2",
    "iam",
    "logs",
    "route53",
    "servicediscovery",
    "sts",
)


def aws_provider(scope: Construct, settings: CommonSettings, endpoint_url: str) -> AwsProvider:
    """The provider for the settings' Region, which tags whatever it makes; *endpoint_url* is empty for AWS itself."""
    # By its whole name, which OpenTofu takes too.
    required = {"source": "hashicorp/aws", "version": VERSIONS}
    TerraformStack.of(scope).add_override("terraform.required_providers.aws", required)
    elsewhere = {}
    if endpoint_url:
        elsewhere = {
            "endpoints": [AwsProviderEndpoints(**dict.fromkeys(SERVICES, endpoint_url))],
            "skip_credentials_validation": True,
            "skip_metadata_api_check": "true",
        }
    return AwsProvider(
        scope,
        "aws",
        region=settings.region,
        default_tags=[AwsProviderDefaultTags(tags={"Project": settings.name, **settings.tags})],
        **elsewhere,
    )
