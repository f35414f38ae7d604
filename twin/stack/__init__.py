"""Puts a synthesized stack on the local AWS endpoint, through boto3.

General layout, each importing only from those above it:

    hcl.py          Terraform's language as text: blocks and expressions (pure)
    expressions.py  their values; expansion.py: `count`, `for_each`, `dynamic` of Terraform's JSON (pure)
    references.py   what a reference of Terraform stands for (pure)
    limits.py       what a cdk.tf.json may hold
    terraform.py    reads one; own_stack.py makes one for a service without a stack
    conversion.py   Terraform arguments to the parameters of an AWS call (pure)
    call.py         a type of resource as one call: arguments in, attributes out
    kinds/          the types that the twin deploys, and why it leaves out others
    deployment.py   a stack's resources in order, its outputs
"""

from twin.stack.deployment import Deployment, deploy

__all__ = ["Deployment", "deploy"]
