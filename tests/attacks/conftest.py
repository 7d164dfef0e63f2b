"""Where the attacks find the library of their own, that of the end-to-end tests and the reader."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "e2e", HERE.parent.parent / "python"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
