"""With what credentials the endpoint is asked, and the environment that has them: nothing here imports boto3."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ACCESS_KEY", "PROFILES", "SECRET_KEY", "environment", "past_proxies"]

ACCESS_KEY = SECRET_KEY = "test"
PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""Variables that must not be there beside these: a profile that is not there is an error, whatever the keys are."""


def past_proxies(inherited: Mapping[str, str]) -> dict[str, str]:
    """What lets clients reach this machine directly where *inherited* sends them through a proxy."""
    if not any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in inherited):
        return {}
    already = inherited.get("no_proxy") or inherited.get("NO_PROXY") or ""
    directly = ",".join(dict.fromkeys([*filter(None, already.split(",")), "127.0.0.1", "localhost"]))
    return {"NO_PROXY": directly, "no_proxy": directly}


def environment(endpoint_url: str, region: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """What is to be set beside *inherited* for the AWS CLI, boto3 and Terraform to talk to the endpoint; the variables
    of PROFILES are not to be there."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        # Without it `aws servicediscovery discover-instances` looks for a host `data-127.0.0.1`.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        **past_proxies(inherited),
    }
