"""Domain names of HTTP APIs and their mappings, on moto's store: addresses, changes in place, what is in use.

Sources: the API reference (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/); that a stage or an API with
a mapping is not deleted: the provider's reports of "Please remove all base path mappings". The messages are assumed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2 import urls
from moto.apigatewayv2.exceptions import APIGatewayV2Error, BadRequestException
from moto.apigatewayv2.models import ApiGatewayV2Backend, DomainName
from moto.apigatewayv2.responses import ApiGatewayV2Response

__all__ = ["complete", "tags_of"]

Json = dict[str, Any]
Answer = tuple[int, Json, str]

_HOSTED_ZONE = "Z00000000000TWIN"  # each Region has one of AWS's own
_ARN = re.compile(r".*:apigateway:[^:]*:[^:]*:/domainnames/(.+)")
_TAGS = "{0}/v2/tags/(?P<resource_arn_pt1>[^/]+)/domainnames/(?P<resource_arn_pt2>[^/]+)$"


class _Conflict(APIGatewayV2Error):  # type: ignore[misc]
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


def tags_of(backend: Any, arn: str) -> dict[str, str] | None:
    """The tags of the domain name with this ARN; None if it is another resource's."""
    match = _ARN.fullmatch(arn)
    if match is None:
        return None
    tags: dict[str, str] = backend.get_domain_name(match[1]).tags
    return tags


def _with_addresses(self: Any) -> Json:
    """The domain name as JSON, with what Terraform waits for; its addresses, and the hosted zone, lead nowhere."""
    answer: Json = {name: value for name, value in _TO_JSON(self).items() if value != {}}  # tags, mutual TLS
    region, label = self.domain_name_arn.split(":")[3], sha256(self.domain_name.encode()).hexdigest()[:10]
    here = {
        "apiGatewayDomainName": f"d-{label}.execute-api.{region}.amazonaws.com",
        "domainNameStatus": "AVAILABLE",
        "hostedZoneId": _HOSTED_ZONE,
    }
    return answer | {"domainNameConfigurations": [{**each, **here} for each in answer["domainNameConfigurations"]]}


def _update_domain_name(self: Any) -> Answer:
    domain = self.apigatewayv2_backend.get_domain_name(unquote(self.path.split("/")[-1]))
    changes = json.loads(self.body)
    domain.domain_name_configurations = changes.get("domainNameConfigurations", domain.domain_name_configurations)
    truststore = changes.get("mutualTlsAuthentication", domain.mutual_tls_authentication)
    domain.mutual_tls_authentication = truststore if truststore.get("truststoreUri") else {}  # "" turns it off
    return 200, {}, json.dumps(domain.to_json())


def _mappable(backend: Any, api_id: str, stage: str) -> None:
    if stage not in backend.get_api(api_id).stages:
        raise BadRequestException("Invalid stage identifier specified")


def _create_api_mapping(self: Any) -> Answer:
    backend, domain = self.apigatewayv2_backend, unquote(self.path.split("/")[-2])
    given = json.loads(self.body)
    backend.get_domain_name(domain)
    _mappable(backend, given.get("apiId"), given.get("stage"))
    key = given.get("apiMappingKey", "")
    if any(mapping.api_mapping_key == key for mapping in backend.get_api_mappings(domain)):
        raise _Conflict("ApiMapping key already exists for this domain name")
    return _CREATE_API_MAPPING(self)


def _update_api_mapping(self: Any) -> Answer:
    *_, domain, _, identifier = self.path.split("/")
    backend, given = self.apigatewayv2_backend, json.loads(self.body)
    mapping = backend.get_api_mapping(identifier, unquote(domain))
    api_id, stage = given.get("apiId", mapping.api_id), given.get("stage", mapping.stage)
    _mappable(backend, api_id, stage)
    mapping.api_id, mapping.stage = api_id, stage
    mapping.api_mapping_key = given.get("apiMappingKey", mapping.api_mapping_key)
    return 200, {}, json.dumps(mapping.to_json())


def _delete_domain_name(self: Any, domain_name: str) -> None:
    """With its mappings, as moto means to."""
    self.get_domain_name(domain_name)
    for identifier in [each for each, mapping in self.api_mappings.items() if mapping.domain_name == domain_name]:
        del self.api_mappings[identifier]
    del self.domain_names[domain_name]


def _delete_stage(self: Any, api_id: str, stage_name: str) -> None:
    _refuse_if_mapped(
        self, f"stage {stage_name} of API {api_id}", lambda m: (m.api_id, m.stage) == (api_id, stage_name)
    )
    _DELETE_STAGE(self, api_id, stage_name)


def _delete_api(self: Any, api_id: str) -> None:
    _refuse_if_mapped(self, f"API {api_id}", lambda mapping: mapping.api_id == api_id)
    _DELETE_API(self, api_id)


def _refuse_if_mapped(backend: Any, what: str, mapped: Callable[[Any], bool]) -> None:
    domains = sorted({mapping.domain_name for mapping in backend.api_mappings.values() if mapped(mapping)})
    if domains:
        raise BadRequestException(
            f"Deleting {what} failed. Please remove all base path mappings related to it: {', '.join(domains)}"
        )


_TO_JSON = DomainName.to_json
_CREATE_API_MAPPING: Callable[[Any], Answer] = ApiGatewayV2Response.create_api_mapping
_DELETE_API = ApiGatewayV2Backend.delete_api
_DELETE_STAGE = ApiGatewayV2Backend.delete_stage


def complete() -> None:
    """Put it on moto's classes."""
    DomainName.to_json = _with_addresses
    ApiGatewayV2Response.update_domain_name = _update_domain_name
    ApiGatewayV2Response.create_api_mapping = _create_api_mapping
    ApiGatewayV2Response.update_api_mapping = _update_api_mapping
    ApiGatewayV2Backend.delete_domain_name = _delete_domain_name
    ApiGatewayV2Backend.delete_stage = _delete_stage
    ApiGatewayV2Backend.delete_api = _delete_api
    urls.url_paths[_TAGS] = ApiGatewayV2Response.dispatch
