"""The load's options as Locust takes them: on the command line, from the environment, in the web UI."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.shape import LoadTestShape

from load.errors import BadOption
from load.traffic.settings import AUTHORIZATIONS, DEFAULTS, LoadSettings, parse
from load.traffic.shapes import SHAPES, users_at
from load.traffic.signing import authorizer
from load.traffic.target import check_url, is_file, read_outputs

__all__ = [
    "STOP_TIMEOUT",
    "OptionShape",
    "add_options",
    "apply_shape",
    "require_host",
    "require_master_port",
    "resolve",
]

STOP_TIMEOUT = 36.0
"""Seconds that requests under way have when the load ends: longer than the 35 s that a user waits for an answer."""


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Listener of `init_command_line_parser`."""
    # Locust's own is 0: it drops what is under way, and counts it nowhere.
    parser.set_defaults(stop_timeout=STOP_TIMEOUT)
    # Nor does its own web UI, which needs no login, keep to this machine.
    parser.set_defaults(web_host="127.0.0.1")

    def add(name: str, metavar: str | None, help: str, **more: Any) -> None:
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            metavar=metavar,
            default=DEFAULTS[name],
            type=_checked(name),
            env_var=f"LOAD_{name.upper()}",
            help=help,
            **more,
        )

    add("path_mix", "<path=weight,...>", "Paths asked for, and how often, such as hostname=9,payload=1")
    add("payload_bytes", "<n>", "Bytes that each answer of /payload has, at most 10000000")
    add("connections", "<kind>", "keep-alive: one for each user; close: one for each request; pooled:N: N per process")
    add(
        "rate",
        "<requests/s>",
        "Requests per second of all users together, however many, answered or not; 0, the default: as many as go",
    )
    add("shape", None, "How users are added and taken away up to the run time", choices=SHAPES)
    add(
        "authorization",
        None,
        "What the API wants: AWS_IAM signs requests, JWT sends the token in LOAD_JWT. Default: as the outputs say",
        choices=AUTHORIZATIONS,
        include_in_web_ui=False,
    )
    add(
        "region",
        "<Region>",
        "Region to sign for. Default: as the outputs or AWS_REGION say",
        include_in_web_ui=False,
    )
    parser.add_argument(
        "--results-dir",
        metavar="<folder>",
        default="",
        env_var="LOAD_RESULTS_DIR",
        include_in_web_ui=False,
        help="Folder of this run: run.json, hostnames.csv, timeline.csv. Default: results/<UTC time>",
    )


def _checked(name: str) -> Callable[[str], str]:
    def check_text(text: str) -> str:
        try:
            parse(name, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        # Options travel to workers and into the web UI's form: they stay text.
        return text

    return check_text


def resolve(environment: Environment) -> None:
    """Take host and options from an outputs file as host; see that requests can be authorized. Raises BadOption."""
    options = environment.parsed_options
    if options is None:
        return
    if environment.host and is_file(environment.host) and not isinstance(environment.runner, WorkerRunner):
        target = read_outputs(Path(environment.host))
        environment.host = options.host = target.gateway_url
        options.region = options.region or target.region
        options.authorization = options.authorization or target.authorization
    if not isinstance(environment.runner, WorkerRunner):
        require_host(environment)
    settings = LoadSettings.from_options(options)
    if not isinstance(environment.runner, MasterRunner):
        authorizer(settings.authorization, settings.region)


def require_host(environment: Environment, host: str | None = None) -> None:
    """See that there is a host, and one that can be asked; `host` None: the environment's. Raises BadOption.

    Where the web UI asks for the host before a test starts, it may still be missing.
    """
    options = environment.parsed_options
    host = environment.host if host is None else host
    waits = options is not None and not (options.headless or options.autostart)
    if host is None:
        if waits or all(user.host for user in environment.user_classes):
            return
        raise BadOption("--host: which service to load is not known; name its URL or its outputs file.")
    try:
        check_url(host)
    except ValueError as error:
        raise BadOption(f"--host {error}") from None


def require_master_port(environment: Environment) -> None:
    """See that the workers of --processes look for their master where it listens. Raises BadOption."""
    options = environment.parsed_options
    if not isinstance(environment.runner, MasterRunner) or options is None or not options.processes:
        return
    bound, asked = options.master_bind_port, options.master_port
    if bound != asked:
        raise BadOption(
            f"--master-bind-port {bound}: the workers of --processes look for their master at --master-port, which is "
            f"{asked}; give --master-port {bound} too."
        )


class OptionShape(LoadTestShape):
    """The shape that `--shape` names, up to `--users` and for `--run-time`."""

    # Out of Locust's search for shape classes, which would take it for every run.
    abstract = True
    use_common_options = True

    def __init__(self, environment: Environment, shape: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.environment = environment
        self.shape = shape
        self.runner = environment.runner

    def tick(self) -> tuple[int, float] | None:
        """The users there should be now, and how many to add per second; None at the end."""
        options = self.environment.parsed_options
        assert options is not None
        peak = options.num_users or 1
        elapsed = time.perf_counter() - self.start_time
        users = users_at(self.shape, elapsed, options.run_time, peak)
        # A step is a step: all of its users within a second, short of the rate that Locust warns of.
        return None if users is None else (users, min(peak, 100))


def apply_shape(environment: Environment, shape: str) -> None:
    """Let the next test follow `--shape`; `constant` is Locust's own way."""
    if shape != DEFAULTS["shape"]:
        environment.shape_class = OptionShape(environment, shape)
    elif isinstance(environment.shape_class, OptionShape):
        environment.shape_class = None
