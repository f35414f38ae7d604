"""Bad input: one sentence with the way out, an exit code, and nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.command import Command, Ran
from tests.twin.running import PROJECT, events_in, twin_command, wait_until
from twin.machine.addresses import free_port
from twin.machine.state import StateFolder

STACK = Path(__file__).with_name("cdk.tf.json")


def ports() -> list[str]:
    return ["--port", str(free_port()), "--aws-port", str(free_port())]


def up(tmp_path: Path, *options: str, synth: Path = STACK) -> list[str]:
    """The arguments of `twin up`, on ports and a state folder of its own."""
    return ["up", "--synth", str(synth), "--state", str(tmp_path / "state"), *ports(), *options]


def run(*arguments: str, program: str = "from twin.cli import main; main()") -> Ran:
    """`twin` as a process."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    return Ran(done.returncode, done.stdout, done.stderr)


def assert_refused(ran: Ran, exit_code: int, *words: str) -> None:
    assert ran.code == exit_code, ran.err
    assert "Traceback" not in ran.err
    sentence = [line for line in ran.err.splitlines() if line.startswith("twin: ") and line != "twin: going down"]
    assert len(sentence) == 1, ran.err
    assert all(word in sentence[0] for word in words), sentence[0]


def test_one_port_for_both(twin_cli: Command, tmp_path: Path) -> None:
    port = str(free_port())
    refused = twin_cli(*up(tmp_path, "--port", port, "--aws-port", port))
    assert_refused(refused, 2, f"--port and --aws-port are both {port}: give two.")


@pytest.mark.parametrize("option", ["--port", "--aws-port"])
def test_a_taken_port(twin_cli: Command, tmp_path: Path, option: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert_refused(twin_cli(*up(tmp_path, option, str(port))), 2, f"Port {port} is taken", option)


def test_both_ports_are_taken(twin_cli: Command, tmp_path: Path) -> None:
    with socket.socket() as first, socket.socket() as second:
        for other in (first, second):
            other.bind(("127.0.0.1", 0))
            other.listen()
        ports = [str(other.getsockname()[1]) for other in (first, second)]
        refused = twin_cli(*up(tmp_path, "--port", ports[0], "--aws-port", ports[1]))
        way_out = "choose another --port and another --aws-port (GATEWAY_PORT=... AWS_PORT=... of `make`)."
        assert_refused(refused, 2, f"Ports {' and '.join(ports)} are taken", way_out)


def test_logs_that_are_not_there_are_named(twin_cli: Command, tmp_path: Path) -> None:
    for task, host_name in (("1b01eae1", "ip-10-9-0-4.eu-west-2.compute.internal"), ("2c02", "ip-10-9-0-5")):
        (tmp_path / "tasks" / task).mkdir(parents=True)
        (tmp_path / "tasks" / task / "host_name").write_text(host_name)
        (tmp_path / "tasks" / task / "application.log").write_text(f"of {task}\n")

    def logs(*arguments: str) -> Ran:
        return twin_cli("logs", *arguments, "--state", str(tmp_path))

    for name in (
        "1b01",
        "arn:aws:ecs:eu-west-2:123456789012:task/shop/1b01eae1",
        "ip-10-9-0-4",
        "ip-10-9-0-4.eu-west-2",
    ):
        assert StateFolder(tmp_path).find_task(name).name == "1b01eae1"
    assert_refused(logs("ip-10-9-0"), 2, "ip-10-9-0 is no task of the twin", "`twin ps --all` lists them")
    assert logs("2c02", "--container", "side") == (0, "", "twin: 2c02 has no side.log; its logs are: application.log\n")
    assert logs("gateway") == (0, "", "twin: the stage has no access log: give it access_log_settings\n")
    assert logs("gateway", "--proxy").err == "twin: gateway has no gateway.log; its logs are: none yet\n"
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "access.log").write_text("")
    assert logs("gateway") == (0, "", "")


def test_of_tasks_that_have_had_a_host_name_it_is_the_last(tmp_path: Path) -> None:
    for second, task in enumerate(("b", "c", "a"), start=1):
        (tmp_path / "tasks" / task).mkdir(parents=True)
        file = tmp_path / "tasks" / task / "host_name"
        file.write_text("ip-10-9-0-4")
        os.utime(file, (second, second))

    assert StateFolder(tmp_path).find_task("ip-10-9-0-4").name == "a"


def test_no_port(twin_cli: Command, tmp_path: Path) -> None:
    assert_refused(twin_cli(*up(tmp_path, "--port", "70000")), 2, "70000", "1 to 65535")


def test_a_stack_that_is_not_there(twin_cli: Command, tmp_path: Path) -> None:
    assert_refused(twin_cli(*up(tmp_path, synth=tmp_path / "cdktf.out")), 2, "cdktf.out", "make synth")


def test_a_stack_that_is_no_json(twin_cli: Command, tmp_path: Path) -> None:
    synth = tmp_path / "cdk.tf.json"
    synth.write_text('{"resource": ')
    assert_refused(twin_cli(*up(tmp_path, synth=synth)), 2, str(synth), "line 1")


def test_a_stack_without_a_service(twin_cli: Command, tmp_path: Path) -> None:
    stack = json.loads(STACK.read_text())
    del stack["resource"]["aws_ecs_service"]
    synth = tmp_path / "cdk.tf.json"
    synth.write_text(json.dumps(stack))
    assert_refused(twin_cli(*up(tmp_path, synth=synth)), 2, "aws_ecs_service")


def test_a_parameter_out_of_range(twin_cli: Command, tmp_path: Path) -> None:
    assert_refused(twin_cli(*up(tmp_path, "--discovery-ttl", "-1")), 2, "discovery-ttl=-1", "0 to 3600")


def test_an_unwritable_state_folder(twin_cli: Command, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    assert_refused(twin_cli(*up(tmp_path)), 2, "state", "--state")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_no_space_for_the_state(tmp_path: Path) -> None:
    full = """import errno, twin.machine.state
def write_json(path, value):
    raise OSError(errno.ENOSPC, "No space left on device")
twin.machine.state.write_json = write_json
from twin.cli import main; main()"""

    assert_refused(run(*up(tmp_path), program=full), 2, "state cannot be written (No space left on device)", "--state")


def test_no_space_for_the_event_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole lines or none, and it goes on once there is space."""
    folder = StateFolder(tmp_path)
    write, space = os.write, 1_000

    def on_a_disk(file: int, line: bytes) -> int:
        nonlocal space
        if not space:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(file, line[:space])
        space -= written
        return written

    with folder.hold():
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", on_a_disk)
            for number in range(20):
                folder.log("twin", step=f"step {number} of a long run {'.' * 50}")
        folder.log("twin", step="again")

    said = capsys.readouterr().err
    assert said.startswith(f"twin: {tmp_path}/events.jsonl cannot be written (No space left on device), and lacks what")
    assert said.count("\n") == 1
    *before, lost, again = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
    assert len(before) > 3
    assert (lost["step"], lost["lines"]) == ("lines lost", 20 - len(before))
    assert again["step"] == "again"


def test_a_command_that_is_no_command_line(twin_cli: Command, tmp_path: Path) -> None:
    assert_refused(twin_cli(*up(tmp_path, "--command", "python 'open")), 2, "--command", "open")


@pytest.mark.parametrize(("option", "value"), [("--routes", "GET /a"), ("--health", "/ready")])
def test_routes_and_health_check_of_a_stack_that_has_its_own(
    twin_cli: Command, tmp_path: Path, option: str, value: str
) -> None:
    assert_refused(twin_cli(*up(tmp_path, option, value)), 2, option, f"{STACK} has its own", "leave one out")
    state = ("--state", str(tmp_path), *ports())
    assert_refused(twin_cli("up", "--empty", option, value, *state), 2, option, "--empty deploys no stack")


def test_a_setting_of_the_synthesized_stack_is_told_to_be_none_of_a_service_of_ones_own(
    twin_cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SC_REGISTER_WHEN_HEALTHY", "true")
    words = ("up", "--state", str(tmp_path), *ports(), "--command", "true")
    told = "twin: SC_REGISTER_WHEN_HEALTHY is for `make synth` alone: --command has --routes, --health and "
    assert told in twin_cli(*words, "--routes", "orders").err  # which is refused
    assert "SC_REGISTER" not in twin_cli(*up(tmp_path, "--command", "no-such-program")).err


def test_what_is_no_route_and_no_health_check(twin_cli: Command, tmp_path: Path) -> None:
    state = ("--state", str(tmp_path), *ports(), "--command", "true")
    assert_refused(twin_cli("up", "--routes", "orders", *state), 2, "--routes 'orders'", "no route key")
    assert_refused(twin_cli("up", "--health", "", *state), 2, "--health ''", "/ready")
    assert_refused(twin_cli("up", "--health", "no-such-program x", *state), 2, "no-such-program", "--health")


def test_a_program_that_is_not_there(twin_cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(twin_cli(*up(tmp_path, "--command", ".venv/bin/serve")), 2, f".venv/bin/serve is not in {tmp_path}")
    assert_refused(twin_cli(*up(tmp_path, "--program", "any=no-such-program")), 2, "--program any", "is not on PATH")
    (tmp_path / "twin.toml").write_text('[programs.serviceconnect]\ncommand = "bin/serve"\n')
    (tmp_path / "Dockerfile").write_text('CMD ["true"]\n')
    state = ("--state", str(tmp_path / "state"), *ports(), "--routes", "GET /a")
    assert_refused(twin_cli("up", *state), 2, "twin.toml: programs.serviceconnect.command: bin/serve is not in")
    (tmp_path / "twin.toml").write_text('[programs.serviceconnect]\ncommand = "true"\n')
    both = "--command and programs.serviceconnect both name what runs"
    assert_refused(twin_cli("up", *state, "--command", "true"), 2, both, "twin.toml", "leave one out")
    (tmp_path / "Dockerfile").unlink()
    (tmp_path / "twin.toml").write_text('[programs.shop]\ncommand = "true"\n')
    assert_refused(twin_cli("up", *state), 2, "programs.shop names no task definition", "serviceconnect is there")
    (tmp_path / "Dockerfile").write_text('CMD ["true"]\n')
    (tmp_path / "twin.toml").write_text('[programs.serviceconect]\nenvironment = { A = "1" }\n')
    told = twin_cli("up", *state, "--command", "true", "--health", "no-such-program x").err
    assert (
        "twin: programs.serviceconect: no task definition of the stack has that family; there is serviceconnect" in told
    )
    (tmp_path / "twin.toml").unlink()
    (tmp_path / "Dockerfile").write_text('CMD ["/no/serve"]\n')
    assert_refused(twin_cli("up", *state), 2, "The CMD of Dockerfile: /no/serve is not there")


def test_a_node_that_loses_requests_is_warned_of(
    twin_cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "node").write_text("#!/x/python\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    state = ("--state", str(tmp_path / "state"), *ports())
    ran = twin_cli("up", "--command", "node x.js", "--health", "no-such-program x", *state)  # is refused then
    assert f"twin: the service runs {tmp_path}/node, a Python program that may not pass SIGTERM on" in ran.err


def test_neither_a_stack_nor_a_service(twin_cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = ("--state", str(tmp_path / "state"), *ports())
    ways = ("`make synth`", "--synth", "`twin up --command '... --host {host} --port {port}'`")
    assert_refused(twin_cli("up", *state), 2, "cdktf.out does not exist", *ways)
    (tmp_path / "Dockerfile").write_text('CMD ["/no/serve"]\n')  # taken, and not there
    ran = twin_cli("up", *state)
    assert "there is no cdktf.out: the CMD of Dockerfile runs" in ran.out
    assert_refused(ran, 2, "The CMD of Dockerfile: /no/serve is not there")
    (tmp_path / "twin.toml").write_text('[programs.serviceconnect]\ncommand = "/no/serve --fast"\n')
    ran = twin_cli("up", *state)
    assert "there is no cdktf.out: programs.serviceconnect runs" in ran.out
    assert_refused(ran, 2, "twin.toml: programs.serviceconnect.command: /no/serve is not there")
    (tmp_path / "main.tf").touch()  # whose stack it is then
    assert_refused(twin_cli("up", *state), 2, "cdktf.out does not exist")


def test_a_service_that_does_not_stay_up(tmp_path: Path) -> None:
    result = run(*up(tmp_path, "--command", f"{sys.executable} -c 'raise SystemExit(\"no database\")'"))
    ended = "do not stay up (Essential container in task exited with code 1)"
    assert_refused(result, 3, ended, "'no database'", "`twin logs ")
    assert "going down" not in result.err  # the reason is the last line
    (gave_up,) = [event for event in events_in(tmp_path / "state") if event.get("step") == "gave up"]
    assert f"twin: {gave_up['message']}" == result.err.strip().splitlines()[-1]


def test_no_envoy(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['envoy'] = None; from twin.cli import main; main()"
    result = run(*up(tmp_path), program=hidden)
    assert_refused(result, 3, "`envoy` is not installed", "make clean install")


_ASKING = ["env", "exec x", "ps", "ps --json", "set front-ends=1", "fault crash x", "stop x"]


@pytest.mark.parametrize("command", _ASKING)
def test_a_command_waits_for_a_twin_that_starts_until_it_has_ended(tmp_path: Path, command: str) -> None:
    with StateFolder(tmp_path).hold():
        asks = subprocess.Popen(
            twin_command(*command.split(), "--state", str(tmp_path)), stderr=subprocess.PIPE, text=True
        )
        assert asks.stderr is not None
        assert asks.stderr.readline() == f"twin: the twin (pid {os.getpid()}) is starting: waiting until it serves\n"
    assert asks.communicate(timeout=30)[1] == (
        f"twin: The twin (pid {os.getpid()}) ended before it served: what `twin up` printed says why.\n"
    )
    assert asks.returncode == 2


def test_a_twin_that_begins_is_waited_for_however_long_it_takes(tmp_path: Path) -> None:
    with StateFolder(tmp_path).beginning():
        asks = subprocess.Popen(
            twin_command("ps", "--state", str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):  # it would have refused long ago
            asks.communicate(timeout=4)
    assert "No twin runs on" in asks.communicate(timeout=30)[1]


def test_commands_beside_twin_up_need_no_loop(tmp_path: Path) -> None:
    words = up(tmp_path, "--empty", synth=tmp_path / "cdktf.out")
    state = ("--state", words[words.index("--state") + 1])
    starts = subprocess.Popen(twin_command(*words), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    follows = subprocess.Popen(twin_command("events", "--follow", *state), stdout=subprocess.PIPE, text=True)
    asked = run("ps", "--json", *state)
    ended = run("down", *state)

    assert json.loads(asked.out)["pid"] == starts.pid, asked.err
    assert ended.code == 0, ended.err
    starts.communicate(timeout=30)
    assert follows.communicate(timeout=30)[0] == "The twin has gone down.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("then", [(), ("--", "sh", "-c", "echo runs; exec sleep 600")], ids=["serves", "a command"])
def test_the_exit_code_of_a_twin_that_is_ended(tmp_path: Path, number: signal.Signals, then: tuple[str, ...]) -> None:
    """The start, which is ended too, is in machine/test_state_lost.py."""
    words = up(tmp_path, "--empty", *then, synth=tmp_path / "cdktf.out")
    before = signal.signal(number, signal.SIG_DFL)  # below `nohup` SIGHUP is ignored, which a child takes over
    try:
        process = subprocess.Popen(
            twin_command(*words), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(number, before)
    assert process.stdout is not None
    last = "runs" if then else "twin: the AWS endpoint is "
    assert any(line.startswith(last) for line in process.stdout)  # the rest is read below
    process.send_signal(number)
    _, told = process.communicate(timeout=60)

    assert (process.returncode, told) == (128 + number if then else 0, "twin: going down\n")


def test_a_twin_that_starts_is_ended_at_once(tmp_path: Path) -> None:
    never_healthy = ("--command", "sleep 600", "--health", "false", "--register-when-healthy")
    state = ("--state", str(tmp_path))
    starts = subprocess.Popen(
        twin_command("up", *never_healthy, *state, *ports()),
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wait_until((tmp_path / "tasks").exists, "tasks")
    ended = run("down", *state)

    assert (ended.code, ended.err) == (0, "")
    assert starts.communicate(timeout=30)[0].endswith("twin: going down\n")


@pytest.mark.parametrize("command", ["down", "ps", "ps --watch", "env", "set front-ends=1", "fault crash x", "stop x"])
def test_asking_for_a_twin_that_is_not_up(
    twin_cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("twin.machine.state._BEGINS_WITHIN", 0.1)
    result = twin_cli(*command.split(), "--state", str(tmp_path))
    assert_refused(result, 2, "No twin runs", "twin up")


def test_the_version(twin_cli: Command) -> None:
    assert twin_cli("--version").out == f"twin {version('serviceconnect')}\n"


@pytest.mark.parametrize(("given", "region"), [({}, "eu-west-2"), ({"AWS_REGION": "us-east-1"}, "us-east-1")], ids=str)
def test_an_empty_twin_needs_no_stack(tmp_path: Path, given: dict[str, str], region: str) -> None:
    words = up(tmp_path, "--empty", synth=tmp_path / "cdktf.out")
    ask = "import os; print(os.environ['AWS_REGION'])"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        twin_command(*words, "--", sys.executable, "-c", ask),
        cwd=PROJECT, env=clean | given, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == region


def test_the_region_of_an_empty_twin_can_be_given(tmp_path: Path) -> None:
    words = up(tmp_path, "--empty", "--region", "ap-south-1", synth=tmp_path / "cdktf.out")
    ask = "import os; print(os.environ['AWS_REGION'])"
    done = subprocess.run(
        twin_command(*words, "--", sys.executable, "-c", ask), cwd=PROJECT, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "ap-south-1"


def test_its_command_is_led_to_it_wherever_its_state_is(tmp_path: Path) -> None:
    asked = f"{shlex.join(twin_command('env'))}; {Path(sys.executable).with_name('lab')} run baseline"
    words = up(tmp_path, "--empty", synth=tmp_path / "cdktf.out")
    done = subprocess.run(
        twin_command(*words, "--", "sh", "-c", f"cd {tmp_path}; {asked}"),
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    state = Path(words[words.index("--state") + 1]).resolve()
    assert f"export TWIN_STATE={state}\n" in done.stdout, done.stderr
    assert f"The twin in {state} has no HTTP API" in done.stderr


@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no terraform on PATH")
def test_terraform_as_its_command_has_a_state_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "terraform_data" "it" {}\noutput "id" { value = terraform_data.it.id }\n'
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("terraform", "init")
    run("terraform", "apply", "-auto-approve")  # stands for AWS
    of_aws = (tmp_path / "terraform.tfstate").read_bytes()
    words = up(tmp_path / "twin", "--empty", synth=tmp_path / "cdktf.out")
    said = run(*twin_command(*words, "--", "sh", "-c", "terraform apply -auto-approve && terraform output -raw id"))

    assert "1 added" in said
    assert said.splitlines()[-1] not in of_aws.decode()
    assert (tmp_path / "terraform.tfstate").read_bytes() == of_aws
    assert not (tmp_path / "terraform.tfstate.backup").exists()
    assert (tmp_path / "terraform.twin.tfstate").exists()


def test_a_region_for_a_stack_is_refused(twin_cli: Command, tmp_path: Path) -> None:
    result = twin_cli("up", "--region", "us-east-1", "--state", str(tmp_path), *ports())
    assert_refused(result, 2, "--region is for --empty", "SC_REGION")


LONG = ("a" * 300, "/".join(["a" * 200] * 30))


@pytest.mark.parametrize("command", ["up", "down", "ps", "env", "set a=1", "fault crash x", "stop x", "logs x"])
@pytest.mark.parametrize("state", LONG, ids=["name", "path"])
def test_a_state_path_that_can_be_none(twin_cli: Command, command: str, state: str) -> None:
    assert_refused(twin_cli(*command.split(), "--state", state), 2, "--state", "is no path for a folder")


def test_a_state_folder_is_the_twins_alone(twin_cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    before = tmp_path.stat().st_mode
    ran = twin_cli("up", "--synth", str(STACK), "--state", "..", *ports(), "--command", "true")

    assert_refused(ran, 2, "is where you are")
    assert tmp_path.stat().st_mode == before
