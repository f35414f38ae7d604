"""The repository, the tag, and the script that builds and pushes, with stand-ins for `aws` and `docker`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from serviceconnect.source import ImageSource, load_image, service_image
from tests.constructs.stand_ins import SCRIPTS, StandIns
from tests.constructs.synthesis import (
    ROOT,
    SOURCES,
    TAG,
    Json,
    Synthesize,
    address,
    at,
    container,
    only,
    reference,
    script,
)

URL = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/serviceconnect"
ENVIRONMENT = {
    "CONTEXT": "assets/context",
    "DOCKERFILE": "Dockerfile",
    "REPOSITORY_NAME": "serviceconnect",
    "REPOSITORY_URL": URL,
    "TAG": TAG,
    "PLATFORM": "linux/arm64",
    "AWS_REGION": "eu-west-2",
}


def test_repository(stack: Json) -> None:
    repository = only(stack, "aws_ecr_repository")
    assert repository["image_tag_mutability"] == "IMMUTABLE"
    assert repository["image_scanning_configuration"] == {"scan_on_push": True}
    assert repository["force_delete"] is True


def test_what_is_deployed_does_not_expire_and_the_load_fleets_images_apart(stack: Json) -> None:
    rules = json.loads(only(stack, "aws_ecr_lifecycle_policy")["policy"])["rules"]
    # ECR applies the lower number first, and a rule of "any" has to have the highest.
    assert [rule["rulePriority"] for rule in rules] == [1, 2, 3]
    deployed, load, all_others = (rule["selection"] for rule in rules)
    # Two images have a mark at a time, three for a moment.
    assert (deployed["tagPrefixList"], deployed["countNumber"]) == (["deployed-"], 100)
    assert (load["countNumber"], all_others["countNumber"], all_others["tagStatus"]) == (5, 20, "any")
    (prefix,) = load["tagPrefixList"]
    assert load_image(ROOT, "X86_64").tag.startswith(prefix)
    assert not service_image(ROOT, "X86_64").tag.startswith(prefix)
    assert {rule["action"]["type"] for rule in rules} == {"expire"}


def test_an_image_is_marked_once_it_has_rolled_out(stack: Json, synthesize: Synthesize) -> None:
    marks = at(stack, "terraform_data", "image/deployed")
    run = marks["provisioner"][0]["local-exec"]
    assert script(run["command"]) == "mark_deployed"
    assert set(run["environment"]) == {"REPOSITORY_NAME", "TAG", "AWS_REGION"}
    assert marks["depends_on"] == [address(stack, "terraform_data", "service/rolled-out")]
    assert "mark_deployed.sh" not in json.dumps(synthesize(endpoint_url="http://127.0.0.1:4566"))


@pytest.fixture
def ecr(tmp_path: Path) -> Callable[[str], tuple[StandIns, subprocess.CompletedProcess[str]]]:
    """Runs the script on a repository that has these marks."""

    def mark(marks: str) -> tuple[StandIns, subprocess.CompletedProcess[str]]:
        tools = StandIns(tmp_path / "bin")
        tools.add(
            "aws",
            f"""case "$*" in
            *describe-images*) echo "{marks}" ;;
            *images*.imageManifestMediaType*oci.image*) echo application/vnd.oci.image.manifest.v1+json ;;
            *batch-get-image*imageManifest*oci.image.manifest*) echo '{{"layers": []}}' ;;
            esac""",
        )
        tools.add("date", "echo 20261128T120000Z")
        given = {name: ENVIRONMENT[name] for name in ("REPOSITORY_NAME", "TAG", "AWS_REGION")}
        return tools, tools.run(SCRIPTS / "mark_deployed.sh", **given)

    return mark


Mark = Callable[[str], tuple[StandIns, subprocess.CompletedProcess[str]]]


@pytest.mark.parametrize(
    ("marks", "removed"),
    [
        ("None", []),
        ("deployed-20261101T000000Z-aa", []),
        # An image that was deployed before, and is again: its old mark goes, the one of the image before it stays.
        (
            f"deployed-20261001T000000Z-{TAG} deployed-20261101T000000Z-aa",
            [f"deployed-20261001T000000Z-{TAG}"],
        ),
        (
            "deployed-20260901T000000Z-cc deployed-20261001T000000Z-bb deployed-20261101T000000Z-aa",
            ["deployed-20260901T000000Z-cc", "deployed-20261001T000000Z-bb"],
        ),
    ],
)
def test_the_image_that_runs_and_the_one_before_it_have_a_mark(ecr: Mark, marks: str, removed: list[str]) -> None:
    tools, done = ecr(marks)
    assert done.returncode == 0, done.stderr
    calls = [call for call in tools.calls() if call.startswith("aws")]
    (put,) = [call for call in calls if "put-image" in call]
    assert (
        '--image-manifest {"layers": []} --image-manifest-media-type application/vnd.oci.image.manifest.v1+json'
        f" --image-tag deployed-20261128T120000Z-{TAG}"
    ) in put
    assert [call.split("imageTag=")[1].split()[0] for call in calls if "batch-delete-image" in call] == removed


def test_an_image_that_has_the_newest_mark_is_left_as_it_is(ecr: Mark) -> None:
    tools, done = ecr(f"deployed-20261001T000000Z-aa deployed-20261101T000000Z-{TAG}")
    assert done.returncode == 0
    assert len(tools.calls()) == 1


def test_service_waits_for_the_push(stack: Json) -> None:
    push = at(stack, "terraform_data", "image/push")
    (provisioner,) = push["provisioner"]
    assert script(provisioner["local-exec"]["command"]) == "push_image"
    assert set(provisioner["local-exec"]["environment"]) == set(ENVIRONMENT)
    assert provisioner["local-exec"]["environment"]["PLATFORM"] == "linux/amd64"
    assert re.fullmatch(rf"assets/image_push-context_\w+/{TAG}", provisioner["local-exec"]["environment"]["CONTEXT"])
    url = reference(stack, "aws_ecr_repository", "image/repository", "repository_url")
    assert push["triggers_replace"] == {"image": f"{url}:{TAG}"}
    assert container(stack)["image"] == f"{url}:{TAG}"
    assert address(stack, "terraform_data", "image/push") in only(stack, "aws_ecs_service")["depends_on"]


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "http://localhost:4566", "http://[::1]:4566"])
def test_no_push_to_an_endpoint_on_this_machine(synthesize: Synthesize, endpoint: str) -> None:
    assert "push_image.sh" not in json.dumps(synthesize(endpoint_url=endpoint))


def test_push_through_another_endpoint(synthesize: Synthesize) -> None:
    assert "push_image.sh" in json.dumps(synthesize(endpoint_url="https://aws-proxy.example.com"))


@pytest.mark.parametrize("suffix", [":1.2.3", "@sha256:" + "0" * 64])
def test_given_image(synthesize: Synthesize, suffix: str) -> None:
    image = f"210987654321.dkr.ecr.eu-west-2.amazonaws.com/team/probe{suffix}"
    stack = synthesize(image_uri=image)
    assert "aws_ecr_repository" not in stack["resource"]
    assert "push_image.sh" not in json.dumps(stack)
    assert container(stack)["image"] == image
    assert stack["output"]["repository_url"]["value"] == image.removesuffix(suffix)
    assert "arn:aws:ecr:eu-west-2:210987654321:repository/team/probe" in only(stack, "aws_iam_role_policy")["policy"]


def test_given_image_elsewhere_needs_no_ecr(synthesize: Synthesize) -> None:
    stack = synthesize(
        image_uri="docker.io/library/nginx:1.29", vpc_id="vpc-0a", subnet_ids=("subnet-0a",), create_endpoints=False
    )
    assert "ecr:" not in only(stack, "aws_iam_role_policy")["policy"]


def test_push_builds_logs_in_and_pushes(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("aws", 'case "$*" in *batch-get-image*) echo 0 ;; *get-login-password*) echo secret ;; esac')
    tools.add("docker", f'[ "$1" != login ] || cat > "{tmp_path}/password"')
    done = tools.run(SCRIPTS / "push_image.sh", **ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    looked, *rest = tools.calls()
    assert looked.startswith("aws ecr batch-get-image --region eu-west-2 --repository-name serviceconnect")
    assert f"imageTag={TAG}" in looked
    # The two ends of a pipe start in either order.
    assert sorted(rest[:2]) == [
        "aws ecr get-login-password --region eu-west-2",
        "docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-west-2.amazonaws.com",
    ]
    assert rest[2:] == [
        f"docker buildx build --platform linux/arm64 --provenance=false --sbom=false --build-arg APP_VERSION={TAG}"
        f" --file assets/context/Dockerfile --tag {URL}:{TAG} --push assets/context"
    ]
    assert (tmp_path / "password").read_text() == "secret\n"


def test_push_does_nothing_when_the_tag_is_there(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("aws", "echo 1")
    tools.add("docker", "exit 1")
    done = tools.run(SCRIPTS / "push_image.sh", **ENVIRONMENT)
    assert done.returncode == 0
    assert "is there already" in done.stdout
    assert [call.split()[0] for call in tools.calls()] == ["aws"]


@pytest.mark.parametrize(("images", "code"), [(1, 0), (0, 7)])
def test_of_two_pushes_of_a_tag_the_later_one_finds_the_image_there(tmp_path: Path, images: int, code: int) -> None:
    tools = StandIns(tmp_path / "bin")
    found = f'[ -e "{tmp_path}/built" ] && echo {images} || echo 0'
    tools.add("aws", f'case "$*" in *batch-get-image*) {found} ;; *) echo secret ;; esac')
    tools.add("docker", f'[ "$1" = login ] || {{ : > "{tmp_path}/built"; echo ImageTagAlreadyExists >&2; exit 7; }}')
    done = tools.run(SCRIPTS / "push_image.sh", **ENVIRONMENT)
    assert done.returncode == code
    assert "ImageTagAlreadyExists" in done.stderr
    assert ("was pushed by another meanwhile" in done.stdout) is (code == 0)


def test_push_stops_at_an_error_of_aws(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("aws", 'echo "no such repository" >&2; exit 254')
    tools.add("docker", "")
    done = tools.run(SCRIPTS / "push_image.sh", **ENVIRONMENT)
    assert done.returncode == 254
    assert "no such repository" in done.stderr
    assert len(tools.calls()) == 1


def test_push_says_what_is_missing(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("aws", "")
    done = tools.run(SCRIPTS / "push_image.sh", **ENVIRONMENT)
    assert done.returncode == 3
    assert "docker is missing" in done.stderr
    assert "SC_IMAGE_URI" in done.stderr


@pytest.mark.parametrize("source", SOURCES, ids=["service", "load"])
def test_the_context_has_all_that_its_dockerfile_copies(source: ImageSource) -> None:
    folder = source.copied()
    dockerfile = (folder / source.dockerfile).read_text()
    copied = [
        line.split()[1:-1] for line in dockerfile.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    names = {name for names in copied for name in names}
    assert names
    assert {name for name in names if not (folder / name).exists()} == set()
    assert not list(folder.rglob("__pycache__"))
    assert {path.relative_to(folder).parts[0] for path in folder.rglob("*")} <= {*names, "Dockerfile", ".dockerignore"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the image is built from."""
    for name in ("Dockerfile", ".dockerignore", "Pipfile.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "app", tmp_path / "app")
    return tmp_path


def test_tag_changes_with_what_the_image_is_built_from(project: Path) -> None:
    tags = {service_image(project, "X86_64").tag}
    assert service_image(project, "X86_64").tag in tags
    tags.add(service_image(project, "ARM64").tag)
    for path in (project / "Dockerfile", project / "app/__init__.py"):
        path.write_text(path.read_text() + "\n")
        tags.add(service_image(project, "X86_64").tag)
    (project / "app/new.py").write_text("")
    tags.add(service_image(project, "X86_64").tag)
    lock = json.loads((project / "Pipfile.lock").read_text())
    lock["default"]["starlette"]["version"] = "==99"
    (project / "Pipfile.lock").write_text(json.dumps(lock))
    tags.add(service_image(project, "X86_64").tag)
    assert len(tags) == 6
    assert all(len(tag) == 12 for tag in tags)


def test_tag_stays_for_what_is_not_in_the_image(project: Path) -> None:
    before = service_image(project, "X86_64").tag
    (project / "app/__pycache__").mkdir(exist_ok=True)
    (project / "app/__pycache__/service.pyc").write_bytes(b"\0")
    lock = json.loads((project / "Pipfile.lock").read_text())
    lock["develop"] = {}
    (project / "Pipfile.lock").write_text(json.dumps(lock))
    assert service_image(project, "X86_64").tag == before
