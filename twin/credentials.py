"""The credentials of a twin, and the environment that has them: nothing here imports boto3.

Each twin makes its own. Whoever has them can have commands run on this machine as the user who started it, so they are
in a file that this user alone can read, outside of every folder that a service might serve.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from twin.errors import BadInput

__all__ = ["Credentials", "environment", "lead_elsewhere", "past_proxies"]

# What must not be there beside these: a profile that is not there is an error, whatever the keys are, a session's token
# goes with its own keys, a role has others, and the endpoint of one service goes before that of all.
_ELSEWHERE = re.compile(
    r"AWS_(DEFAULT_)?PROFILE|AWS_(SESSION|SECURITY)_TOKEN|AWS_ROLE_(ARN|SESSION_NAME)|AWS_WEB_IDENTITY_TOKEN_FILE"
    r"|AWS_CONTAINER_(CREDENTIALS|AUTHORIZATION)_\w+|AWS_USE_(FIPS|DUALSTACK)_ENDPOINT|AWS_ENDPOINT_URL_\w+"
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # as in AWS's access keys


@dataclass(frozen=True)
class Credentials:
    """The access key and secret key that sign calls to the endpoint, and the token for /_twin/."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    @classmethod
    def new(cls, access_key: str | None = None) -> Credentials:
        """Random ones; with *access_key* that is the key and its secret too, as awslocal and tflocal have `test`.

        Raises:
            BadInput: it has other characters than letters, digits and underscores, or more than 128.
        """
        if access_key is not None and not re.fullmatch(r"[A-Za-z0-9_]{1,128}", access_key):
            raise BadInput(
                f"--access-key {access_key[:200]!r} is no access key: give up to 128 letters, digits and underscores."
            )
        key = access_key or "TWIN" + "".join(secrets.choice(_LETTERS) for _ in range(16))
        return cls(key, access_key or secrets.token_urlsafe(30), secrets.token_urlsafe(32))


def lead_elsewhere(inherited: Mapping[str, str]) -> list[str]:
    """Those variables that would have clients sign with other keys, or ask somewhere else than at the endpoint."""
    return sorted(name for name in inherited if _ELSEWHERE.fullmatch(name))


def past_proxies(inherited: Mapping[str, str]) -> dict[str, str]:
    """What lets clients reach this machine directly where *inherited* sends them through a proxy."""
    if not any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in inherited):
        return {}
    already = inherited.get("no_proxy") or inherited.get("NO_PROXY") or ""
    directly = ",".join(dict.fromkeys([*filter(None, already.split(",")), "127.0.0.1", "localhost"]))
    return {"NO_PROXY": directly, "no_proxy": directly}


def environment(
    endpoint_url: str, region: str, credentials: Credentials, inherited: Mapping[str, str]
) -> dict[str, str]:
    """What is to be set beside *inherited* for the AWS CLI, boto3, Terraform and `lab` to talk to the endpoint; the
    variables that `lead_elsewhere` are not to be there."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",  # a user's config file may say true
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "TWIN_TOKEN": credentials.token,
        # Without it `aws servicediscovery discover-instances` looks for a host `data-127.0.0.1`.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        **past_proxies(inherited),
    }
