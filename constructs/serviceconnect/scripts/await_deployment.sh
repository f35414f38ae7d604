#!/bin/sh
# Wait until the service's deployment of a task definition is completed and all its tasks run; fail if it fails, or if
# ECS puts another in its place, which is how it rolls back.
# In: CLUSTER, SERVICE, TASK_DEFINITION (ARN), AWS_REGION; ATTEMPTS and PAUSE (seconds) change how long it waits. Needs aws.
set -eu

# The AWS CLI of the project's own virtual environment, where there is no other: in a folder above.
above=$(cd "$(dirname "$0")" && pwd)
while [ "$above" != / ] && [ ! -x "$above/.venv/bin/aws" ]; do
    above=$(dirname "$above")
done
PATH="$PATH:$above/.venv/bin"

command -v aws >/dev/null || {
    echo "await_deployment: aws is missing; install the AWS CLI, or run 'make install'." >&2
    exit 3
}

ask() {
    aws ecs describe-services --region "$AWS_REGION" --cluster "$CLUSTER" --services "$SERVICE" \
        --query "services[0].$1" --output text
}

fail() {
    echo "await_deployment: deployment $watched of service $SERVICE $1 Newest events: $(ask 'events[:3].message')" >&2
    exit 1
}

primary="deployments[?status=='PRIMARY'] | [0]"
watched=none
told=
attempts=${ATTEMPTS:-240}
while :; do
    row=$(ask "$primary.[id, taskDefinition, rolloutState, runningCount, desiredCount]")
    # shellcheck disable=SC2086 # five words
    set -- $row
    # Until ECS shows the new deployment everywhere, the one before may be told.
    if [ "$watched" = none ] && [ "${2-}" = "$TASK_DEFINITION" ]; then
        watched=$1
    fi
    if [ "$watched" != none ]; then
        [ "$1" = "$watched" ] || fail "was given up for $1, with $2: $(ask "$primary.rolloutStateReason")"
        case $3 in
        FAILED)
            # Terraform sees no change of the service where the cause was elsewhere, and ECS tries nothing again.
            of="--region $AWS_REGION --cluster $CLUSTER --service $SERVICE"
            again="where that changes nothing of the tasks, run 'aws ecs update-service $of --force-new-deployment'"
            fail "failed: $(ask "$primary.rolloutStateReason") Remove the cause; $again before you deploy again."
            ;;
        COMPLETED) [ "$4" -lt "$5" ] || exit 0 ;;
        esac
    fi
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || break
    # Terraform says every ten seconds that it waits.
    [ "$row" = "$told" ] || echo "await_deployment: ${4-0} of ${5-0} tasks of ${1-no deployment} run, ${3-no state}."
    told=$row
    sleep "${PAUSE:-5}"
done
fail "is not completed, after twenty minutes (${4-0} of ${5-0} tasks run)."
