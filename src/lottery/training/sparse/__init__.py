"""Training of fully connected networks on a CPU at a cost that follows the weights kept, in code compiled by Numba.

Compiled code is kept in the package's `__pycache__`, under a name made from the source of all these files: an edit of
one of them compiles everything anew.
"""

import hashlib
import importlib
import os
import sys
from pathlib import Path

from numba import config

_here = Path(__file__).parent
_sources = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(_here.glob("*.py")))).hexdigest()
config.CACHE_DIR = os.environ.get("NUMBA_CACHE_DIR") or str(_here / "__pycache__" / f"kernels-{_sources[:16]}")

# Numba's array functions, of which the kernels use none, look for scipy's linear algebra, and importing that takes half
# the time in which a job gets ready. Not finding it, they do without.
if "scipy.linalg" not in sys.modules:
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        del sys.modules["scipy.linalg"]
