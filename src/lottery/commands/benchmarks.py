"""What is measured on a machine, and what is made of the code itself."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from lottery.arrays import write_text
from lottery.commands.options import Number, Run, SettingsFile, Told
from lottery.errors import LotteryError
from lottery.runs.reading import read_settings_of

Part = Literal["tests", "speeds", "sharing", "repeats", "trainings", "verification"]
"""Of the check of a GPU."""

PARTS: tuple[Part, ...] = get_args(Part)

Output = Annotated[Path, Told("folder for the tables")]


def bench(
    *,
    dataset: Annotated[Path, Told("the prepared MNIST")],
    repeats: Annotated[int, Told("measurements of each size")] = 7,
    output: Output,
) -> None:
    """Time a training iteration of every engine at many sizes, and what limits the sparse one."""
    from lottery.analysis.tables import write_table
    from lottery.benchmark import cost, limits
    from lottery.figures.cost import cost as draw_cost
    from lottery.figures.drawing import save, start_drawing

    setting = cost.Setting(dataset)
    table = cost.run(setting, repeats)
    write_table(output / "cost.csv", table)
    page = cost.as_markdown(table) + "\n" + limits.as_markdown(*limits.run(setting))
    write_text(output / "cost.md", page)
    start_drawing()
    save(draw_cost(table), [output / f"cost.{suffix}" for suffix in ("pdf", "svg", "png")])
    print(page)


def bench_networks(
    *,
    networks: Annotated[list[str], Told("default: every network of the paper", "NETWORK")] = [],  # noqa: B006 - only read
    device: Annotated[Literal["cpu", "cuda"] | None, Told("default: a GPU where PyTorch finds one")] = None,
    repeats: Annotated[int, Told("measurements of each network")] = 5,
    seconds: Annotated[float, Told("about how long each measurement takes")] = 1.0,
    compile: Annotated[bool, Told("measure torch.compile too, which takes minutes more")] = False,  # noqa: A002
    output: Output,
) -> None:
    """Measure images a second of every network against a plain PyTorch loop, on made-up images."""
    import torch

    from lottery.analysis.tables import write_table
    from lottery.benchmark import throughput

    where: throughput.Device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    table = throughput.run(networks or list(throughput.RECIPES), where, repeats, seconds, compiled=compile)
    page = throughput.as_markdown(table, where, repeats)
    write_table(output / "networks.csv", table)
    write_text(output / "networks.md", page)
    print(page)


def bench_inference(
    run: Run,
    experiment: Annotated[str | None, Told("of the run; default: its first", "EXPERIMENT")] = None,
    *,
    replicate: Annotated[Number, Told("whose tickets are measured")] = Number(0),  # noqa: B008 - a number
    sizes: Annotated[int, Told("how many sizes of the iterative tickets, besides the dense network")] = 7,
    repeats: Annotated[int, Told("measurements of each contender")] = 15,
    output: Output,
    data: Annotated[Path | None, Told("folder of prepared datasets; default: data beside the run")] = None,
    settings: SettingsFile = None,
) -> None:
    """Measure what predictions of a run's tickets take, against PyTorch and onnxruntime, and what a ticket is worth.

    That is what it costs to find, and what it saves in training and in use. Close other programs.
    """
    from lottery.analysis.tables import LEVELS, read_table, write_table
    from lottery.benchmark import inference, worth
    from lottery.figures.drawing import save, start_drawing
    from lottery.figures.inference import inference as draw_inference

    chosen = read_settings_of(run, settings)
    name = experiment or chosen.run_experiments[0]
    if name not in chosen.run_experiments:
        raise LotteryError(f"no experiment of the run is called {name!r}; it has: {', '.join(chosen.run_experiments)}")
    levels = inference.levels_measured(chosen, name, sizes)
    plan = inference.Plan(run, chosen, name, replicate, levels, repeats, data or run.parent / "data")
    table = inference.run(plan)
    page = inference.as_markdown(table, plan)
    write_table(output / "inference.csv", table)
    write_text(output / "inference.md", page)
    start_drawing()
    evens = {batch: inference.break_even(table, batch) for batch in inference.BATCHES}
    told = f"{chosen.experiments[name].network}, {chosen.experiments[name].dataset}. {inference.machine()}"
    figure = draw_inference(table, evens, told)
    save(figure, [output / f"inference.{suffix}" for suffix in ("pdf", "svg", "png")])
    worths = worth.worth(read_table(run / "tables" / "levels.csv", LEVELS), table, name)
    worth.write_worth(output, worths)
    print(page + "\n" + worth.as_markdown(worths))


def check_card(
    *,
    output: Annotated[Path, Told("folder for all results")],
    settings: Annotated[list[Path], Told("settings of runs to train", "FILE")] = [],  # noqa: B006 - only read
    data: Annotated[Path, Told("folder of prepared datasets")] = Path("results/data"),
    minutes: Annotated[float, Told("after which nothing new is begun")] = 8.0,
    parts: Annotated[list[Part], Told("default: all")] = list(PARTS),  # noqa: B006 - only read
    device: Annotated[Literal["cpu", "cuda"] | None, Told("default: a GPU where PyTorch finds one")] = None,
    networks: Annotated[list[str], Told("whose speed is measured", "NETWORK")] = ["conv-2", "resnet-20"],  # noqa: B006
    repeats: Annotated[int, Told("of each measurement")] = 3,
    seconds: Annotated[float, Told("about how long each measurement takes")] = 0.2,
    processes: Annotated[list[int], Told("numbers that share the card")] = [1, 4],  # noqa: B006 - only read
    at_once: Annotated[int, Told("trainings side by side")] = 4,
    tests: Annotated[Path | None, Told("folder of the tests, to run those marked gpu")] = None,
) -> None:
    """Check a GPU in some minutes: tests, speeds, sharing, repeatability, and what trainings there is time for."""
    import time

    import torch

    from lottery.benchmark import card
    from lottery.runs.reading import read_finished_run

    if not settings and {"repeats", "trainings", "verification"} & set(parts):
        raise LotteryError("--settings: repeats, trainings and verification need the settings of a run")
    what = card.Check(
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
        runs=[read_finished_run(file) for file in settings],
        datasets=data,
        output=output,
        until=time.monotonic() + 60 * minutes,
        networks=networks,
        repeats=repeats,
        seconds=seconds,
        processes=processes,
        at_once=at_once,
        tests=tests,
    )
    card.check(what, parts)


def compile_kernels() -> None:
    """Compile the kernels of the sparse engine and of tickets, which is otherwise done when they are first used."""
    from lottery.tickets import compiled
    from lottery.training import sparse_engine

    sparse_engine.compile_kernels()
    compiled.kernels()
