"""`twin up`: checks what it was asked for, and runs the supervisor that does it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from twin.credentials import lead_elsewhere, past_proxies
from twin.errors import BadInput, BadStack, PortTaken, StartFailed, Terminated, TwinError
from twin.machine.addresses import Address, is_free
from twin.machine.printable import printable
from twin.machine.process import envoy_program
from twin.machine.reporting import reporting
from twin.machine.state import StateFolder
from twin.options import Options
from twin.stack.limits import check_health_checks
from twin.stack.own_stack import ANY_PATH, NAME, own_stack
from twin.stack.terraform import Stack, load_stack
from twin.tasks.presence import require_program, wrapped_node
from twin.tasks.program import Command, command_of
from twin.tasks.programs import FILE, Programs, how_to_name

__all__ = ["run"]

_REGION = "eu-west-2"  # as the stack's own default
_SYNTH = Path("cdktf.out")
_DOCKERFILE = Path("Dockerfile")
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def run(options: Options) -> int:
    """Run a twin until it is told to end; the exit code of `then`, else 0.

    What the user gave is checked before the second that it takes to import the rest.

    Raises:
        TwinError: it cannot start; nothing of it is left.
    """
    started = time.monotonic()
    state = StateFolder(options.state)
    state.require_free()
    _require_ports(options)
    stack = _stack(options)
    envoy_binary = envoy_program()
    programs = _programs(options, stack)
    if not options.empty and (unknown := programs.unknown(families := stack.families())):
        named = f"programs.{', programs.'.join(unknown)}: no task definition of the stack has that family"
        there = " and ".join(families)
        print(f"twin: {printable(f'{named}; there is {there}')}", file=sys.stderr, flush=True)
    for key, program in programs.watched().items():
        if node := wrapped_node(program.command):
            print(f"twin: {printable(key) or 'the service'} runs {printable(node)}", file=sys.stderr, flush=True)
    for definition in () if options.empty else stack.of_type("aws_ecs_task_definition"):
        check_health_checks(definition.address, definition.arguments, programs, os.environ.get("PATH", os.defpath))
    _be_on_our_own()
    with (
        _ending_in_order() as ended_by,
        _for_us_alone() as umask,
        state.hold(options.credentials),
        reporting(state.log) as accidents,
    ):
        programs.umask = umask
        # The start makes a million objects that stay; to look through them again and again would take a third of it.
        gc.disable()
        from twin.aws.models import share_models

        share_models()
        from twin.supervisor import ACCOUNT, Supervisor

        _require_region(stack.region, ACCOUNT)
        if ended_by:
            raise Terminated(ended_by[0])
        try:
            return asyncio.run(Supervisor(options, state, stack, programs, envoy_binary, accidents).run(started))
        except (OSError, StartFailed, BaseExceptionGroup) as error:
            for cause in _causes(error):
                if isinstance(cause, StartFailed) and (trouble := state.trouble()):
                    raise BadInput(trouble) from None  # what did not start says less
                if isinstance(cause, TwinError):
                    state.log("twin", step="gave up", message=str(cause))  # for who is not at this terminal
                    raise cause from None
                if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
                    raise state.not_writable(cause) from None
            raise


def _require_ports(options: Options) -> None:
    """Nothing, if the twin can listen on both of its ports."""
    if options.port == options.aws_port:
        raise BadInput(f"--port and --aws-port are both {options.port}: give two.")
    taken = {}
    for option, port in (("--port", options.port), ("--aws-port", options.aws_port)):
        if not 1 <= port <= 65535:
            raise BadInput(f"{option} {port} is no port: give a number from 1 to 65535.")
        if not is_free(Address("127.0.0.1", port)):
            taken[option] = port
    if taken:
        ports, others = " and ".join(map(str, taken.values())), " and another ".join(taken)
        by_make = " ".join({"--port": "GATEWAY_PORT=...", "--aws-port": "AWS_PORT=..."}[option] for option in taken)
        what = f"Ports {ports} are taken" if len(taken) > 1 else f"Port {ports} is taken"
        raise PortTaken(f"{what}: end what listens there, or choose another {others} ({by_make} of `make`).")


@contextlib.contextmanager
def _ending_in_order() -> Iterator[Sequence[int]]:
    """Within it a signal raises Terminated, so that what is open is closed, until the supervisor handles signals.

    The signals so far: what is raised in a callback of the import system's, Python ignores, and would show.
    """
    came: list[int] = []
    show = sys.unraisablehook

    def end(number: int, frame: object) -> None:
        came.append(number)
        raise Terminated(number)

    def hide(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, Terminated):
            show(unraisable)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    sys.unraisablehook = hide
    try:
        yield came
    finally:
        sys.unraisablehook = show
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _for_us_alone() -> Iterator[int]:
    """Within it no other user may read what is written; the umask of before, for the user's own programs."""
    umask = os.umask(0o077)
    try:
        yield umask
    finally:
        os.umask(umask)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """*error*, or those that it is a group of."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    else:
        yield error


def _stack(options: Options) -> Stack:
    """What is synthesized, or made for a service of the user's own.

    Where nothing is to be deployed and nothing is there, an empty one in the user's Region.

    Raises:
        BadInput: there is none, or options that do not go together.
    """
    given = {
        "--command": options.command, "--routes": options.routes, "--health": options.health,
        "--register-when-healthy": options.register_when_healthy or None,
    }  # fmt: skip
    of_ones_own = [option for option, value in given.items() if value is not None]
    if (fixed := [option for option in of_ones_own if option != "--command"]) and (options.synth or options.empty):
        there = "--empty deploys no stack" if options.empty else f"{options.synth} has its own"
        raise BadInput(f"{fixed[0]} is for the stack that `twin up --command` makes, and {there}: leave one out.")
    if of_ones_own and options.synth is None and not options.empty:
        _tell_unused_settings(os.environ)
        return own_stack(
            _REGION,
            options.routes or ANY_PATH,
            options.health,
            register_when_healthy=options.register_when_healthy,
        )
    if options.region is not None:
        if not options.empty:
            raise BadInput("--region is for --empty: a stack names its own Region. Leave it out, or set SC_REGION.")
        return Stack("empty", options.region, {}, {}, {})
    if not (options.synth or options.empty or _SYNTH.exists()):
        if program := _of_ones_own(options):
            print(f"twin: there is no {_SYNTH}: {program} runs, as with --command", flush=True)
            return own_stack(_REGION)
        raise BadStack(
            f"{_SYNTH} does not exist: run `make synth`, name a synthesized stack with --synth, or start a service of "
            "your own: `twin up --command '... --host {host} --port {port}'`."
        )
    synth = options.synth or _SYNTH
    if not options.empty or synth.exists():
        return load_stack(synth, _given_region(os.environ))
    return Stack("empty", _given_region(os.environ) or _REGION, {}, {}, {})


def _tell_unused_settings(environ: Mapping[str, str]) -> None:
    """Say which settings of the synthesized stack the environment has: the one that is made has none of them."""
    if settings := sorted(name for name in environ if name.startswith("SC_")):
        options = "--routes, --health and --register-when-healthy"
        print(f"twin: {', '.join(settings)} is for `make synth` alone: --command has {options}", file=sys.stderr)


def _of_ones_own(options: Options) -> str | None:
    """What a service of the user's own in the current folder runs; None: there is none, or what has its own stack."""
    if any(next(Path().glob(it), None) for it in ("cdktf.json", "*.tf")):
        return None
    named = Programs(file=options.programs or FILE, given=options.program).watched()
    if NAME in named and named[NAME].command.words:
        return f"programs.{NAME}"
    return f"the CMD of {_DOCKERFILE}" if _DOCKERFILE.exists() and not named else None


def _given_region(environ: Mapping[str, str]) -> str | None:
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")


def _require_region(region: str, account: str) -> None:
    """Nothing, if the endpoint has that Region.

    Raises:
        BadStack: AWS has none of that name.
    """
    from twin.aws.moto import complete
    from twin.aws.moto.stores import has_region

    complete()
    if not has_region(account, region):
        raise BadStack(f"{region} is no Region that the AWS SDK knows: name another, as in SC_REGION=eu-west-2.")


def _be_on_our_own() -> None:
    """Keep what the user has set up for AWS, and proxies, out of this process and of the command that it runs."""
    os.environ.update(past_proxies(os.environ), AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    for name in lead_elsewhere(os.environ):
        del os.environ[name]


def _programs(options: Options, stack: Stack) -> Programs:
    """What runs as which container of *stack*, or of what will be deployed.

    Raises:
        BadInput: something of it cannot be used, or no service of the stack has a program.
    """
    file = options.programs or _beside(options.synth)
    if options.programs is not None and not options.programs.is_file():
        raise BadInput(f"--programs {options.programs} is no file: give a twin.toml, such as `twin init` writes.")
    families = [] if options.empty else stack.families()
    if options.command is not None:
        default = _command(options.command)
        require_program(default, "--command")
        programs = Programs(file=file, given=options.program, default=default)
        programs.require(families)
        if len(families) == 1 and (named := programs.watched().get(families[0])) and named.command.words:
            raise BadInput(
                f"--command and programs.{families[0]} both name what runs ({file}, --program): leave one out."
            )
        return programs
    programs = Programs(file=file, given=options.program)
    programs.require(families)
    if len(families) > 1:
        if len(programs.unnamed(families)) == len(families):
            ways = "; ".join(how_to_name(family, "", main=True) for family in families)
            raise BadInput(f"The stack has {len(families)} task definitions, and no program is named for one: {ways}.")
        return programs
    if families and not _DOCKERFILE.exists() and (unknown := programs.unknown(families)):
        raise BadInput(f"programs.{unknown[0]} names no task definition of the stack: {', '.join(families)} is there.")
    if programs.unnamed(families) or (options.empty and not programs.watched() and _DOCKERFILE.exists()):
        default = command_of(_DOCKERFILE)
        if not options.empty:  # else it may not be what will run
            require_program(default, f"The CMD of {_DOCKERFILE}")
        return Programs(file=file, given=options.program, default=default)
    return programs


def _beside(synth: Path | None) -> Path:
    """The twin.toml beside the stack, else that of the current folder, which need not be there."""
    folder = synth if synth is None or synth.is_dir() else synth.parent
    return folder / FILE if folder is not None and (folder / FILE).exists() else FILE


def _command(text: str) -> Command:
    try:
        return Command.parse(text, Path.cwd())
    except ValueError as error:
        raise BadInput(f"--command {text!r} is no command line ({error}): quote it as for a shell.") from None
