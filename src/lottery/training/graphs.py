"""Work of a GPU recorded once, as a CUDA graph, and started at once from then on: most of an update of a small network
would otherwise be spent starting its kernels.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

import torch

log = logging.getLogger(__name__)

WARM_UP = 3
"""Times that work is done kernel by kernel before it is recorded, while libraries choose kernels and take memory."""

one_at_a_time = threading.Lock()
"""Held while a thread records."""


class Recorded:
    """Work that reads and writes the same memory each time, and whose result is in memory that it was given.

    Works of one `pool` use the same memory for what lies between, so they are all done in one stream.
    """

    def __init__(
        self,
        work: Callable[[], None],
        pool: Any,
        generators: list[torch.Generator],
        warm_up: int = WARM_UP,
    ) -> None:
        """generators: those that the work draws from."""
        self.work, self.pool, self.generators = work, pool, generators
        self.left_to_warm_up = warm_up
        self.graph: torch.cuda.CUDAGraph | None = None
        self.refused = False

    def __call__(self) -> None:
        """Do the work once, in the current stream, which must not be the default one."""
        if self.graph is None and not self.refused and self.left_to_warm_up <= 0:
            self.record()
        if self.graph is not None:
            self.graph.replay()
            return
        self.left_to_warm_up -= 1
        self.work()

    def record(self) -> None:
        """Keep what the work starts, without doing it. Where that cannot be, a line in the log says so."""
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        try:
            with one_at_a_time:
                graph.capture_begin(self.pool, capture_error_mode="thread_local")
                try:
                    self.work()
                finally:
                    graph.capture_end()
        except RuntimeError as problem:
            self.refused = True
            reason = str(problem).splitlines()[0]
            log.warning("kernels are started one by one, which is slower: they cannot be recorded (%s)", reason)
            return
        self.graph = graph
