"""The `secrets` of a container definition: values from Systems Manager's Parameter Store and Secrets Manager.

Forms of `valueFrom`: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Secret.html and developer guide,
"Pass Secrets Manager secrets through Amazon ECS environment variables".
"""

from __future__ import annotations

import json

from botocore.exceptions import BotoCoreError, ClientError

from twin.aws.client import Aws
from twin.errors import StartFailed

__all__ = ["secret"]


def secret(aws: Aws, value_from: str) -> str:
    """The value of a secret on the endpoint.

    Args:
        value_from: the ARN of a secret, with `:JSON-KEY:VERSION-STAGE:VERSION-ID` behind it or without; the ARN or the
            name of a parameter.

    Raises:
        StartFailed: it is not there; worded as ECS words a task's stopped reason.
    """
    failed = f"ResourceInitializationError: unable to pull secrets or registry auth: {value_from[:200]}"
    parts = value_from.split(":")
    try:
        if parts[:1] != ["arn"] or parts[2:3] == ["ssm"]:
            name = value_from.partition(":parameter")[2] if parts[0] == "arn" else value_from
            # In an ARN a name with folders begins with their slash, a plain one has it besides.
            plain = name[1:] if parts[0] == "arn" and name.count("/") == 1 else name
            return str(aws.call("ssm", "GetParameter", Name=plain, WithDecryption=True)["Parameter"]["Value"])
        key, stage, version = [*parts[7:10], "", "", ""][:3]
        which = {"VersionStage": stage} if stage else {"VersionId": version} if version else {}
        answer = aws.call("secretsmanager", "GetSecretValue", SecretId=":".join(parts[:7]), **which)
        text = str(answer["SecretString"])
        return text if not key else _text(json.loads(text)[key])
    except ClientError as error:
        said = error.response["Error"]
        raise StartFailed(f"{failed}: {said.get('Code')}: {said.get('Message', '')[:200]}") from None
    except BotoCoreError as error:
        raise StartFailed(f"{failed}: {error}") from None
    except (ValueError, LookupError, TypeError):
        raise StartFailed(f"{failed}: the secret has no text, or is no JSON object with that key") from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
