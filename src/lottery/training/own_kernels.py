"""Whether kernels of our own, written in Triton, compute on a GPU."""

import importlib.util
import logging
import shutil
from functools import cache

from lottery.settings import Training

log = logging.getLogger(__name__)

COMPILERS = ("cc", "gcc", "clang")
"""What Triton can use to let Python start kernels."""


def own_kernels(recipe: Training) -> bool:
    """They are for float32 on a GPU, where there is what they need."""
    return recipe.device == "cuda" and recipe.precision == "float32" and available()


@cache
def available() -> bool:
    """Whether Triton and a C compiler are here; a line in the log says so where one is not."""
    missing = [] if importlib.util.find_spec("triton") else ["Triton"]
    missing += [] if any(map(shutil.which, COMPILERS)) else [f"a C compiler ({', '.join(COMPILERS)})"]
    if missing:
        log.warning("PyTorch's own kernels are used, which are slower: %s cannot be found", " and ".join(missing))
    return not missing
