"""Attachments of VPCs to transit gateways as EC2 has them: with their tags, and for a while after their end.

moto forgets tags that are given on creation, and an attachment as soon as it is deleted; Terraform waits until it is
described as deleted.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.transit_gateway_attachments import TransitGatewayAttachmentBackend
from moto.ec2.responses.transit_gateway_attachments import TransitGatewayAttachment

__all__ = ["complete"]

_TYPE = "transit-gateway-attachment"


def _create(self: Any) -> Any:
    answer = _CREATE(self)
    (attachment,) = answer.result.values()
    attachment.add_tags(self._parse_tag_specification().get(_TYPE, {}))
    return answer


def _create_unless_deleted(self: Any, transit_gateway_id: str, vpc_id: str, *rest: Any, **named: Any) -> Any:
    """The backend's: an attachment that is deleted is none that the VPC has."""
    deleted = {key: each for key, each in self.transit_gateway_attachments.items() if each.state == "deleted"}
    for key in deleted:
        del self.transit_gateway_attachments[key]
    try:
        return _CREATE_RECORD(self, transit_gateway_id, vpc_id, *rest, **named)
    finally:
        self.transit_gateway_attachments.update(deleted)


def _delete(self: Any, transit_gateway_attachment_id: str) -> Any:
    """The backend's: what is deleted is described as that."""
    attachment = _DELETE(self, transit_gateway_attachment_id)
    self.transit_gateway_attachments[transit_gateway_attachment_id] = attachment
    return attachment


_CREATE = TransitGatewayAttachment.create_transit_gateway_vpc_attachment
_CREATE_RECORD = TransitGatewayAttachmentBackend.create_transit_gateway_vpc_attachment
_DELETE = TransitGatewayAttachmentBackend.delete_transit_gateway_vpc_attachment


def complete() -> None:
    """Put it on moto's classes."""
    TransitGatewayAttachment.create_transit_gateway_vpc_attachment = _create
    TransitGatewayAttachmentBackend.create_transit_gateway_vpc_attachment = _create_unless_deleted
    TransitGatewayAttachmentBackend.delete_transit_gateway_vpc_attachment = _delete
