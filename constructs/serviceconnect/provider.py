"""The AWS provider."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from constructs import Construct

from serviceconnect.settings.common import CommonSettings

__all__ = ["aws_provider"]


def aws_provider(scope: Construct, settings: CommonSettings) -> AwsProvider:
    """The provider for the settings' Region, which tags whatever it makes."""
    return AwsProvider(
        scope,
        "aws",
        region=settings.region,
        default_tags=[AwsProviderDefaultTags(tags={"Project": settings.name, **settings.tags})],
    )
