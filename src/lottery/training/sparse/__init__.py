"""Training of fully connected networks on a CPU at a cost that follows the weights kept, in code compiled by Numba.

Compiled code is kept in the package's `__pycache__`, under a name made from the source of all these files: an edit of
one of them compiles everything anew.
"""

import hashlib
import os
from pathlib import Path

from numba import config

_here = Path(__file__).parent
_sources = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(_here.glob("*.py")))).hexdigest()
config.CACHE_DIR = os.environ.get("NUMBA_CACHE_DIR") or str(_here / "__pycache__" / f"kernels-{_sources[:16]}")
