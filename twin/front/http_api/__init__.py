"""API Gateway's data plane.

General layout:

    model           what an API is: routes, integrations, stages, authorizers (values)
    reading         the API, read from the endpoint
    discovery       the instances behind an integration, as Cloud Map tells them
    routes          the model as Envoy's route table (pure)
    listener        the model as Envoy's listener: filters, limits, own answers, access log (pure)
    access_log      the stage's format as Envoy's (pure)
    issuer          the keys of a JWT authorizer's issuer
    keys            when they are fetched, and what is known of them
    signature       checks Signature Version 4 (pure)
    gateway         the Envoy and the loop that keeps its files current
"""

from twin.front.http_api.gateway import Gateway

__all__ = ["Gateway"]
