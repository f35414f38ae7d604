"""Rules of security groups as EC2 has them: each with its source or destination and a description of its own.

moto takes a rule with a source group for a duplicate of one with a range and the same ports, and has descriptions of
ranges alone.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError, InvalidSecurityGroupRuleIdNotFoundError
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule

__all__ = ["complete"]

_TARGETS = {"CidrIpv4": "CidrIp", "CidrIpv6": "CidrIpv6"}


def _equal(self: Any, other: Any) -> bool:
    return isinstance(other, SecurityGroupRule) and _key(self) == _key(other)


def _key(rule: Any) -> tuple[Any, ...]:
    """What two rules of one group and direction may not share."""
    ports = () if rule.ip_protocol == "-1" else (rule.from_port, rule.to_port)
    ranges = (rule.ip_range.get("CidrIp"), rule.ip_range.get("CidrIpv6"))
    return (rule.ip_protocol, ports, *ranges, rule.source_group.get("GroupId"), rule.prefix_list_id)


def _make(self: Any, *arguments: Any, **named: Any) -> None:
    _MAKE(self, *arguments, **named)
    prefix_list = named.get("prefix_list_id") or (arguments[7] if len(arguments) > 7 else None) or {}
    given = (self.ip_range, self.source_group, prefix_list)
    self.text = next((of["Description"] for of in given if of.get("Description")), None)


def _modify(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
    """The backend's ModifySecurityGroupRules: the whole of a rule is replaced, but for its direction and id."""
    group = self.get_security_group_by_name_or_id(group_id)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(group_id)
    for identifier, new in rules.items():
        rule = group.get_rule(identifier)
        if rule is None:
            raise InvalidSecurityGroupRuleIdNotFoundError(identifier)
        ports = (None, None) if str(new["IpProtocol"]) == "-1" else (new.get("FromPort"), new.get("ToPort"))
        rule.ip_protocol = new["IpProtocol"]
        rule.from_port, rule.to_port = (None if port is None else int(port) for port in ports)
        rule.text = new.get("Description")
        described = {"Description": rule.text} if rule.text else {}
        rule.ip_range = next(({to: new[name]} | described for name, to in _TARGETS.items() if new.get(name)), {})
        referenced = new.get("ReferencedGroupId")
        owner = {"OwnerId": self.account_id, "UserId": self.account_id}
        rule.source_group = {"GroupId": referenced, **owner, **described} if referenced else {}
        rule.prefix_list_id = new.get("PrefixListId")


_MAKE = SecurityGroupRule.__init__


def complete() -> None:
    """Put it on moto's classes."""
    SecurityGroupRule.__init__ = _make
    SecurityGroupRule.__eq__ = _equal
    SecurityGroupRule.description = property(lambda self: self.text)
    SecurityGroupBackend.modify_security_group_rules = _modify
