"""The access keys that the endpoint's IAM and STS have issued."""

from __future__ import annotations

from moto.backends import get_backend

from twin.aws.moto.stores import locked

__all__ = ["issued_secret"]


@locked
def issued_secret(account: str, key: str) -> str | None:
    """The secret of the access key of a user or an assumed role; None if there is none, or it is not active."""
    users = get_backend("iam")[account]["aws"].users.values()
    for issued in (issued for user in list(users) for issued in list(user.access_keys)):
        if issued.access_key_id == key and issued.status == "Active":
            return str(issued.secret_access_key)
    role = get_backend("sts")[account]["aws"].get_assumed_role_from_access_key(key)
    return str(role.secret_access_key) if role is not None else None
