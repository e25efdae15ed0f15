"""The steps of a run as a small graph: how many of each kind there are, and which are made from which."""

from collections import Counter
from dataclasses import dataclass

from lottery.planning.tasks import tasks_of
from lottery.settings import Settings

WIDE, HIGH = 140, 46
"""The distances of two columns and of two rows, in the units of the picture."""


@dataclass(frozen=True)
class Step:
    """A kind of step, a verb, and where it stands: column by column those that others wait for."""

    verb: str
    count: int
    x: int
    y: int


@dataclass(frozen=True)
class Graph:
    """Steps and the pairs of which the second reads what the first made, by their places."""

    steps: list[Step]
    links: list[tuple[Step, Step]]
    width: int
    height: int


def graph_of(settings: Settings) -> Graph:
    """The steps of a run's settings. A verb stands where its first task can run."""
    tasks = tasks_of(settings)  # those that a task waits for come before it
    depth: dict[object, int] = {}
    for task, earlier in tasks.items():
        depth[task] = max((depth[each] + 1 for each in earlier), default=0)
    counts = Counter(task.verb for task in tasks)
    first = {verb: min(depth[task] for task in tasks if task.verb == verb) for verb in counts}
    columns = {place: number for number, place in enumerate(sorted(set(first.values())))}
    rows: Counter[int] = Counter()
    steps = {}
    for verb, count in counts.items():
        column = columns[first[verb]]
        steps[verb] = Step(verb, count, column * WIDE, rows[column] * HIGH)
        rows[column] += 1
    pairs = dict.fromkeys((one.verb, task.verb) for task, earlier in tasks.items() for one in earlier)
    links = [(steps[one], steps[other]) for one, other in pairs if one != other]
    return Graph([*steps.values()], links, len(columns) * WIDE, max(rows.values()) * HIGH)
