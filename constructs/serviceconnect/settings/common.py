"""What every construct needs to know: the name, the Region, the tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serviceconnect.settings.field import each, matches, optional, setting

__all__ = ["REGION", "CommonSettings"]

# Of the partition `aws`: in China and GovCloud the names of endpoints and the ARNs are others.
REGION = r"(?!cn-|us-gov-|us-iso)[a-z]{2}(-[a-z]+)+-\d"


@dataclass(frozen=True, kw_only=True)
class CommonSettings:
    """The stack itself: where it is, what it is called, where its state is kept."""

    name: str = setting(
        "serviceconnect",
        "Name of the stack, and of everything in it.",
        # A load balancer's name has at most 32 characters, and suffixes follow. Security groups' names may not begin
        # with sg-, load balancers' not with internal-.
        matches(
            r"(?!sg-|internal-)[a-z][a-z0-9-]{1,22}[a-z0-9]",
            "3 to 24 of a-z, 0-9 and hyphens, from a letter on, and not begin with sg- or internal-",
        ),
    )
    region: str = setting(
        "eu-west-2", "AWS Region.", matches(REGION, "a Region such as eu-west-2, not of China or GovCloud")
    )
    tags: Mapping[str, str] = setting(
        {},
        "Tags of everything, beside `Project`, which has the name.",
        each(r"[\w .:/=+@-]{0,256}", "tags of letters, digits, spaces and . : / = + @ _ -"),
    )
    state_bucket: str = setting(
        "",
        "S3 bucket for Terraform's state, with a lock file in it; empty: a file beside `cdktf.json`.",
        optional(matches(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name")),
    )
    state_region: str = setting(
        "", "Region of `state_bucket`; empty: `region`.", optional(matches(REGION, "a Region such as eu-west-2"))
    )
