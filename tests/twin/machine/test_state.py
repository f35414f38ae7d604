from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from twin.errors import AlreadyUp, BadInput, NotUp
from twin.machine.files import runtime_folder
from twin.machine.state import StateFolder


def test_only_one_holds_a_folder(tmp_path: Path) -> None:
    with (
        StateFolder(tmp_path).hold(),
        pytest.raises(AlreadyUp, match=f"pid {os.getpid()}"),
        StateFolder(tmp_path).hold(),
    ):
        pytest.fail("two supervisors on one folder")


def test_others_read_what_the_holder_tells(tmp_path: Path) -> None:
    with StateFolder(tmp_path).hold():
        StateFolder(tmp_path)
        running = StateFolder(tmp_path).running()
        assert running.keys() == {"pid", "credentials"}
        assert running["pid"] == os.getpid()
    with pytest.raises(NotUp, match="twin up"):
        StateFolder(tmp_path).running()


def test_a_holder_that_has_said_nothing_yet_is_no_twin_to_ask(tmp_path: Path) -> None:
    with StateFolder(tmp_path).hold():
        (tmp_path / "twin.json").unlink()  # as in the moment of the start
        with pytest.raises(NotUp, match="just about to start, or has just ended: try again"):
            StateFolder(tmp_path).running()


def test_what_an_earlier_twin_left_is_taken_away(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with folder.hold():
        pass
    (tmp_path / "tasks" / "old").mkdir(parents=True)
    (tmp_path / "tasks" / "old" / "package").touch()
    (tmp_path / "tasks" / "old").chmod(0o500)  # as Go leaves its modules
    folder.outputs.write_text("{}")
    (tmp_path / "events.jsonl").write_text("old\n")

    with folder.hold():
        folder.log("task", step="RUNNING")
        assert not (tmp_path / "tasks").exists()
        assert not folder.outputs.exists()

    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == "RUNNING"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="choose another --state"), StateFolder(tmp_path / "file" / "state").hold():
        pytest.fail("held")


def test_a_twin_beside_is_named_where_none_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".twin.8200").mkdir()  # of one that has ended
    with (
        StateFolder(tmp_path / ".twin.8100").hold(),
        pytest.raises(NotUp, match=r"twin up`, or name the one that runs: --state \.twin\.8100\.$"),
    ):
        StateFolder(tmp_path / ".twin").running()
    with pytest.raises(NotUp, match=r"start one with `twin up`\.$"):
        StateFolder(tmp_path / ".twin").running()


def test_git_ignores_it_and_the_next_twin_takes_it(tmp_path: Path) -> None:
    for _ in range(2):
        with StateFolder(tmp_path / "state").hold():
            assert (tmp_path / "state" / ".gitignore").read_text() == "*\n"


def test_waiting_for_the_end_has_a_limit(tmp_path: Path) -> None:
    with StateFolder(tmp_path).hold():
        assert not StateFolder(tmp_path).wait_until_free(0.0)
    assert StateFolder(tmp_path).wait_until_free(0.0)


def test_what_twins_that_were_killed_have_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    left = runtime_folder()
    with StateFolder(tmp_path / "alive").hold():
        (alive,) = left.iterdir()
        content = json.loads(alive.read_text())
        for name, state in {"gone": tmp_path / "gone", "killed": tmp_path / "killed"}.items():
            (left / f"{name}.json").write_text(json.dumps({**content, "state": str(state)}))
        (tmp_path / "killed").mkdir()
        (tmp_path / "killed" / "lock").touch()
        (left / "odd.json").write_text("[")
        (left / "other.json").write_text('{"state": 5}')
        (left / "killed.begins").touch()

        with StateFolder(tmp_path / "begins").beginning(), StateFolder(tmp_path / "new").hold():
            (announcement,) = left.glob("*.begins")
            assert announcement.name != "killed.begins"
            announcement.unlink()
            files = {path.name for path in left.iterdir()}
            assert {alive.name, "odd.json", "other.json"} < files
            assert len(files) == 4
            assert StateFolder(tmp_path / "alive").running()["credentials"].token == content["token"]

    assert {path.name for path in left.iterdir()} == {"odd.json", "other.json"}


def test_without_the_credentials_the_supervisor_can_be_found_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with StateFolder(tmp_path / "state").hold():
        (file,) = runtime_folder().iterdir()
        file.unlink()
        assert StateFolder(tmp_path / "state").pid() == os.getpid()
        with pytest.raises(NotUp, match=r"are gone \(.*\): try again in 2 s, .* or end it with `twin down`\.$"):
            StateFolder(tmp_path / "state").running()


def test_who_looks_whether_a_twin_runs_keeps_none_from_starting(tmp_path: Path) -> None:
    looks = StateFolder(tmp_path)
    with looks.hold():
        pass
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            with contextlib.suppress(NotUp):
                looks.running()

    looking = [threading.Thread(target=look) for _ in range(4)]
    for thread in looking:
        thread.start()
    try:
        for _ in range(50):
            with StateFolder(tmp_path).hold():
                pass
    finally:
        over.set()
        for thread in looking:
            thread.join()


def test_a_folder_that_was_removed_is_in_trouble(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    with folder.hold():
        assert folder.trouble() is None
        shutil.rmtree(folder.path)
        assert "was removed" in (folder.trouble() or "")
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "lock").touch()  # another's
        assert "was removed" in (folder.trouble() or "")


def test_a_disk_that_is_full_is_trouble_until_there_is_space(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can make a disk that fills")
    try:
        folder = StateFolder(tmp_path / "state")
        with folder.hold():
            assert folder.trouble() is None
            with contextlib.suppress(OSError):
                (tmp_path / "large").write_bytes(b"x" * 1024 * 1024)
            assert "has no space left" in (folder.trouble() or "")
            (tmp_path / "large").unlink()
            assert folder.trouble() is None
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


FOLDERS = ["gateway", "hosts", "upstreams", "load-balancer"]
FILES = ["events.jsonl", "events.jsonl.1", ".twin.json.new", "twin.json", "lock", ".gitignore", "anything.log"]


def prepared(state: Path) -> Path:
    """A state folder as a repository of somebody else may bring along."""
    state.mkdir()
    (state / "lock").touch()
    (state / ".gitignore").write_text("*\n")
    return state


def test_nothing_that_was_prepared_in_the_folder_is_left(tmp_path: Path) -> None:
    state, elsewhere = prepared(tmp_path / ".twin"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "hosts").write_text("the user's")
    (state / "hosts").mkdir()
    (state / "hosts" / "hosts").symlink_to(elsewhere / "hosts")
    (state / "upstreams").symlink_to(elsewhere)
    (state / "b.log.1").symlink_to(elsewhere / "hosts")
    (state / "of-another-version").mkdir()
    with StateFolder(state).hold():
        assert {path.name for path in state.iterdir()} == {"lock", ".gitignore", "events.jsonl", "twin.json"}
    assert (elsewhere / "hosts").read_text() == "the user's"


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
def test_no_link_in_the_folder_is_followed(tmp_path: Path, name: str) -> None:
    state, elsewhere = prepared(tmp_path / ".twin"), tmp_path / "elsewhere"
    if name in FOLDERS:
        elsewhere.mkdir()
        (elsewhere / "notes").write_text("the user's")
    else:
        elsewhere.write_text("the user's")
    (state / name).unlink(missing_ok=True)
    (state / name).symlink_to(elsewhere)

    with contextlib.suppress(BadInput), StateFolder(state).hold():
        assert StateFolder(state).running()["pid"] == os.getpid()
        assert name == ".gitignore" or not (state / name).is_symlink()
    assert (elsewhere / "notes" if name in FOLDERS else elsewhere).read_text() == "the user's"


@pytest.mark.parametrize("name", ["events.jsonl", "lock"])
def test_a_pipe_in_the_folder_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    state = prepared(tmp_path / ".twin")
    (state / name).unlink(missing_ok=True)
    os.mkfifo(state / name)
    with contextlib.suppress(BadInput), StateFolder(state).hold():
        assert StateFolder(state).running()["pid"] == os.getpid()


@pytest.mark.parametrize("others", [{}, {"lock": ""}, {"lock": "", ".gitignore": "/build\n"}, {".gitignore": "*\n"}])
def test_a_folder_with_files_of_the_users_own_is_left_as_it_is(tmp_path: Path, others: dict[str, str]) -> None:
    """A `lock` is in folders of many programs."""
    notes = tmp_path / "tasks" / "notes"
    notes.parent.mkdir()
    notes.write_text("the user's")
    for name, content in others.items():
        (tmp_path / name).write_text(content)
    mode = tmp_path.stat().st_mode
    with pytest.raises(BadInput, match="is not empty, and no state of a twin: give another folder"):
        StateFolder(tmp_path).hold().__enter__()
    assert notes.read_text() == "the user's"
    assert tmp_path.stat().st_mode == mode
