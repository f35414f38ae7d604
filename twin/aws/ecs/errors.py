"""The errors of the ECS API, by their names in its service model.

EcsError
├── ClientException                        the request cannot be done as it is
├── ClusterContainsServicesException
├── ClusterNotFoundException
├── ConflictException                      what the request is about is in another state
├── InvalidParameterException              a parameter is wrong, or asks for what is not here
├── NamespaceNotFoundException
├── SerializationException                 the request is no JSON object
├── ServiceDeploymentNotFoundException
├── ServiceNotActiveException
├── ServiceNotFoundException
└── UnsupportedFeatureException            the operation is not here
"""

from __future__ import annotations

__all__ = [
    "ClientException",
    "ClusterContainsServicesException",
    "ClusterNotFoundException",
    "ConflictException",
    "EcsError",
    "InvalidParameterException",
    "NamespaceNotFoundException",
    "SerializationException",
    "ServiceDeploymentNotFoundException",
    "ServiceNotActiveException",
    "ServiceNotFoundException",
    "UnsupportedFeatureException",
]


class EcsError(Exception):
    """An error of the ECS API; its class name is the error code on the wire."""

    @property
    def code(self) -> str:
        return type(self).__name__


class ClientException(EcsError):
    """The request cannot be done as it is."""


class ClusterContainsServicesException(EcsError):
    """A cluster with services is not deleted."""


class ClusterNotFoundException(EcsError):
    """There is no such cluster."""


class ConflictException(EcsError):
    """What the request is about is in another state."""


class InvalidParameterException(EcsError):
    """A parameter is wrong, or asks for what is not here."""


class NamespaceNotFoundException(EcsError):
    """There is no such Cloud Map namespace."""


class SerializationException(EcsError):
    """The request is no JSON object."""


class ServiceDeploymentNotFoundException(EcsError):
    """There is no such service deployment."""


class ServiceNotActiveException(EcsError):
    """The service is being deleted, or was."""


class ServiceNotFoundException(EcsError):
    """There is no such service."""


class UnsupportedFeatureException(EcsError):
    """The operation is not here."""
