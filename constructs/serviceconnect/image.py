"""The image: its repository, and the build and push that come before the service."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cdktf import (
    AssetType,
    DataResource,
    ITerraformDependable,
    LocalExecProvisioner,
    TerraformAsset,
    TerraformResourceLifecycle,
)
from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktf_cdktf_provider_aws.ecr_repository import EcrRepository, EcrRepositoryImageScanningConfiguration
from constructs import Construct

from serviceconnect.scripts import command
from serviceconnect.settings.service import ServiceSettings
from serviceconnect.source import LOAD_TAG, ImageSource

__all__ = ["GivenImage", "Image", "given_image", "push"]

PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}

# How the tags begin by which mark_deployed.sh marks the image that runs and the one before it.
DEPLOYED = "deployed-"


def _expire(priority: int, description: str, number: int, prefix: str = "") -> dict[str, object]:
    tags = {"tagStatus": "tagged", "tagPrefixList": [prefix]} if prefix else {"tagStatus": "any"}
    return {
        "rulePriority": priority,
        "description": description,
        "selection": {**tags, "countType": "imageCountMoreThan", "countNumber": number},
        "action": {"type": "expire"},
    }


# What a rule selects, those after it leave alone, whether or not it expires: so nothing that is deployed goes, though
# it was pushed long ago, and no change of load/ expires the service's image.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html#lp_evaluation_rules
LIFECYCLE = {
    "rules": [
        _expire(1, "Keep what is deployed, and what was before it", 100, DEPLOYED),
        _expire(2, "Keep the last five images of the load fleet", 5, LOAD_TAG),
        _expire(3, "Keep the last twenty images: enough to roll back to", 20),
    ]
}


@dataclass(frozen=True)
class GivenImage:
    """An image that somebody else builds; the ARN of its repository is empty if that is not in this Region's ECR."""

    uri: str
    repository_url: str
    repository_arn: str
    pushed: tuple[DataResource, ...] = ()


def given_image(settings: ServiceSettings) -> GivenImage:
    """The image that ``image_uri`` names."""
    uri = settings.image_uri
    url = uri.partition("@")[0] if "@" in uri else uri.rpartition(":")[0]
    name, account = settings.repository_name, uri.partition(".")[0]
    arn = f"arn:aws:ecr:{settings.region}:{account}:repository/{name}" if name else ""
    return GivenImage(uri, url, arn)


class Image(Construct):
    """A repository with immutable tags and, with *push_it*, the image of *source* in it."""

    def __init__(
        self, scope: Construct, id: str, settings: ServiceSettings, source: ImageSource, push_it: bool
    ) -> None:
        super().__init__(scope, id)
        repository = EcrRepository(
            self,
            "repository",
            name=settings.repository_name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            # Without it `destroy` stops at a repository that holds images.
            force_delete=True,
            # With an image of somebody else's the service moves to it before this one goes.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        EcrLifecyclePolicy(
            self,
            "lifecycle",
            repository=repository.name,
            policy=json.dumps(LIFECYCLE),
        )
        self.repository = repository
        self.repository_url = repository.repository_url
        self.repository_arn = repository.arn
        self.uri = f"{repository.repository_url}:{source.tag}"
        self._region, self._tag = settings.region, source.tag
        self.pushed: tuple[DataResource, ...] = ()
        if push_it:
            self.pushed = (push(self, "push", settings, repository, source),)

    def mark_deployed(self, rolled_out: ITerraformDependable) -> None:
        """Keep the image from its repository's lifecycle once it has *rolled_out*, if it was pushed."""
        if self.pushed:
            environment = {
                "REPOSITORY_NAME": self.repository.name,
                "TAG": self._tag,
                "AWS_REGION": self._region,
            }
            DataResource(
                self,
                "deployed",
                triggers_replace={"image": self.uri},
                provisioners=[
                    LocalExecProvisioner(
                        type="local-exec", command=command(self, "mark_deployed.sh"), environment=environment
                    )
                ],
                depends_on=[rolled_out],
            )


def push(
    scope: Construct, id: str, settings: ServiceSettings, repository: EcrRepository, source: ImageSource
) -> DataResource:
    """What to wait for until the image of *source* is in *repository*."""
    folder = str(source.copied())
    context = TerraformAsset(scope, f"{id}-context", path=folder, type=AssetType.DIRECTORY, asset_hash=source.tag)
    environment = {
        "CONTEXT": context.path,
        "DOCKERFILE": source.dockerfile,
        "REPOSITORY_NAME": repository.name,
        "REPOSITORY_URL": repository.repository_url,
        "TAG": source.tag,
        "PLATFORM": PLATFORMS[settings.architecture],
        "AWS_REGION": settings.region,
    }
    return DataResource(
        scope,
        id,
        triggers_replace={"image": f"{repository.repository_url}:{source.tag}"},
        provisioners=[
            LocalExecProvisioner(type="local-exec", command=command(scope, "push_image.sh"), environment=environment)
        ],
    )
