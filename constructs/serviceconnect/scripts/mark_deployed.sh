#!/bin/sh
# Mark the image that runs in ECR, and leave the mark on the one before it: the repository's lifecycle goes by the time of
# the push, and would expire an old image that was deployed again. A mark is a tag, deployed-<UTC time>-<tag>, for tags are
# immutable and cannot move.
# In: REPOSITORY_NAME, TAG, AWS_REGION. Needs aws.
set -eu

# The AWS CLI of the project's own virtual environment, where there is no other: in a folder above.
above=$(cd "$(dirname "$0")" && pwd)
while [ "$above" != / ] && [ ! -x "$above/.venv/bin/aws" ]; do
    above=$(dirname "$above")
done
PATH="$PATH:$above/.venv/bin"

command -v aws >/dev/null || {
    echo "mark_deployed: aws is missing; install the AWS CLI, or run 'make install'." >&2
    exit 3
}

ecr() {
    call=$1
    shift
    aws ecr "$call" --region "$AWS_REGION" --repository-name "$REPOSITORY_NAME" --output text "$@"
}

marks=$(ecr describe-images --query 'sort(imageDetails[].imageTags[] | [?starts_with(@, `deployed-`)])')
newest=
for mark in $marks; do
    [ "$mark" = None ] || newest=$mark
done
case $newest in
deployed-*-"$TAG") exit 0 ;;
esac

# ECR converts what the caller has not said that it accepts, which would be another image, and a manifest of OCI's need not
# name its type, which PutImage then has to.
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
image() {
    of=application/vnd
    ecr batch-get-image --image-ids "imageTag=$TAG" --query "images[0].$1" --accepted-media-types \
        $of.docker.distribution.manifest.v2+json $of.oci.image.manifest.v1+json \
        $of.docker.distribution.manifest.list.v2+json $of.oci.image.index.v1+json
}
manifest=$(image imageManifest)
kind=$(image imageManifestMediaType)
ecr put-image --image-manifest "$manifest" --image-manifest-media-type "$kind" --image-tag "deployed-$(date -u +%Y%m%dT%H%M%SZ)-$TAG" --query 'image.imageId.imageTag'
for mark in $marks; do
    # Of an image with another tag this takes away the mark, and leaves the image.
    [ "$mark" = "$newest" ] || [ "$mark" = None ] || ecr batch-delete-image --image-ids "imageTag=$mark" --query 'failures'
done
