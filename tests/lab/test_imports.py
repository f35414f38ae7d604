from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

from lab.imports import standing_in


def test_what_stands_in_is_gone_afterwards_and_what_was_there_is_back() -> None:
    place = SimpleNamespace(there="before")
    with standing_in("meanwhile", (place, "there"), (place, "not_yet")):
        assert vars(place) == {"there": "meanwhile", "not_yet": "meanwhile"}
    assert vars(place) == {"there": "before"}


def test_what_is_imported_meanwhile_stays() -> None:
    place = SimpleNamespace()
    with standing_in(None, (place, "later")):
        place.later = "imported"
    assert place.later == "imported"


def test_libraries_are_whole_after_the_labs_imports() -> None:
    code = (
        "import sys, lab.report.pictures\n"
        "from lab.imports import special\n"
        "import numpy, scipy.special\n"
        "from matplotlib import artist, lines, pyplot\n"
        "assert 'numpy.f2py' not in sys.modules\n"
        "assert special is scipy.special\n"
        "numpy.testing.assert_allclose(special.ndtri(special.ndtr(1.0)), 1.0)\n"
        "assert numpy.f2py.__name__ == 'numpy.f2py'\n"
        "assert 'linewidth' in artist.kwdoc(lines.Line2D)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
