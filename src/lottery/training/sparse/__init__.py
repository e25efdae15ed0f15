"""Training of fully connected networks on a CPU at a cost that follows the weights kept, in code compiled by Numba.

Compiled code is kept in the package's `__pycache__`, under a name made from the source of all these files: an edit of
one of them compiles everything anew. A file of it that is damaged is named in the log and made anew.
"""

import hashlib
import importlib
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba import config
from numba.core import caching

log = logging.getLogger(__name__)


class CheckedCacheFile(caching.IndexDataCacheFile):
    """Compiled code of one function: an index (.nbi) and what it names (.nbc). A damaged file counts as none.

    It is named in the log and removed; what it held is compiled anew. Reading damaged bytes can raise anything.
    """

    def _load_index(self) -> dict[Any, str]:
        try:
            return dict(super()._load_index())
        except Exception as error:
            remove_damaged(Path(self._index_path), error)
            return {}

    def _load_data(self, name: str) -> Any:
        try:
            return super()._load_data(name)
        except Exception as error:
            remove_damaged(Path(self._data_path(name)), error)
            return None


def remove_damaged(path: Path, error: Exception) -> None:
    """Say in the log that a file of compiled code is damaged, and make room for a new one."""
    log.warning("%s: is damaged (%s); what it held is compiled anew", path, type(error).__name__)
    with suppress(OSError):  # gone by now, or in a folder that cannot be written to
        path.unlink()


caching.IndexDataCacheFile = CheckedCacheFile

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
