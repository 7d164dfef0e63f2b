import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "e2e", HERE.parent.parent / "python"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
