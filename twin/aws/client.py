"""The AWS API at one endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from threading import Lock
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config

from twin.credentials import Credentials, environment

__all__ = ["Aws"]

# An endpoint on this machine answers at once or not at all, and takes no prefix such as `data-` before its host.
_CONFIG = Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)


class Aws:
    """Calls to one endpoint by service and operation (`"ecs", "CreateService"`); clients are made when first used."""

    def __init__(self, endpoint_url: str, region: str, credentials: Credentials) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self._credentials = credentials
        self._keys = {
            "aws_access_key_id": credentials.access_key,
            "aws_secret_access_key": credentials.secret_key,
        }
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """The answer, all pages of it; botocore's ClientError or BotoCoreError."""
        client, method = self._client(service), xform_name(operation)
        answer: Mapping[str, Any]
        if client.can_paginate(method):
            answer = client.get_paginator(method).paginate(**parameters).build_full_result()
        else:
            answer = getattr(client, method)(**parameters)
        return answer

    def input_shape(self, service: str, operation: str) -> Any:
        """botocore's model of the operation's parameters."""
        return self._client(service).meta.service_model.operation_model(operation).input_shape

    @cached_property
    def account_id(self) -> str:
        return str(self.call("sts", "GetCallerIdentity")["Account"])

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What is to be set beside *inherited* for a program to make its calls there too."""
        return environment(self.endpoint_url, self.region, self._credentials, inherited)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            with _MAKES_A_CLIENT:
                self._clients[service] = _session().client(
                    service, region_name=self.region, endpoint_url=self.endpoint_url, config=_CONFIG, **self._keys
                )
        return self._clients[service]


_MAKES_A_CLIENT = Lock()  # a session is not made for several threads, its clients are


@cache
def _session() -> boto3.session.Session:
    """The process' one: it keeps the services' models, of which EC2's alone takes a quarter of a second to read."""
    return boto3.session.Session()
