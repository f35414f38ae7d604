"""Availability zones: those that a Region gives an account by letter, and those that VPC links reach.

Synthesis asks AWS nothing, so it takes the letters from here; `tools/preflight.py` has credentials, and compares them
with the account's own zones before a deployment.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LETTERS", "VPC_LINK_ZONES", "letters"]

# Letters that new accounts have. Not all begin with a, b, c: Tokyo's b and Canada's c are for old accounts only, and in
# N. California each account has two of three.
LETTERS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1"),
            *("ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6"),
            *("ap-southeast-7", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2"),
            *("eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1"),
            *("sa-east-1", "us-east-2"),
        ),
        "abc",
    ),
    "ap-northeast-1": "acd",
    "ap-northeast-2": "abcd",
    "ca-central-1": "abd",
    "us-east-1": "abcdef",
    "us-west-1": "ab",
    "us-west-2": "abcd",
}

# By zone id, for a letter is another zone in each account. A Region that is not here is not in AWS's table.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vpc-links.html#http-api-vpc-link-regions
VPC_LINK_ZONES: Mapping[str, tuple[str, ...]] = {
    region: tuple(f"{prefix}-az{number}" for number in numbers)
    for region, prefix, numbers in (
        ("ap-east-1", "ape1", "23"),
        ("ap-northeast-1", "apne1", "124"),
        ("ap-northeast-2", "apne2", "123"),
        ("ap-south-1", "aps1", "123"),
        ("ap-southeast-1", "apse1", "123"),
        ("ap-southeast-2", "apse2", "123"),
        ("ca-central-1", "cac1", "12"),
        ("eu-central-1", "euc1", "123"),
        ("eu-north-1", "eun1", "123"),
        ("eu-south-2", "eus2", "123"),
        ("eu-west-1", "euw1", "123"),
        ("eu-west-2", "euw2", "123"),
        ("eu-west-3", "euw3", "13"),
        ("me-south-1", "mes1", "123"),
        ("sa-east-1", "sae1", "123"),
        ("us-east-1", "use1", "12456"),
        ("us-east-2", "use2", "123"),
        ("us-west-1", "usw1", "13"),
        ("us-west-2", "usw2", "1234"),
    )
}


def letters(region: str) -> str:
    """The letters of *region*'s zones; of a Region that is not known, all that there can be."""
    return LETTERS.get(region, "abcdef")
