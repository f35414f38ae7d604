"""A running twin takes what is signed with its own keys, and says to every client how to have them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.command import Command
from tests.twin.running import PROJECT, RunningTwin, TwinFactory, twin_command, wait_until
from twin.credentials import Credentials
from twin.machine.state import StateFolder

WAY_OUT = 'run `eval "$(twin env)"` in this terminal'
OWN_PATH = {"PATH": os.environ["PATH"], "HOME": os.devnull}


def client(
    twin: RunningTwin,
    service: str,
    key: str,
    secret: str,
    token: str | None = None,
    region: str = "eu-west-2",
    **config: Any,
) -> Any:
    return boto3.client(
        service,
        endpoint_url=twin.aws_endpoint_url,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, **config),
    )


def refusal(ask: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        ask()
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


CALLS = {
    "ecs": ("list_clusters", "UnrecognizedClientException", "InvalidSignatureException"),
    "servicediscovery": ("list_services", "UnrecognizedClientException", "InvalidSignatureException"),
    "cloudwatch": ("list_metrics", "UnrecognizedClientException", "InvalidSignatureException"),
    "logs": ("describe_log_groups", "UnrecognizedClientException", "InvalidSignatureException"),
    "apigatewayv2": ("get_apis", "UnrecognizedClientException", "InvalidSignatureException"),
    "sts": ("get_caller_identity", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "iam": ("list_roles", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "elbv2": ("describe_load_balancers", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "ec2": ("describe_vpcs", "AuthFailure", "SignatureDoesNotMatch"),
    "s3": ("list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    "route53": ("list_hosted_zones", "InvalidClientTokenId", "SignatureDoesNotMatch"),
}


@pytest.mark.parametrize("service", CALLS)
def test_every_protocol_of_boto3_shows_the_sentence(twin: RunningTwin, service: str) -> None:
    operation, unknown, wrong = CALLS[service]
    own = twin.credentials

    code, message = refusal(getattr(client(twin, service, "AKIAOTHER", "secret"), operation))
    assert code == unknown
    assert (
        message == f"The access key AKIAOTHER is not this twin's: {WAY_OUT}, or start the twin with --access-key test."
    )
    code, message = refusal(getattr(client(twin, service, own.access_key, "guessed"), operation))
    assert code == wrong
    assert message.endswith(f"by the access key {own.access_key}: {WAY_OUT}.")
    getattr(client(twin, service, own.access_key, own.secret_key), operation)()


@pytest.mark.parametrize("service", ["apigatewayv2", "application-autoscaling", "ecs", "elbv2", "servicediscovery"])
def test_what_the_twin_serves_in_one_region_is_refused_in_another(twin: RunningTwin, service: str) -> None:
    of_scaling = ("describe_scalable_targets", {"ServiceNamespace": "ecs"})
    name, given = of_scaling if service == "application-autoscaling" else (CALLS[service][0], {})
    own = twin.credentials
    elsewhere = client(twin, service, own.access_key, own.secret_key, region="us-east-1")

    code, sentence = refusal(lambda: getattr(elsewhere, name)(**given))

    assert code == "InvalidEndpointException"
    assert "in eu-west-2, and the request is for us-east-1" in sentence
    assert "`twin up --empty --region us-east-1`" in sentence


def test_other_services_are_there_in_every_region(twin: RunningTwin) -> None:
    own = twin.credentials
    ec2 = client(twin, "ec2", own.access_key, own.secret_key, region="us-east-1")
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert {zone["RegionName"] for zone in zones} == {"us-east-1"}


def test_the_aws_cli_shows_the_sentence(twin: RunningTwin) -> None:
    aws = [str(Path(sys.executable).with_name("aws")), "--endpoint-url", twin.aws_endpoint_url, "--region", "eu-west-2"]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for words in (["ecs", "list-clusters"], ["sts", "get-caller-identity"], ["s3api", "list-buckets"]):
        done = subprocess.run([*aws, *words], env=OWN_PATH | keys, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert f"The access key test is not this twin's: {WAY_OUT}" in done.stderr


def test_curl_signs_or_is_refused(twin: RunningTwin) -> None:
    own = twin.credentials
    target = ["--header", "x-amz-target: AmazonEC2ContainerServiceV20141113.ListClusters", "--data", "{}"]
    sign = ["--aws-sigv4", "aws:amz:eu-west-2:ecs"]

    def ask(*options: str) -> dict[str, Any]:
        command = ["curl", "--silent", "--noproxy", "*", *target, *options, twin.aws_endpoint_url]
        answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)
        return answer

    assert ask()["__type"] == "MissingAuthenticationTokenException"
    assert WAY_OUT in ask()["message"]
    assert ask("--user", f"{own.access_key}:{own.secret_key}")["__type"] == "MissingAuthenticationTokenException"
    assert ask(*sign, "--user", f"{own.access_key}:guessed")["__type"] == "InvalidSignatureException"
    assert "clusterArns" in ask(*sign, "--user", f"{own.access_key}:{own.secret_key}")


@pytest.mark.parametrize(
    "path", ["/", "/moto-api/reset", "/moto-api/data.json", "/latest/meta-data/", "/v2/apis", "/b/k"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_done_unsigned(twin: RunningTwin, path: str, method: str) -> None:
    answer = httpx.request(method, twin.aws_endpoint_url + path, content=b"Action=ListRoles", trust_env=False)

    assert answer.status_code == 403
    assert WAY_OUT in answer.json()["message"]


@pytest.mark.parametrize("config", [{}, {"request_checksum_calculation": "when_required"}], ids=str)
def test_s3_is_signed_as_its_clients_sign(twin: RunningTwin, config: dict[str, Any]) -> None:
    own = twin.credentials
    s3 = client(twin, "s3", own.access_key, own.secret_key, **config)
    name = f"bucket-{len(config)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    key = "a b/ü+//=x?.txt"
    s3.put_object(Bucket=name, Key=key, Body=b"text", Metadata={"with_underscore": "1"})

    assert s3.get_object(Bucket=name, Key=key)["Body"].read() == b"text"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=name, Prefix="a b/")["Contents"]] == [key]

    signed = Config(signature_version="s3v4", inject_host_prefix=False)
    presigner = boto3.client(
        "s3", endpoint_url=twin.aws_endpoint_url, region_name="eu-west-2", config=signed,
        aws_access_key_id=own.access_key, aws_secret_access_key=own.secret_key,
    )  # fmt: skip
    url = presigner.generate_presigned_url("get_object", {"Bucket": name, "Key": key}, ExpiresIn=60)
    assert httpx.get(url, trust_env=False).content == b"text"
    assert httpx.get(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), trust_env=False).status_code == 403
    over = presigner.generate_presigned_url("get_object", {"Bucket": name, "Key": key}, ExpiresIn=0)
    assert "SignatureDoesNotMatch" not in httpx.get(over, trust_env=False).text


def test_a_url_for_an_object_of_s3_is_good_for_nothing_else(twin: RunningTwin) -> None:
    own = twin.credentials
    s3 = client(twin, "s3", own.access_key, own.secret_key, signature_version="s3v4")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "things", "Key": "one"})
    content = json.dumps({"family": "evil", "containerDefinitions": [{"name": "app", "image": "app", "memory": 128}]})
    target = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition"}

    answer = httpx.put(url, content=content, headers=target)

    assert (answer.status_code, answer.json()["__type"]) == (400, "InvalidSignatureException")
    ecs = client(twin, "ecs", own.access_key, own.secret_key)
    assert ecs.list_task_definition_families(familyPrefix="evil")["families"] == []


def test_no_signature_is_a_failure_of_the_twin(twin: RunningTwin) -> None:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{twin.credentials.access_key}/{now[:8]}/eu-west-2/ecs/aws4_request",
        "X-Amz-Date": now,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "é",
    }

    answer = httpx.get(twin.aws_endpoint_url, params=query)

    assert (answer.status_code, answer.json()["__type"]) == (403, "InvalidSignatureException")


def test_a_body_in_chunks_is_signed_too(twin: RunningTwin) -> None:
    own = twin.credentials
    s3 = client(twin, "s3", own.access_key, own.secret_key)
    s3.create_bucket(Bucket="chunks", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    s3.put_object(Bucket="chunks", Key="large", Body=b"x" * 3_000_000, ChecksumAlgorithm="CRC32")

    assert len(s3.get_object(Bucket="chunks", Key="large")["Body"].read()) == 3_000_000


def test_keys_that_the_endpoint_has_issued_are_its_own(twin: RunningTwin) -> None:
    iam, sts = twin.client("iam"), twin.client("sts")
    iam.create_user(UserName="ann")
    issued = iam.create_access_key(UserName="ann")["AccessKey"]
    role = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="session")["Credentials"]

    client(twin, "ecs", issued["AccessKeyId"], issued["SecretAccessKey"]).list_clusters()
    client(twin, "ecs", role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"]).list_clusters()
    iam.delete_access_key(UserName="ann", AccessKeyId=issued["AccessKeyId"])
    gone = client(twin, "ecs", issued["AccessKeyId"], issued["SecretAccessKey"])
    assert refusal(gone.list_clusters)[0] == "UnrecognizedClientException"


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer guessed", "Basic {}", "{}"])
def test_the_control_path_needs_the_token(twin: RunningTwin, token: str) -> None:
    given = {"authorization": token.format(twin.credentials.token)} if token else {}
    answer = httpx.post(f"{twin.aws_endpoint_url}/_twin/set", json={"assignments": []}, headers=given, trust_env=False)

    assert answer.status_code == 403
    assert "token" in answer.json()["message"]


def test_another_user_can_read_nothing_of_a_running_twin(twin: RunningTwin) -> None:
    httpx.get(f"{twin.gateway_url}/hostname", trust_env=False).raise_for_status()
    paths = [twin.state, *twin.state.rglob("*")]
    open_to_others = {path for path in paths if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077}

    assert len(paths) > 20
    assert open_to_others == set()
    assert stat.S_IMODE(twin.state.stat().st_mode) == 0o700
    secret = Path(json.loads((twin.state / "twin.json").read_text())["credentials_file"])
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    assert not secret.is_relative_to(twin.state)


def test_no_file_that_a_service_could_serve_has_a_secret(twin: RunningTwin) -> None:
    own = twin.credentials
    texts = [
        twin.says("ps", "--left-out"),
        *(path.read_text(errors="replace") for path in twin.state.rglob("*") if path.is_file()),
    ]

    assert len(texts) > 20
    assert not any(secret in text for text in texts for secret in (own.secret_key, own.token))
    assert own.secret_key not in repr(own)
    assert own.token not in repr(own)


def test_what_the_users_own_programs_write_is_as_they_have_it(start_twin: TwinFactory, tmp_path: Path) -> None:
    script = f"import pathlib; pathlib.Path({str(tmp_path / 'file')!r}).touch()"
    before = os.umask(0o022)
    try:
        twin = start_twin(then=(sys.executable, "-c", script), wait=False)
    finally:
        os.umask(before)

    assert twin.process.wait(timeout=60) == 0
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_each_twin_has_its_own(twin: RunningTwin, start_twin: TwinFactory) -> None:
    other = start_twin("--proxy-drain", "0").credentials

    assert other.access_key != twin.credentials.access_key
    assert refusal(client(twin, "ecs", other.access_key, other.secret_key).list_clusters)[0].startswith("Unrecognized")


def test_access_key_test_is_the_convention_of_awslocal(start_twin: TwinFactory) -> None:
    twin = start_twin("--access-key", "test", "--proxy-drain", "0")

    assert client(twin, "ecs", "test", "test").list_clusters()["clusterArns"]
    assert twin.credentials.token != "test"
    message = refusal(client(twin, "ecs", "test", "other").list_clusters)[1]
    assert message.endswith(f"by the access key test: {WAY_OUT}.")


@pytest.mark.parametrize("key", ["", "a b", "a/b", "x" * 129, "ü"])
def test_what_is_no_access_key_is_refused(twin_cli: Command, tmp_path: Path, key: str) -> None:
    ran = twin_cli("up", "--state", str(tmp_path / "state"), "--access-key", key)

    assert ran.code == 2
    assert "is no access key: give up to 128 letters" in ran.err
    assert not (tmp_path / "state").exists()


def test_the_lab_finds_them_beside_the_outputs_and_twin_env_gives_them(twin: RunningTwin, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from lab.cli import main; main()",
        "run",
        "baseline",
        "--duration",
        "4",
        "--users",
        "1",
        "--rate",
        "20",
    ]

    def lab(target: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        words = [*command, "--target", str(target), "--results", str(tmp_path / f"r{len(env)}")]
        return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100)

    done = lab(twin.state / "outputs.json", OWN_PATH)
    assert done.returncode == 0, done.stderr
    elsewhere = tmp_path / "outputs.json"
    elsewhere.write_text((twin.state / "outputs.json").read_text())
    done = lab(elsewhere, OWN_PATH)
    assert done.returncode == 3
    assert "The credentials of the twin at" in done.stderr
    assert 'eval "$(twin env)"' in done.stderr
    exports = subprocess.run(
        ["sh", "-c", f'eval "$({subprocess.list2cmdline(twin_command("env", "--state", str(twin.state)))})" && env'],
        env=OWN_PATH, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    given = dict(line.split("=", 1) for line in exports.splitlines() if line.startswith(("AWS_", "TWIN_")))
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TWIN_TOKEN"} <= given.keys()
    done = lab(elsewhere, OWN_PATH | given)
    assert done.returncode == 0, done.stderr


def test_what_a_call_brings_is_run_without_a_shell_and_in_the_tasks_folder(twin: RunningTwin) -> None:
    ecs = twin.client("ecs")
    answer = ecs.describe_task_definition(taskDefinition="serviceconnect")["taskDefinition"]
    taken = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn", "taskRoleArn")
    (container,) = answer["containerDefinitions"]
    name = "a b;touch $HOME `touch c`"
    container["healthCheck"] = {"command": ["CMD", "touch", name], "interval": 5, "timeout": 2, "retries": 1}
    container["environment"].append({"name": "BASH_FUNC_x%%", "value": "() { :; }; touch d"})
    revision = ecs.register_task_definition(
        **{member: answer[member] for member in taken if member in answer}, containerDefinitions=[container]
    )["taskDefinition"]["taskDefinitionArn"]
    where = {"cluster": "serviceconnect", "service": "serviceconnect"}
    ecs.update_service(**where, taskDefinition=revision, desiredCount=1)

    found = wait_until(lambda: list(twin.state.glob("tasks/*/a b*")), "a health check has run", 60)
    assert {path.name for path in found} == {name}
    assert not {path.name for path in [*found[0].parent.iterdir(), *PROJECT.iterdir()]} & {"c", "d", "a", "b;touch"}


def test_more_tasks_than_the_machine_has_memory_for_are_refused(twin: RunningTwin) -> None:
    where = {"cluster": "serviceconnect", "service": "serviceconnect"}
    code, message = refusal(lambda: twin.client("ecs").update_service(**where, desiredCount=100_000))

    assert code == "InvalidParameterException"
    assert "100000, and this machine has memory for" in message


def test_a_twin_of_another_user_is_told(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with folder.hold(Credentials.new()):
        Path(json.loads((tmp_path / "twin.json").read_text())["credentials_file"]).write_text("")
        done = subprocess.run(twin_command("env", "--state", str(tmp_path)), capture_output=True, text=True)

    assert done.returncode == 2
    assert "cannot be read" in done.stderr
    assert "are you its user?" in done.stderr
