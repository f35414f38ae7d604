"""The service that is loaded, as an outputs file describes it: `cdktf deploy --outputs-file`, `terraform output -json`,
or the twin's.

The one reader of outputs files, for the load and for the lab.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from load.errors import BadOption

__all__ = ["Target", "check_url", "is_file", "read_outputs"]

_Text = Annotated[str, StringConstraints(strict=True, max_length=2048)]


class Target(BaseModel):
    """The outputs of one stack: where requests go, and what AWS calls its parts; "" where the file does not say.

    `aws_endpoint_url` is there where it is a twin, `comparison_url` where the same tasks have a load balancer too. URLs
    end without a slash. `further` has the stack's other services, `<name>_service_name` among the outputs, with what
    Service Connect has them as ("": nothing, they are clients alone).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    stack: _Text
    gateway_url: _Text
    region: _Text = ""
    authorization: _Text = ""
    cluster_name: _Text = ""
    service_name: _Text = ""
    namespace_name: _Text = ""
    discovery_name: _Text = ""
    comparison_url: _Text = ""
    aws_endpoint_url: _Text = ""
    further: Mapping[str, str] = {}


_STACKS = TypeAdapter(dict[str, Any])
_OUTPUTS = TypeAdapter(dict[str, _Text])
_OF_A_FURTHER = ("_service_name", "_discovery_name")
# What Terraform says of each output: https://developer.hashicorp.com/terraform/cli/commands/output
_TERRAFORMS = {"sensitive", "type", "value"}
_WRITTEN_BY = "the twin, `cdktf deploy --outputs-file` and `terraform output -json` write it"


def read_outputs(path: Path, option: str = "--host") -> Target:
    """The one stack with a gateway in an outputs file: `{"<stack>": {"gateway_url": ..., "region": ...}}`.

    Or of Terraform's own: `{"gateway_url": {"value": ..., "type": ..., "sensitive": ...}, ...}`, whose stack is called
    as the file. `option` names the file in errors. Raises BadOption.
    """

    def refuse(reason: str) -> BadOption:
        return BadOption(f"{option} {path}: {reason}")

    try:
        stacks = _STACKS.validate_json(path.read_bytes())
    except OSError as error:
        raise refuse(f"{(error.strerror or str(error)).lower()}; {_WRITTEN_BY}.") from None
    except ValidationError as error:
        reason = "an object of stacks is needed" if error.errors()[0]["type"] == "dict_type" else "not JSON"
        raise refuse(f"{reason}; {_WRITTEN_BY}.") from None
    if stacks and all(isinstance(of, dict) and of.keys() == _TERRAFORMS for of in stacks.values()):
        stacks = {path.stem: {name: of["value"] for name, of in stacks.items()}}
    gateways = {name: of for name, of in stacks.items() if isinstance(of, dict) and of.get("gateway_url")}
    if len(gateways) != 1:
        raise refuse(f"one stack with a gateway_url is needed, there are {len(gateways)}.")
    ((name, outputs),) = gateways.items()
    given = {key: value for key, value in outputs.items() if value is not None}
    try:
        target = Target.model_validate({**given, "stack": name, "further": {}})
        further = _OUTPUTS.validate_python({key: text for key, text in given.items() if key.endswith(_OF_A_FURTHER)})
    except ValidationError as error:
        (what,) = error.errors()[0]["loc"]
        raise refuse(
            f"{what} must be text of at most 2048 characters, not {str(given.get(str(what)))[:40]!r}."
        ) from None
    urls = {}
    for key in ("gateway_url", "comparison_url", "aws_endpoint_url"):
        if url := getattr(target, key):
            try:
                urls[key] = check_url(url).rstrip("/")
            except ValueError as error:
                raise refuse(f"{key} {error}") from None
    names = [key.removesuffix("service_name") for key in further if key.endswith("_service_name")]
    services = {further[f"{name}service_name"]: further.get(f"{name}discovery_name", "") for name in names}
    return target.model_copy(update={**urls, "further": services})


def is_file(text: str) -> bool:
    """Whether a target is an outputs file and no URL: it has no scheme, and the ending or the place of a file."""
    return "://" not in text and (text.endswith(".json") or Path(text).is_file())


def check_url(text: str) -> str:
    """The URL, where requests can be sent to it. Raises ValueError, with the URL, the rule and an example."""
    try:
        url = urlsplit(text)
        # To look at the port is to check it.
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or " " in text:
        raise ValueError(
            f"{text[:80]!r}: the URL of a host is needed, with a port from 1 to 65535 if with any, such as "
            "http://127.0.0.1:8000, or an outputs file."
        )
    return text
