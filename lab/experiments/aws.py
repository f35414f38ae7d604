"""Clients of the AWS API for a target, and its errors as sentences: the same calls to AWS and to the twin."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from lab.errors import BadInput, Missing
from lab.experiments.target import Target

__all__ = ["Aws"]


class Aws:
    """The AWS API of *target*'s Region, or of the twin that it is."""

    def __init__(self, target: Target) -> None:
        self._url = target.aws_endpoint_url
        self._where = self._url or f"AWS in {target.region}"
        self._session = boto3.session.Session(region_name=target.region, **_credentials(self._url))

    def client(self, service: str) -> Any:
        """boto3's client of *service*; safe to be used by several threads."""
        config = Config(
            retries={"total_max_attempts": 3, "mode": "standard"},
            connect_timeout=5,
            read_timeout=30,
            # Else DiscoverInstances looks for a host `data-<the twin's address>`.
            inject_host_prefix=self._url is None,
            # A twin is on this machine, where no proxy leads.
            proxies=None if self._url is None else {},
        )
        return self._session.client(service, endpoint_url=self._url, config=config)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Around calls of a client.

        Raises:
            Missing: AWS does not answer, or takes no credentials.
            BadInput: it refuses the request.
        """
        try:
            yield
        except NoCredentialsError:
            raise Missing(
                f"There are no credentials for {self._where}: set AWS_PROFILE, or log in with `aws sso login`."
            ) from None
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code.startswith(("ExpiredToken", "InvalidClientToken", "UnrecognizedClient")):
                raise Missing(
                    f"{self._where} takes no requests with these credentials ({code}): log in again."
                ) from None
            raise BadInput(f"{self._where} refuses {error.operation_name} ({code}): {message}") from None
        except BotoCoreError as error:
            raise Missing(f"{self._where} does not answer ({error}): is it up?") from None


def _credentials(endpoint_url: str | None) -> dict[str, str]:
    """A twin takes any credentials, so none need to be configured for it; AWS gets those of the environment."""
    on_loopback = urlsplit(endpoint_url or "").hostname in ("127.0.0.1", "::1", "localhost")
    if on_loopback and "AWS_ACCESS_KEY_ID" not in os.environ:
        return {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return {}
