"""Domain names of HTTP APIs and their mappings, by boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.twin.aws.moto.conftest import REGION, Client
from tests.twin.aws.moto.test_api_gateway import refusal

DOMAIN = "api.example.com"
CERTIFICATE = {"CertificateArn": f"arn:aws:acm:{REGION}:123456789012:certificate/1", "EndpointType": "REGIONAL"}


@pytest.fixture
def gateway(client: Client) -> Any:
    """API Gateway with an API that has the stages one and two, and a domain name."""
    gateway = client("apigatewayv2")
    api = gateway.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    for stage in ("one", "two"):
        gateway.create_stage(ApiId=api, StageName=stage)
    gateway.create_domain_name(DomainName=DOMAIN, DomainNameConfigurations=[CERTIFICATE], Tags={"team": "web"})
    return gateway


def api_of(gateway: Any) -> str:
    (api,) = gateway.get_apis()["Items"]
    return str(api["ApiId"])


def test_a_domain_name_is_available_and_has_an_address(gateway: Any) -> None:
    made = gateway.create_domain_name(DomainName="shop.example.com", DomainNameConfigurations=[CERTIFICATE])

    answer = gateway.get_domain_name(DomainName="shop.example.com")
    assert "MutualTlsAuthentication" not in answer  # Terraform would remove it
    (told,) = answer["DomainNameConfigurations"]
    assert made["DomainNameConfigurations"] == [told]
    assert (told["CertificateArn"], told["DomainNameStatus"]) == (CERTIFICATE["CertificateArn"], "AVAILABLE")
    assert told["ApiGatewayDomainName"].endswith(f".execute-api.{REGION}.amazonaws.com")
    assert told["HostedZoneId"].startswith("Z")


def test_certificate_and_mutual_tls_are_changed_in_place(gateway: Any) -> None:
    other = {**CERTIFICATE, "CertificateArn": CERTIFICATE["CertificateArn"] + "2"}
    truststore = {"TruststoreUri": "s3://authorities/clients.pem"}

    gateway.update_domain_name(DomainName=DOMAIN, DomainNameConfigurations=[other], MutualTlsAuthentication=truststore)
    changed = gateway.get_domain_name(DomainName=DOMAIN)
    gateway.update_domain_name(DomainName=DOMAIN, MutualTlsAuthentication={"TruststoreUri": ""})

    assert changed["DomainNameConfigurations"][0]["CertificateArn"] == other["CertificateArn"]
    assert changed["MutualTlsAuthentication"] == truststore
    assert "MutualTlsAuthentication" not in gateway.get_domain_name(DomainName=DOMAIN)


def test_a_mapping_moves_to_another_stage_and_only_then_the_first_may_go(gateway: Any) -> None:
    api = api_of(gateway)
    mapping = gateway.create_api_mapping(DomainName=DOMAIN, ApiId=api, Stage="one")["ApiMappingId"]

    status, code, message = refusal(gateway.delete_stage, ApiId=api, StageName="one")
    assert (status, code) == (400, "BadRequestException")
    assert "remove all base path mappings" in message
    assert DOMAIN in message
    moved = gateway.update_api_mapping(DomainName=DOMAIN, ApiMappingId=mapping, ApiId=api, Stage="two")
    gateway.delete_stage(ApiId=api, StageName="one")

    assert (moved["ApiMappingId"], moved["Stage"]) == (mapping, "two")
    assert gateway.get_api_mapping(DomainName=DOMAIN, ApiMappingId=mapping)["Stage"] == "two"
    assert [stage["StageName"] for stage in gateway.get_stages(ApiId=api)["Items"]] == ["two"]
    assert refusal(gateway.delete_api, ApiId=api)[:2] == (400, "BadRequestException")


def test_a_mapping_needs_a_stage_that_is_there_and_a_key_of_its_own(gateway: Any) -> None:
    api = api_of(gateway)

    missing = refusal(gateway.create_api_mapping, DomainName=DOMAIN, ApiId=api, Stage="three")
    gateway.create_api_mapping(DomainName=DOMAIN, ApiId=api, Stage="one")
    taken = refusal(gateway.create_api_mapping, DomainName=DOMAIN, ApiId=api, Stage="two")
    gateway.create_api_mapping(DomainName=DOMAIN, ApiId=api, Stage="two", ApiMappingKey="v2")

    assert missing[:2] == (400, "BadRequestException")
    assert taken[:2] == (409, "ConflictException")
    assert len(gateway.get_api_mappings(DomainName=DOMAIN)["Items"]) == 2


def test_a_domain_name_goes_with_its_mappings(gateway: Any) -> None:
    api = api_of(gateway)
    for key in ("", "v2"):
        gateway.create_api_mapping(DomainName=DOMAIN, ApiId=api, Stage="one", ApiMappingKey=key)

    gateway.delete_domain_name(DomainName=DOMAIN)
    gateway.delete_api(ApiId=api)

    assert gateway.get_domain_names()["Items"] == []


def test_a_domain_name_has_tags(gateway: Any) -> None:
    arn = f"arn:aws:apigateway:{REGION}::/domainnames/{DOMAIN}"

    gateway.tag_resource(ResourceArn=arn, Tags={"owner": "platform"})
    gateway.untag_resource(ResourceArn=arn, TagKeys=["team"])

    assert gateway.get_tags(ResourceArn=arn)["Tags"] == {"owner": "platform"}
    assert gateway.get_domain_name(DomainName=DOMAIN)["Tags"] == {"owner": "platform"}
