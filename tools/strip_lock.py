"""Take registry addresses out of Pipfile.lock: pip's own configuration decides where packages come from.

pipenv writes the index that it locked from into the lock file. The hashes are what makes an install
reproducible; an address would only tie the project to one mirror. `pipenv sync` and `pipenv verify`
accept an empty list of sources (but not a missing one).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def strip(lock: dict[str, Any]) -> dict[str, Any]:
    """Return *lock* with `_meta.sources` emptied and no package naming an index."""
    packages = {
        section: {name: {k: v for k, v in entry.items() if k != "index"} for name, entry in content.items()}
        for section, content in lock.items()
        if section != "_meta"
    }
    return {"_meta": {**lock["_meta"], "sources": []}, **packages}


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(json.dumps(strip(json.loads(path.read_text())), indent=4, sort_keys=True) + "\n")
