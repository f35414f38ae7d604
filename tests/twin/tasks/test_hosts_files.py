"""The hosts files of tasks as Cloud Map changes."""

from __future__ import annotations

from pathlib import Path

from twin.events import Events, InstancesChanged
from twin.tasks.hosts_files import HostsFiles


class Names:
    """Cloud Map, as far as DNS goes."""

    def __init__(self) -> None:
        self.found: dict[str, list[str] | None] | None = None

    def dns_names(self) -> dict[str, list[str] | None] | None:
        return self.found


def named(text: str) -> list[list[str]]:
    """The lines before this machine's own."""
    own = Path("/etc/hosts").read_text()
    return [line.split() for line in text.rstrip("\n").removesuffix(own.rstrip("\n")).splitlines()]


def test_a_file_is_changed_in_its_place_and_never_shorter(tmp_path: Path) -> None:
    names, events, file = Names(), Events(), tmp_path / "hosts"
    files = HostsFiles(names, events)  # type: ignore[arg-type]
    files.write(file, [("shop", "127.0.0.9")])
    before = file.stat()
    assert named(file.read_text()) == [["127.0.0.9", "shop"]]

    for addresses in (["10.0.0.1", "10.0.0.2"], ["10.0.0.3"], []):
        size = file.stat().st_size
        names.found = {"orders.internal": addresses, "events.internal": None}
        events.publish(InstancesChanged())
        lines = named(file.read_text())
        assert lines[0] == ["127.0.0.9", "shop"]
        assert sorted(lines[1:]) == [[address, "orders.internal"] for address in addresses]
        assert file.stat().st_ino == before.st_ino
        assert file.stat().st_size >= size


def test_eight_addresses_are_answered_at_most(tmp_path: Path) -> None:
    names, file = Names(), tmp_path / "hosts"
    names.found = {"orders.internal": [f"10.0.0.{n}" for n in range(20)]}
    HostsFiles(names, Events()).write(file, [])  # type: ignore[arg-type]

    assert len({line[0] for line in named(file.read_text())}) == 8


def test_the_file_of_a_task_that_is_gone_is_left_alone(tmp_path: Path) -> None:
    names, events, file = Names(), Events(), tmp_path / "hosts"
    files = HostsFiles(names, events)  # type: ignore[arg-type]
    files.write(file, [])
    file.unlink()

    for address in ("10.0.0.1", "10.0.0.2"):
        names.found = {"orders.internal": [address]}
        events.publish(InstancesChanged())

    assert not file.exists()


def test_a_name_that_is_none_is_in_no_file(tmp_path: Path) -> None:
    names, file = Names(), tmp_path / "hosts"
    names.found = {f"http.{name}": ["10.0.0.1"] for name in ("a\n6.6.6.6 bank.example", "b c", "d\x85e", "f#g", "shop")}
    HostsFiles(names, Events()).write(file, [("a\rb", "127.0.0.9")])  # type: ignore[arg-type]

    assert named(file.read_text()) == [["10.0.0.1", "http.shop"]]
