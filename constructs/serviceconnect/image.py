"""The image: its repository."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.ecr_repository import EcrRepository, EcrRepositoryImageScanningConfiguration
from constructs import Construct

from serviceconnect.settings.common import CommonSettings

__all__ = ["Image"]


class Image(Construct):
    """A repository with immutable tags, and the URI of the image in it."""

    def __init__(self, scope: Construct, id: str, settings: CommonSettings, tag: str) -> None:
        super().__init__(scope, id)
        self.repository = EcrRepository(
            self,
            "repository",
            name=settings.name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            # Without it `destroy` stops at a repository that holds images.
            force_delete=True,
        )
        self.uri = f"{self.repository.repository_url}:{tag}"
