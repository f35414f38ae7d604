"""With what credentials the endpoint is asked, and the environment that has them: nothing here imports boto3."""

from __future__ import annotations

__all__ = ["ACCESS_KEY", "SECRET_KEY", "environment"]

ACCESS_KEY = SECRET_KEY = "test"


def environment(endpoint_url: str, region: str) -> dict[str, str]:
    """The environment in which the AWS CLI, boto3 and Terraform talk to the endpoint."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        # Without it `aws servicediscovery discover-instances` looks for a host `data-127.0.0.1`.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }
