"""`twin`: the synthesized stack on this machine."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from twin import DEFAULT_STATE
from twin.errors import BadInput, StartFailed, Terminated, TwinError
from twin.machine.printable import printable
from twin.parameters import Balancing, Parameters

__all__ = ["app", "main"]

app = typer.Typer(
    help="The synthesized stack on this machine: real Envoys, the service as processes, an AWS endpoint.",
    no_args_is_help=True,
    context_settings={"max_content_width": 120},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# A command that a twin runs is led to that twin, but for one that starts another.
State = Annotated[Path, typer.Option("--state", envvar="TWIN_STATE", help="The state folder.")]
OwnState = Annotated[Path, typer.Option("--state", help="The state folder.")]
_STATE = Path(DEFAULT_STATE)
_DEFAULT = Parameters()
_DOWN_WITHIN = 60.0  # seconds
_TASK_ID = re.compile("[0-9a-f]{32}")


def _tasks(context: typer.Context, incomplete: str) -> list[str]:
    """For completion: the ids of the tasks that a twin's state folder has, running or stopped.

    Nothing else that is there: a shell puts it into the line, and runs what `$(...)` in it says.
    """
    state = context.params.get("state") or _STATE
    named = (folder.name for folder in (Path(state) / "tasks").glob(f"{glob.escape(incomplete)}*"))
    return sorted(name for name in named if _TASK_ID.fullmatch(name))


def _tasks_and_gateway(context: typer.Context, incomplete: str) -> list[str]:
    return [*(["gateway"] if "gateway".startswith(incomplete) else []), *_tasks(context, incomplete)]


def _faults(incomplete: str) -> list[str]:
    from twin.faults import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def _changes(incomplete: str) -> list[str]:
    names = (field.name.replace("_", "-") for field in fields(Parameters))
    return [f"{name}=" for name in names if name.startswith(incomplete)]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"twin {version('serviceconnect')}")
        raise typer.Exit


@app.callback()
def _twin(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    return


@app.command()
def up(
    then: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND...]",
            help="Run this once the twin serves, and go down when it ends: `-- lab run stop-task --no-wait`.",
        ),
    ] = None,
    synth: Annotated[
        Path | None,
        typer.Option(
            help="What `make synth` wrote: a folder, or one cdk.tf.json. Default: cdktf.out; with --command, --routes "
            "or --health a small stack that needs no synthesis."
        ),
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Deploy nothing: an endpoint for Terraform or the AWS CLI.")
    ] = False,
    region: Annotated[
        str | None,
        typer.Option(
            help="With --empty the Region; else the stack names it.", show_default="the stack's or AWS_REGION"
        ),
    ] = None,
    state: OwnState = _STATE,
    port: Annotated[int, typer.Option(help="The gateway's port.")] = 8000,
    aws_port: Annotated[int, typer.Option(help="The AWS endpoint's port.")] = 4566,
    balancing: Annotated[
        Balancing, typer.Option(help="How the gateway picks an instance. Assumed.")
    ] = _DEFAULT.balancing,
    front_ends: Annotated[
        int, typer.Option(help="Independent balancer states behind the URL, with one list of tasks. Assumed.")
    ] = _DEFAULT.front_ends,
    discovery_ttl: Annotated[
        float, typer.Option(help="Seconds for which the gateway uses an answer of DiscoverInstances. Assumed.")
    ] = _DEFAULT.discovery_ttl,
    connect_retries: Annotated[
        int, typer.Option(help="How often a refused connection is tried on another instance. Assumed.")
    ] = _DEFAULT.connect_retries,
    reuse_connections: Annotated[
        bool, typer.Option(help="Keep connections to tasks open between requests. Assumed.")
    ] = _DEFAULT.reuse_connections,
    timeout_status: Annotated[
        int, typer.Option(help="Of the gateway's answer when an integration takes too long: 504 or 503. Assumed.")
    ] = _DEFAULT.timeout_status,
    deregistration_delay: Annotated[
        float, typer.Option(help="Seconds between a task's deregistration and its stop. Assumed.")
    ] = _DEFAULT.deregistration_delay,
    stop_timeout: Annotated[
        float, typer.Option(help="Seconds between SIGTERM and SIGKILL where the task definition does not say.")
    ] = _DEFAULT.stop_timeout,
    registration_wait: Annotated[
        float,
        typer.Option(help="Seconds for which a task that does not listen yet is held back from registration. Assumed."),
    ] = _DEFAULT.registration_wait,
    proxy_idle_timeout: Annotated[
        float,
        typer.Option(help="Seconds after which the proxy closes an unused connection to the application. Assumed."),
    ] = _DEFAULT.proxy_idle_timeout,
    proxy_drain: Annotated[
        float, typer.Option(help="Seconds that the proxy serves on after the application has stopped.")
    ] = _DEFAULT.proxy_drain,
    proxy_restarts: Annotated[
        int, typer.Option(help="How often a crashed proxy is started anew before the task fails.")
    ] = _DEFAULT.proxy_restarts,
    running_grace: Annotated[
        float, typer.Option(help="Seconds in RUNNING after which a task without a health check counts as healthy.")
    ] = _DEFAULT.running_grace,
    alarm_bake: Annotated[
        float, typer.Option(help="Seconds for which a settled deployment is still watched by its alarms. Assumed.")
    ] = _DEFAULT.alarm_bake,
    scaling_period: Annotated[
        float, typer.Option(help="Seconds for which a minute counts when policies scale: for trying, below 60.")
    ] = _DEFAULT.scaling_period,
    namespace_cleanup: Annotated[
        float, typer.Option(help="Seconds until the Cloud Map service of a deleted ECS service is removed. Assumed.")
    ] = _DEFAULT.namespace_cleanup,
    client_retries: Annotated[
        int, typer.Option(help="How often a client proxy tries what could not be passed on with another task.")
    ] = _DEFAULT.client_retries,
    ejection_failures: Annotated[
        int, typer.Option(help="Failures in a row after which a client proxy leaves a task out.")
    ] = _DEFAULT.ejection_failures,
    ejection_time: Annotated[
        float, typer.Option(help="Seconds for which it does, the first time.")
    ] = _DEFAULT.ejection_time,
    ejection_percent: Annotated[
        int, typer.Option(help="Of a service's tasks, how many a client proxy may leave out at a time. Assumed.")
    ] = _DEFAULT.ejection_percent,
    endpoint_propagation: Annotated[
        float, typer.Option(help="Seconds until client proxies know of a task that has come or gone. Assumed.")
    ] = _DEFAULT.endpoint_propagation,
    hosts_files: Annotated[
        bool, typer.Option(help="Give each task a hosts file of its own, where the machine allows it.")
    ] = _DEFAULT.hosts_files,
    command: Annotated[
        str | None,
        typer.Option(help="The service to run; {host} and {port} are filled in. Default: the Dockerfile's CMD."),
    ] = None,
    programs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What runs as which container, as `twin init` writes it.",
            show_default="twin.toml beside the stack, or here",
        ),
    ] = None,
    program: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAMILY[/CONTAINER]=COMMAND", help="The program of a task family, or of one container. Repeatable."
        ),
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Deploy a service anew when the files of its program change.")
    ] = False,
    routes: Annotated[
        str | None,
        typer.Option(
            metavar="KEYS",
            help="Routes of the API, without --synth: such as 'GET /orders/{proxy+}, GET /ready'.",
            show_default="every path",
        ),
    ] = None,
    health: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|COMMAND",
            help="The health check, without --synth: a path such as /ready, or a command.",
            show_default="none",
        ),
    ] = None,
    register_when_healthy: Annotated[
        bool,
        typer.Option(
            "--register-when-healthy",
            help="Without --synth: Cloud Map has a task only once its health check has passed.",
        ),
    ] = False,
    name_tasks: Annotated[
        bool,
        typer.Option("--name-tasks", help="The proxy adds `x-hostname` to answers without it; AWS does no such thing."),
    ] = False,
    jwt_issuer: Annotated[
        str | None, typer.Option(help="URL on this machine with the keys of the JWT issuer. Default: its own address.")
    ] = None,
    access_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="The endpoint's access key, and its secret too: `test`, as awslocal and tflocal have it, which anyone "
            "can guess. Default: random ones, which `twin env` prints.",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A page of this origin may ask the AWS endpoint; no other may. Repeatable."),
    ] = None,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when the process that started it has gone, for whatever reason.")
    ] = False,
) -> None:
    """Start a twin and stay with it; Ctrl-C or `twin down` ends it and everything it started."""
    from twin.aws.guard import checked_origin
    from twin.credentials import Credentials
    from twin.machine.state import StateFolder
    from twin.options import Options

    parameters = Parameters(
        balancing=balancing,
        front_ends=front_ends,
        discovery_ttl=discovery_ttl,
        connect_retries=connect_retries,
        reuse_connections=reuse_connections,
        timeout_status=timeout_status,
        deregistration_delay=deregistration_delay,
        stop_timeout=stop_timeout,
        registration_wait=registration_wait,
        proxy_idle_timeout=proxy_idle_timeout,
        proxy_drain=proxy_drain,
        proxy_restarts=proxy_restarts,
        running_grace=running_grace,
        alarm_bake=alarm_bake,
        scaling_period=scaling_period,
        namespace_cleanup=namespace_cleanup,
        client_retries=client_retries,
        ejection_failures=ejection_failures,
        ejection_time=ejection_time,
        ejection_percent=ejection_percent,
        endpoint_propagation=endpoint_propagation,
        hosts_files=hosts_files,
    )
    options = Options(
        synth,
        state,
        port,
        aws_port,
        parameters,
        command=command,
        programs=programs,
        program=program or (),
        reload=reload,
        routes=routes,
        health=health,
        register_when_healthy=register_when_healthy,
        name_tasks=name_tasks,
        jwt_issuer=jwt_issuer,
        then=then or None,
        empty=empty,
        region=region,
        with_parent=with_parent,
        credentials=Credentials.new(access_key),
        allow_origin=[checked_origin(origin) for origin in allow_origin or []],
    )
    with StateFolder(state).beginning():
        from twin.up import run

        code = run(options)
    sys.exit(code)


@app.command()
def down(state: State = _STATE) -> None:
    """End the twin on this state folder, and wait until it is gone."""
    from twin.machine.state import StateFolder

    folder = StateFolder(state)
    pid = folder.pid()
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself in between
        os.kill(pid, signal.SIGTERM)
    if not folder.wait_until_free(_DOWN_WITHIN):
        raise StartFailed(f"The twin (pid {pid}) does not end within {_DOWN_WITHIN:g} s: end it with `kill -9 {pid}`.")


@app.command()
def ps(
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every second, with requests a second.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: docs/twin.md has its keys.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Stopped tasks too, as --json has them.")] = False,
    left_out: Annotated[
        bool, typer.Option("--left-out", help="List the parts of the stack that do nothing here, each with why.")
    ] = False,
    state: State = _STATE,
) -> None:
    """List the twin's tasks as ECS and Cloud Map tell them, and what the twin does not do."""
    from twin.machine.state import StateFolder

    if watch and as_json:
        raise BadInput("--watch and --json do not go together: ask with --json again and again.")
    running = StateFolder(state).serving()
    from twin.listing import listing, print_listing, watch_listing  # boto3 with it: not for nothing

    if as_json:
        print(json.dumps(listing(running), indent=2))
    elif watch:
        watch_listing(running, stopped=everything)
    else:
        print_listing(running, stopped=everything, left_out=left_out)


@app.command()
def logs(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="A task's id, the beginning of it, its ARN or its host name; or `gateway`.",
            autocompletion=_tasks_and_gateway,
        ),
    ],
    proxy: Annotated[bool, typer.Option("--proxy", help="Those of its proxy, not of the application.")] = False,
    container: Annotated[
        str | None, typer.Option(metavar="NAME", help="Those of another container than the main one.")
    ] = None,
    state: State = _STATE,
) -> None:
    """Print what a task has written, running or stopped; of the gateway its access log."""
    from twin.machine.state import StateFolder

    folder = StateFolder(state)
    where = folder.path / "gateway" if task == "gateway" else folder.find_task(task)
    of_gateway = "gateway.log" if proxy else "access.log"
    of_task = "proxy.log" if proxy else f"{container}.log" if container else "application.log"
    file = where / (of_gateway if task == "gateway" else of_task)
    if file.exists():
        with file.open("rb") as lines:
            shutil.copyfileobj(lines, sys.stdout.buffer)
    elif file.name == "access.log":
        print("twin: the stage has no access log: give it access_log_settings", file=sys.stderr)
    else:
        there = ", ".join(sorted(log.name for log in where.glob("*.log"))) or "none yet"
        print(f"twin: {printable(f'{task} has no {file.name}; its logs are: {there}')}", file=sys.stderr)


@app.command()
def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="And those to come, until Ctrl-C.")] = False,
    state: State = _STATE,
) -> None:
    """Print what has happened, a line for each event: to services, tasks and the gateway, and by faults."""
    from twin.event_log import print_events
    from twin.machine.state import StateFolder

    print_events(StateFolder(state), follow=follow)


@app.command()
def stop(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK", help="A task's id, the beginning of it, its ARN or its host name.", autocompletion=_tasks
        ),
    ],
    reason: Annotated[str, typer.Option(help="For the task's record.")] = "twin stop",
    state: State = _STATE,
) -> None:
    """Stop a task as `aws ecs stop-task` does; its service starts another."""
    from twin.machine.state import StateFolder
    from twin.remote import ask

    ask(StateFolder(state).serving(), "stop", task=task, reason=reason)


@app.command("exec")
def exec_(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK", help="A task's id, the beginning of it, its ARN or its host name.", autocompletion=_tasks
        ),
    ],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="What to run; a shell if not given.")
    ] = None,
    container: Annotated[
        str | None, typer.Option(metavar="NAME", help="As another container than the main one.")
    ] = None,
    state: State = _STATE,
) -> None:
    """Run a command, or a shell, in the folder and with the environment of a task; its exit code is the command's."""
    from twin.machine.state import StateFolder
    from twin.remote import ask

    words = command or ["/bin/sh"]
    inside = ask(StateFolder(state).serving(), "exec", task=task, container=container, command=words)
    terminal = {name: os.environ[name] for name in ("TERM",) if name in os.environ}
    try:
        os.chdir(inside["folder"])
        os.execvpe(inside["words"][0], inside["words"], terminal | inside["environment"])
    except OSError as error:
        raise BadInput(f"{words[0]} cannot be run in {inside['folder']} ({error.strerror}).") from None


@app.command()
def fault(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="FAULT",
            help="Of a task: crash, hang, slow, unready, proxy-crash; of a zone: az-down; discovery-down.",
            autocompletion=_faults,
        ),
    ],
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TASK|ZONE]",
            help="A task's id, the beginning of it, its ARN or its host name; or a zone.",
            autocompletion=_tasks,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="When it is undone; 30 if not given.")
    ] = None,
    delay: Annotated[float, typer.Option(help="Seconds for which `slow` holds each request.")] = 1.0,
    undo: Annotated[bool, typer.Option("--undo", help="End it now.")] = False,
    state: State = _STATE,
) -> None:
    """Break something for a time; the event log tells when it began and ended."""
    from twin.machine.state import StateFolder
    from twin.remote import ask

    running = StateFolder(state).serving()
    if undo:
        done = ask(running, "undo", kind=kind, target=target)
        print(printable(f"{kind} on {done['target']} is undone"))
    else:
        done = ask(running, "fault", kind=kind, target=target, seconds=seconds, delay=delay)
        lasts = f" for {done['seconds']:g} s" if done["seconds"] else ""
        print(printable(f"{kind} on {done['target']}{lasts}" + (f": {done['note']}" if done["note"] else "")))


@app.command("set")
def set_(
    changes: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as discovery-ttl=0.", autocompletion=_changes)
    ],
    state: State = _STATE,
) -> None:
    """Change parameters of a running twin; no request is lost."""
    from twin.machine.state import StateFolder
    from twin.remote import ask

    running = StateFolder(state).serving()
    for name, value in ask(running, "set", assignments=changes).items():
        text = str(value).lower() if isinstance(value, bool) else value
        print(f"{name.replace('_', '-')}={text}")


@app.command()
def init(
    project: Annotated[
        Path, typer.Argument(metavar="[PROJECT]", help="A Terraform project, a cdktf.out, or a plan or state as JSON.")
    ] = Path(),
) -> None:
    """Write a twin.toml here that has a table for each container of the project's task definitions."""
    from twin.stack.project import task_definitions, twin_toml
    from twin.tasks.programs import FILE, Programs

    found = task_definitions(project)
    if not found:
        raise BadInput(f"{project} has no aws_ecs_task_definition, so there is no program to name.")
    text = twin_toml(found, Path.cwd())
    try:
        with FILE.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        Programs(file=FILE)  # which says what is wrong with it, and in which line
        raise BadInput(f"{FILE} is there, and is not overwritten: move it away, or add to it.") from None
    except OSError as error:
        raise BadInput(f"{FILE} cannot be written ({error.strerror}): choose another folder.") from None
    computed = sum(definition.family is None for definition in found)
    rest = f"; Terraform computes the names of {computed}" if computed else ""
    print(
        f"{FILE}: {len(found)} task definition{'s' if len(found) != 1 else ''}{rest}. Say what runs as each container."
    )


@app.command()
def env(
    terraform: Annotated[
        bool,
        typer.Option(
            "--terraform",
            help="Write twin_override.tf here, for the Terraform project in this folder, with its own state.",
        ),
    ] = False,
    state: State = _STATE,
) -> None:
    """Print exports for the AWS CLI, boto3 and Terraform: `eval "$(twin env)"`."""
    from twin.credentials import environment, lead_elsewhere
    from twin.machine.state import StateFolder

    running = StateFolder(state).serving()
    if terraform:
        from twin.stack.override import DATA_FOLDER, write_override

        if (written := write_override(Path(), running["aws_endpoint_url"])) is not None:
            print(f"twin: wrote {written}", file=sys.stderr)
        print(f"export TF_DATA_DIR={DATA_FOLDER}")
    for name in lead_elsewhere(os.environ):
        print(f"unset {name}")
    print(f"export TWIN_STATE={shlex.quote(str(state.resolve()))}")
    for name, value in environment(
        running["aws_endpoint_url"], running["region"], running["credentials"], os.environ
    ).items():
        print(f"export {name}={shlex.quote(value)}")


@contextlib.contextmanager
def _while_it_is_read() -> Iterator[None]:
    """Where nobody reads the output any more, end without a word, with what SIGPIPE gives other programs: 141."""
    try:
        try:
            yield
        finally:
            print(end="", flush=True)  # of what is left Python itself would complain
    except (BrokenPipeError, SystemExit) as end:
        # click ends with 1 because of it.
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


@_while_it_is_read()
def main() -> None:
    """Run `twin`; a TwinError becomes one sentence on stderr and its exit code."""
    try:
        app()
    except (TwinError, Terminated) as error:
        print(f"twin: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
