"""The gateway: an HTTP API whose VPC link finds the tasks through Cloud Map, with no load balancer between."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.apigatewayv2_api import Apigatewayv2Api, Apigatewayv2ApiCorsConfiguration
from cdktf_cdktf_provider_aws.apigatewayv2_api_mapping import Apigatewayv2ApiMapping
from cdktf_cdktf_provider_aws.apigatewayv2_authorizer import (
    Apigatewayv2Authorizer,
    Apigatewayv2AuthorizerJwtConfiguration,
)
from cdktf_cdktf_provider_aws.apigatewayv2_domain_name import (
    Apigatewayv2DomainName,
    Apigatewayv2DomainNameDomainNameConfiguration,
    Apigatewayv2DomainNameMutualTlsAuthentication,
)
from cdktf_cdktf_provider_aws.apigatewayv2_integration import Apigatewayv2Integration
from cdktf_cdktf_provider_aws.apigatewayv2_route import Apigatewayv2Route
from cdktf_cdktf_provider_aws.apigatewayv2_stage import (
    Apigatewayv2Stage,
    Apigatewayv2StageAccessLogSettings,
    Apigatewayv2StageDefaultRouteSettings,
)
from cdktf_cdktf_provider_aws.apigatewayv2_vpc_link import Apigatewayv2VpcLink
from cdktf_cdktf_provider_aws.data_aws_service_discovery_service import DataAwsServiceDiscoveryService
from cdktf_cdktf_provider_aws.route53_record import Route53Record, Route53RecordAlias
from constructs import Construct

from serviceconnect.network import Network
from serviceconnect.routes import prefixed, preflights, slug
from serviceconnect.service import Service
from serviceconnect.settings import InvalidSettings, Settings
from serviceconnect.settings.gateway import refused_routes, without_names

__all__ = ["Gateway"]

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "route": "$context.routeKey",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatency": "$context.responseLatency",
    "integrationStatus": "$context.integration.status",
    "integrationLatency": "$context.integration.latency",
    "integrationError": "$context.integration.error",
    "error": "$context.error.message",
    "authorizerError": "$context.authorizer.error",
}


class Gateway(Construct):
    """An HTTP API with a stage, and a VPC link. `serve` adds the routes, which need a service's tasks."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        settings: Settings,
        network: Network,
        access_log_arn: str,
    ) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self._routes: list[str] = []
        self.api = Apigatewayv2Api(
            self,
            "api",
            name=settings.name,
            protocol_type="HTTP",
            cors_configuration=_cors(settings),
            disable_execute_api_endpoint=settings.disable_default_endpoint or None,
        )
        # Neither can be changed later: other subnets or another group make a new link, which the integrations move to
        # before the old one goes.
        self._link = Apigatewayv2VpcLink(
            self,
            "vpc-link",
            name=settings.name,
            subnet_ids=network.subnet_ids,
            security_group_ids=[network.vpc_link_group.id],
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self._authorizer_id = self._jwt_authorizer() if settings.authorization == "JWT" else None

        self.stage = Apigatewayv2Stage(
            self,
            "stage",
            api_id=self.api.id,
            name=settings.stage,
            auto_deploy=True,
            access_log_settings=Apigatewayv2StageAccessLogSettings(
                destination_arn=access_log_arn, format=json.dumps(ACCESS_LOG)
            ),
            default_route_settings=Apigatewayv2StageDefaultRouteSettings(
                throttling_rate_limit=settings.throttle_rate, throttling_burst_limit=settings.throttle_burst
            ),
            # API Gateway keeps a stage that a domain's mapping has: under another name the mapping moves first.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.url = self.api.api_endpoint
        if settings.stage != "$default":
            self.url += f"/{settings.stage}"
        self.domain_target = self.domain_hosted_zone_id = ""
        if settings.domain_name:
            self.url = f"https://{settings.domain_name}"
            self._domain()

    def serve(self, scope: Construct, service: Service, settings: Settings, routes: Sequence[str]) -> None:
        """Make *routes* to *service*, whose settings are *settings*; integration and routes are made in *scope*.

        Raises:
            InvalidSettings: a route conflicts with one that the API has.
        """
        self._routes += routes
        problems = [*refused_routes(self._routes, self._settings.comparison)]
        if problems:
            raise InvalidSettings(problems)
        # ECS makes the service in Cloud Map itself and shows its ARN nowhere (aws-cdk issue 31215).
        discovered = DataAwsServiceDiscoveryService(
            scope,
            "discovered",
            name=settings.discovery_name,
            namespace_id=service.cluster.namespace.id,
            depends_on=[service.rolled_out],
        )
        # API Gateway puts the name of a named stage before the path; the service expects the path alone.
        integration = self._integration(scope, "integration", discovered.arn, "$request.path", settings)
        for route in routes:
            self._route(scope, f"route-{slug(route)}", route, integration)
        self._preflights(scope, "route", dict.fromkeys(routes, integration))

    def serve_comparison(self, listener_arn: str) -> None:
        """Make the settings' routes under ``/alb`` too, to a load balancer's listener."""
        through: dict[str, Apigatewayv2Integration] = {}
        # `$default` and `ANY /{proxy+}` are the same under a prefix, whatever the variable's name.
        once = {without_names(prefixed(route)[0]): route for route in self._settings.routes}
        for route in once.values():
            key, path = prefixed(route)
            through[key] = self._integration(self, f"alb-{slug(route)}", listener_arn, path, self._settings)
            self._route(self, f"alb-route-{slug(route)}", key, through[key])
        self._preflights(self, "alb-route", through)

    def _integration(
        self, scope: Construct, id: str, uri: str, path: str, settings: Settings
    ) -> Apigatewayv2Integration:
        return Apigatewayv2Integration(
            scope,
            id,
            api_id=self.api.id,
            integration_type="HTTP_PROXY",
            integration_method="ANY",
            integration_uri=uri,
            connection_type="VPC_LINK",
            connection_id=self._link.id,
            payload_format_version="1.0",
            request_parameters={"overwrite:path": path},
            timeout_milliseconds=settings.request_timeout * 1000,
        )

    def _route(
        self, scope: Construct, id: str, key: str, integration: Apigatewayv2Integration, public: bool = False
    ) -> None:
        Apigatewayv2Route(
            scope,
            id,
            api_id=self.api.id,
            route_key=key,
            target=f"integrations/{integration.id}",
            authorization_type="NONE" if public else self._settings.authorization,
            authorizer_id=None if public else self._authorizer_id,
        )

    def _preflights(self, scope: Construct, id: str, integrations: Mapping[str, Apigatewayv2Integration]) -> None:
        """Open what browsers ask before they call a route with authorization; *integrations* are by their keys."""
        if self._settings.cors_origins and self._settings.authorization != "NONE":
            for key, preflight in preflights(list(integrations)):
                self._route(scope, f"{id}-{slug(preflight)}", preflight, integrations[key], public=True)

    def _jwt_authorizer(self) -> str:
        authorizer_id: str = Apigatewayv2Authorizer(
            self,
            "jwt",
            api_id=self.api.id,
            name="jwt",
            authorizer_type="JWT",
            identity_sources=["$request.header.Authorization"],
            jwt_configuration=Apigatewayv2AuthorizerJwtConfiguration(
                issuer=self._settings.jwt_issuer, audience=list(self._settings.jwt_audience)
            ),
            # API Gateway keeps an authorizer that a route uses: with another authorization the routes change first.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        ).id
        return authorizer_id

    def _domain(self) -> None:
        domain = Apigatewayv2DomainName(
            self,
            "domain",
            domain_name=self._settings.domain_name,
            domain_name_configuration=Apigatewayv2DomainNameDomainNameConfiguration(
                certificate_arn=self._settings.certificate_arn,
                endpoint_type="REGIONAL",
                security_policy="TLS_1_2",
                ip_address_type=self._settings.ip_address_type,
            ),
            mutual_tls_authentication=Apigatewayv2DomainNameMutualTlsAuthentication(truststore_uri=truststore)
            if (truststore := self._settings.mutual_tls_truststore)
            else None,
        )
        Apigatewayv2ApiMapping(self, "mapping", api_id=self.api.id, domain_name=domain.id, stage=self.stage.id)
        # What an alias record leads to, and the hosted zone of AWS's own that this is in.
        self.domain_target = domain.domain_name_configuration.target_domain_name
        self.domain_hosted_zone_id = domain.domain_name_configuration.hosted_zone_id
        records = {"record": "A"} if self._settings.hosted_zone_id else {}
        if records and self._settings.ip_address_type == "dualstack":
            records["record-ipv6"] = "AAAA"
        for id, type in records.items():
            Route53Record(
                self,
                id,
                zone_id=self._settings.hosted_zone_id,
                name=self._settings.domain_name,
                type=type,
                alias=Route53RecordAlias(
                    name=self.domain_target, zone_id=self.domain_hosted_zone_id, evaluate_target_health=False
                ),
            )


def _cors(settings: Settings) -> Apigatewayv2ApiCorsConfiguration | None:
    if not settings.cors_origins:
        return None
    return Apigatewayv2ApiCorsConfiguration(
        allow_origins=list(settings.cors_origins),
        allow_methods=list(settings.cors_methods),
        allow_headers=list(settings.cors_headers) or None,
    )
