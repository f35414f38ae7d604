"""Puts a synthesized stack on the local AWS endpoint, through boto3.

General layout, each importing only from those above it:

    conversion.py   Terraform arguments to the parameters of an AWS call (pure)
    aws.py          the clients of one endpoint
    call.py         a type of resource as one call: arguments in, attributes out
    kinds.py        the types that the twin deploys, and why it leaves out others
    deployment.py   a stack's resources in order, its outputs
"""

from twin.deploy.deployment import Deployment, PassedOver, deploy

__all__ = ["Deployment", "PassedOver", "deploy"]
