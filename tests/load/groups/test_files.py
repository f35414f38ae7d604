from __future__ import annotations

from pathlib import Path

import pytest

from load.groups.files import CsvFiles
from load.groups.replacing import replace_file
from load.groups.rows import SecondRow


def test_a_file_that_cannot_be_replaced_stays_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "rows.csv" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"rows\.csv"):
        replace_file(tmp_path / "rows.csv", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("name", ["c_hosts.csv", ".c_hosts.csv.new", "c_hosts_history.csv", ".c_hosts_history.csv.new"])
def test_no_link_beside_locusts_files_is_followed(tmp_path: Path, name: str) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    folder.mkdir()
    elsewhere.write_text("the user's")
    (folder / name).symlink_to(elsewhere)

    files = CsvFiles(str(folder / "c"), "host", "zone", history=True)
    files.start(0.0)
    files.append([SecondRow(1, "a", 200, 5, 0)], [])
    files.replace([])

    assert elsewhere.read_text() == "the user's"
    assert {path.name for path in folder.iterdir() if path.is_file()} == {"c_hosts.csv", "c_hosts_history.csv"}
    assert (folder / "c_hosts_history.csv").read_text().splitlines()[1].startswith("1,a,200,5")
