#!/bin/sh
# Wait until the Cloud Map namespace is empty: ECS removes the services that it made there for Service Connect some time
# after the ECS service is gone, and a namespace with a service in it cannot be deleted.
# In: NAMESPACE_ID, AWS_REGION; ATTEMPTS and PAUSE (seconds) change how long it waits. Needs aws.
set -eu

# The AWS CLI of the project's own virtual environment, where there is no other: in a folder above.
above=$(cd "$(dirname "$0")" && pwd)
while [ "$above" != / ] && [ ! -x "$above/.venv/bin/aws" ]; do
    above=$(dirname "$above")
done
PATH="$PATH:$above/.venv/bin"

command -v aws >/dev/null || {
    echo "await_cloud_map: aws is missing; install the AWS CLI, or run 'make install'." >&2
    exit 3
}

attempts=${ATTEMPTS:-120}
while :; do
    left=$(aws servicediscovery list-services --region "$AWS_REGION" \
        --filters "Name=NAMESPACE_ID,Values=$NAMESPACE_ID,Condition=EQ" --query 'Services[].Id' --output text)
    [ -n "$left" ] || exit 0
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || break
    echo "await_cloud_map: namespace $NAMESPACE_ID still holds $left."
    sleep "${PAUSE:-5}"
done
echo "await_cloud_map: ECS has not removed $left from namespace $NAMESPACE_ID; delete it with" \
    "'aws servicediscovery delete-service --id ...' and destroy again." >&2
exit 1
