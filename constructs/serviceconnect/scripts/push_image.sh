#!/bin/sh
# Build the image of CONTEXT and push it to ECR, unless the tag is there: tags are immutable, so then it is this one.
# In: CONTEXT (folder), DOCKERFILE (in it), REPOSITORY_NAME, REPOSITORY_URL, TAG, PLATFORM, AWS_REGION. Needs aws and
# docker with buildx.
set -eu

# The AWS CLI of the project's own virtual environment, where there is no other: in a folder above.
above=$(cd "$(dirname "$0")" && pwd)
while [ "$above" != / ] && [ ! -x "$above/.venv/bin/aws" ]; do
    above=$(dirname "$above")
done
PATH="$PATH:$above/.venv/bin"

for tool in aws docker; do
    command -v "$tool" >/dev/null || {
        echo "push_image: $tool is missing; install it, or give an image of your own with SC_IMAGE_URI." >&2
        exit 3
    }
done

images() {
    aws ecr batch-get-image --region "$AWS_REGION" --repository-name "$REPOSITORY_NAME" \
        --image-ids "imageTag=$TAG" --query 'length(images)' --output text
}

found=$(images)
if [ "$found" != 0 ]; then
    echo "push_image: $REPOSITORY_URL:$TAG is there already."
    exit 0
fi

aws ecr get-login-password --region "$AWS_REGION" |
    docker login --username AWS --password-stdin "${REPOSITORY_URL%%/*}"
# Without attestations the push is one image; with them, an index that the lifecycle rule counts as more.
docker buildx build --platform "$PLATFORM" --provenance=false --sbom=false --build-arg "APP_VERSION=$TAG" \
    --file "$CONTEXT/$DOCKERFILE" --tag "$REPOSITORY_URL:$TAG" --push "$CONTEXT" && exit 0
status=$?
# Tags are immutable: where another push of this one was first, the image is there all the same.
found=$(images)
[ "$found" != 0 ] || exit "$status"
echo "push_image: $REPOSITORY_URL:$TAG was pushed by another meanwhile."
