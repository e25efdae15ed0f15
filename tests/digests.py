"""SHA-256 of what the smoke runs' trainings consist of: masks, starting and trained weights, histories.

`python tests/digests.py` writes those of this machine's finished runs into `digests.json`, to compare after a change
of the code. How torch adds up differs from one processor to the next, the engine `sparse` gives the same bytes on all.
"""

import hashlib
import json
from pathlib import Path

RECORDED = Path(__file__).with_suffix(".json")

NAMES = ("mask.safetensors", "start.safetensors", "trained.safetensors", "history.csv")

EXPERIMENTS = ("smoke/lenet-mnist", "smoke-conv/conv2-mnist")
"""The folders below `results` whose digests are recorded."""


def digests(results: Path, experiment: str) -> dict[str, str]:
    """SHA-256 of each of these files of an experiment, by its path below `results`."""
    return {
        path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((results / experiment).rglob("*"))
        if path.name in NAMES
    }


if __name__ == "__main__":
    found = {experiment: digests(Path("results"), experiment) for experiment in EXPERIMENTS}
    processor = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    recorded = {"processor": processor.split(":")[1].strip(), "experiments": found}
    RECORDED.write_text(json.dumps(recorded, indent=1) + "\n")
