"""Terraform and the AWS provider as this machine has them: a binary on PATH, a provider in a folder or a registry.

Variables of the environment:
    TERRAFORM_BINARY_NAME  terraform, if not given; the name that the cdktf command goes by as well.
    TF_PLUGIN_MIRROR       a folder that holds `registry.terraform.io`. Not given: the first with the provider of
                           Terraform's implied local mirrors and of the folders below /opt and /usr/local/share.
    TF_AWS_PROVIDER        the provider's version. Not given: the stack's, if the mirror has it or there is no mirror,
                           else the mirror's newest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Lacking", "Provider", "Terraform", "find_provider", "pin"]

PROVIDER = "registry.terraform.io/hashicorp/aws"
_IMPLIED = ("~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/local/share/terraform/plugins")
_BELOW = ("/opt", "/usr/local/share")
_WITHIN = 600.0  # seconds for one command
# Up to 2 GiB: of the 2.6 s of a processor that a start of the provider takes, it is a third.
_NO_GARBAGE_COLLECTION = {"GOGC": "off", "GOMEMLIMIT": "2GiB"}


class Lacking(Exception):
    """This machine lacks what the tests need; the text says what."""


@dataclass(frozen=True)
class Provider:
    """The AWS provider: its version, and the folder that has it; None: a registry has."""

    version: str
    mirror: Path | None


def find_provider(wanted: str, environment: Mapping[str, str] = os.environ) -> Provider:
    """The provider for a stack that wants this version.

    Raises:
        Lacking: TF_PLUGIN_MIRROR has none, or not the version of TF_AWS_PROVIDER.
    """
    named = environment.get("TF_PLUGIN_MIRROR")
    for folder in [Path(named).expanduser()] if named else _mirrors():
        versions = {binary.parents[1].name for binary in (folder / PROVIDER).glob("*/*/terraform-provider-aws*")}
        if not versions:
            continue
        asked = environment.get("TF_AWS_PROVIDER") or (wanted if wanted in versions else max(versions, key=_numbers))
        if asked not in versions:
            raise Lacking(f"{folder} has {PROVIDER} {', '.join(sorted(versions))}, not {asked}")
        return Provider(asked, folder)
    if named:
        raise Lacking(f"TF_PLUGIN_MIRROR={named} has no {PROVIDER}")
    return Provider(environment.get("TF_AWS_PROVIDER") or wanted, None)


def pin(stack: Path, environment: Mapping[str, str] = os.environ) -> Provider:
    """Make *stack*, a cdk.tf.json, ask for the version of the provider that there is; the provider.

    Raises:
        Lacking: as find_provider.
    """
    content = json.loads(stack.read_text())
    required = content["terraform"]["required_providers"]["aws"]
    provider = find_provider(required["version"], environment)
    required["version"] = provider.version
    stack.write_text(json.dumps(content))
    return provider


def _mirrors() -> Iterator[Path]:
    yield from (Path(path).expanduser() for path in _IMPLIED)
    for parent in map(Path, _BELOW):
        yield from sorted(found.parent for found in parent.glob("**/registry.terraform.io") if found.is_dir())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


class Terraform:
    """Runs Terraform in *folder* on the stack that is there; *environment* leads it to the endpoint."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self.environment = {**environment, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", **_NO_GARBAGE_COLLECTION}

    def init(self, *, backend: bool = True) -> Provider:
        """Install the provider, and make the stack ask for its version; without its *backend* there is no state.

        Raises:
            Lacking: there is no Terraform, or no provider.
        """
        provider = self.prepare(self._folder / "cdk.tf.json")
        self._install(provider, backend=backend)
        return provider

    def _install(self, provider: Provider, *, backend: bool = True) -> None:
        done = self._run("init", *([] if backend else ["-backend=false"]))
        if done.returncode:
            what = "the registry gives none" if provider.mirror is None else f"{provider.mirror} gives none"
            raise Lacking(f"no provider {PROVIDER} {provider.version}: {what} ({_last_error(done)})")

    def init_plain(self, wanted: str) -> None:
        """Install the provider for a project in plain HCL that names no version: the machine's, or *wanted*.

        Raises:
            Lacking: as init.
        """
        self._require_binary()
        provider = find_provider(wanted, self.environment)
        self._use(provider)
        required = {"aws": {"source": "hashicorp/aws", "version": provider.version}}
        versions = self._folder / "versions.tf.json"
        versions.write_text(json.dumps({"terraform": {"required_providers": required}}))
        self._install(provider)

    @contextmanager
    def one_provider(self) -> Iterator[None]:
        """After init: all commands ask one process of the provider. Apply, plan and destroy start twelve otherwise.

        It is how a provider is debugged: https://developer.hashicorp.com/terraform/plugin/debugging.
        """
        data = self._folder / self.environment.get("TF_DATA_DIR", ".terraform")
        (binary,) = data.glob(f"providers/{PROVIDER}/*/*/terraform-provider-aws*")
        with subprocess.Popen(
            [binary, "-debug"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if found := re.search("TF_REATTACH_PROVIDERS='(.*)'", line):
                        self.environment["TF_REATTACH_PROVIDERS"] = found[1]
                        break
                else:
                    raise AssertionError(f"{binary} -debug has ended")
                yield
            finally:
                process.terminate()

    def prepare(self, stack: Path) -> Provider:
        """Make *stack* ask for the provider that this machine has, and the environment say where.

        Raises:
            Lacking: there is no Terraform, or no provider.
        """
        self._require_binary()
        provider = pin(stack, self.environment)
        self._use(provider)
        return provider

    def _require_binary(self) -> None:
        binary = self.environment.get("TERRAFORM_BINARY_NAME", "terraform")
        if shutil.which(binary) is None:
            raise Lacking(f"{binary} is not on PATH")

    def _use(self, provider: Provider) -> None:
        """Make the environment say where *provider* is."""
        if provider.mirror:
            configuration = self._folder / "terraform.rc"
            mirror = f"filesystem_mirror {{\n    path = {json.dumps(str(provider.mirror))}\n  }}"
            configuration.write_text(f"provider_installation {{\n  {mirror}\n}}\n")
            self.environment["TF_CLI_CONFIG_FILE"] = str(configuration)

    def validate(self) -> str:
        """What the provider refuses of the stack; empty: nothing."""
        done = self._run("validate")
        return done.stderr if done.returncode else ""

    def apply(self) -> None:
        """Make the endpoint what the stack says."""
        self._must("apply", "-auto-approve")

    def changes(self) -> str:
        """What another plan would change, as Terraform says it; empty: nothing."""
        done = self._run("plan", "-detailed-exitcode", "-lock=false")
        assert done.returncode in (0, 2), done.stderr
        return done.stdout if done.returncode else ""

    def output(self) -> dict[str, str]:
        """The stack's outputs."""
        values = json.loads(self._must("output", "-json"))
        return {name: value["value"] for name, value in values.items()}

    def destroy(self) -> None:
        """Remove what the stack has made."""
        self._must("destroy", "-auto-approve")

    def _must(self, *arguments: str) -> str:
        done = self._run(*arguments)
        assert done.returncode == 0, f"terraform {arguments[0]}: {done.stdout[-2000:]}{done.stderr}"
        return done.stdout

    def _run(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        binary = self.environment.get("TERRAFORM_BINARY_NAME", "terraform")
        inputs = [] if command in ("output", "validate") else ["-input=false"]
        return subprocess.run(
            [binary, command, "-no-color", *inputs, *options],
            cwd=self._folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_WITHIN,
        )


def _last_error(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip(" │╷╵") for line in done.stderr.splitlines()]
    return " ".join(line for line in lines if line)[:200]
