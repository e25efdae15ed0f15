"""Known bugs of other systems, each as a function that plants it in this package."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from lottery.arms import operations
from lottery.arms.rows import ARMS
from lottery.arms.starts import Rewound
from lottery.arrays import replacing, write_bytes
from lottery.datasets.images import Chosen
from lottery.errors import LotteryError
from lottery.networks import Layer, Network
from lottery.pruning.allocation import share
from lottery.pruning.criteria import CRITERIA, magnitude
from lottery.pruning.selection import keep_largest, keep_largest_of
from lottery.randomness import split_generator
from lottery.training import loop, torch_engine
from lottery.training.engines import Stretch
from lottery.training.job import data_of_member
from lottery.training.loop import Course, Record
from lottery.training.sparse import passes
from lottery.training.sparse.network import SparseNetwork
from lottery.training.sparse.vectors import WIDTH
from lottery.training.torch_network import TorchNetwork

Patch = pytest.MonkeyPatch


def everywhere(patch: Patch, original: object, bug: object) -> None:
    """Put `bug` in the place of a function, under every name that the package and the tests have for it."""
    for module in list(sys.modules.values()):
        if module.__name__.startswith(("lottery", "test_")) and module.__name__ != "test_sabotage":
            for name, value in list(vars(module).items()):
                if value is original:
                    patch.setattr(module, name, bug)


def sign_blind(patch: Patch) -> None:
    """Scores without absolute value: large negative weights are pruned first."""

    def signed(weights, *_):
        return weights

    everywhere(patch, magnitude, signed)
    patch.setitem(CRITERIA, "magnitude", replace(CRITERIA["magnitude"], score=signed))


def negative_weights_frozen(engine, patch: Patch) -> None:
    """No update ever changes a weight below 1e-6."""
    advance = engine.Engine.advance

    def frozen(self, stretch):
        losses = []
        for index, rate in enumerate(stretch.rates):
            before = self.parameters()
            losses.append(advance(self, Stretch(stretch.batches[:, index : index + 1], [rate])))
            after = self.parameters()
            self.load({name: np.where(before[name] < 1e-6, before[name], after[name]) for name in after})
        return np.mean(losses, axis=0)

    patch.setattr(engine.Engine, "advance", frozen)


def one_too_many_pruned(patch: Patch) -> None:
    """Keeps what lies strictly above the largest score to be pruned, taken one too far."""
    everywhere(patch, keep_largest, lambda scores, mask, count: keep_largest(scores, mask, max(count - 1, 0)))


def ties_all_pruned(patch: Patch) -> None:
    """Keeps what lies strictly above a threshold: all of a tie there go."""

    def above(scores, mask, count):
        fallen = np.sort(scores[mask == 1])[::-1][count:]
        return ((scores > (fallen[0] if fallen.size else -np.inf)) & (mask == 1)).astype(np.uint8)

    everywhere(patch, keep_largest, above)


def ties_all_kept(patch: Patch) -> None:
    """Keeps what reaches a threshold: all of a tie there stay."""

    def reaching(scores, mask, count):
        return ((scores >= np.sort(scores[mask == 1])[-count]) & (mask == 1)).astype(np.uint8)

    everywhere(patch, keep_largest, reaching)


def shuffle_that_does_nothing(patch: Patch) -> None:
    """The random control has its ticket's own mask."""
    everywhere(patch, operations.shuffled, lambda mask, random: dict(mask))


def unseeded_initialisation(patch: Patch) -> None:
    """Initial weights from a generator that nothing seeds."""
    initial = Network.initial
    patch.setattr(Network, "initial", lambda self, random, *rest: initial(self, np.random.default_rng(), *rest))


def last_slice_dropped_torch(patch: Patch) -> None:
    """Images of the last slice, which is not full, are not evaluated but counted, unless it is the only one."""
    evaluate, size = torch_engine.Engine.evaluate, torch_engine.SLICE

    def dropped(self, part):
        whole = self.images[part]
        count = whole.rows.shape[1]
        seen = count // size * size or count
        self.images = {**self.images, part: replace(whole, rows=whole.rows[:, :seen])}
        return tuple(measure * seen / count for measure in evaluate(self, part))

    patch.setattr(torch_engine.Engine, "evaluate", dropped)


def evaluate_some(patch: Patch, chosen: Callable[[int], np.ndarray], counted: Callable[[int], int]) -> None:
    """Let the sparse engine evaluate the chosen images, and divide by what it counts."""

    def evaluate(self, part):
        source, rows = self.sources[part], self.rows[part]
        count = len(rows)
        sums = passes.evaluate(self.pixel_layer, self.layers, source, rows[chosen(count)], self.values, self.deltas)
        return tuple(float(total) / counted(count) for total in sums)

    patch.setattr(SparseNetwork, "evaluate", evaluate)


def last_slice_dropped_sparse(patch: Patch) -> None:
    """Images of the last slice, which is not full, are not evaluated but counted."""
    evaluate_some(patch, lambda count: np.arange(count // WIDTH * WIDTH), lambda count: count)


def half_of_the_images(patch: Patch) -> None:
    """Every second image is neither evaluated nor counted."""
    evaluate_some(patch, lambda count: np.arange(0, count, 2), lambda count: len(range(0, count, 2)))


def other_images(engine, patch: Patch) -> None:
    """The test set is not what is measured."""
    evaluate = engine.Engine.evaluate
    other = {"test": "train"}
    patch.setattr(engine.Engine, "evaluate", lambda self, part: evaluate(self, other.get(part, part)))


def validation_images_trained_on(patch: Patch) -> None:
    """The images of each part are taken without a look at the split."""
    chosen = Chosen.__init__

    def first(self, images, rows):
        chosen(self, images, np.arange(len(rows)))

    patch.setattr(Chosen, "__init__", first)


def one_split_for_all(patch: Patch) -> None:
    """Every replicate has the same validation images."""
    everywhere(patch, split_generator, lambda root, replicate: split_generator(root, 0))


def pruned_weights_move(engine, patch: Patch) -> None:
    """Gradients, and with them momentum and Adam's moments, reach pruned weights."""
    begin = engine.Engine.__init__

    def unmasked(self, network, start, mask, *rest, **options):
        begin(self, network, start, None, *rest, **options)

    patch.setattr(engine.Engine, "__init__", unmasked)


def mask_from_zeros(engine, patch: Patch) -> None:
    """What is 0 counts as pruned; no mask is looked at."""
    begin = engine.Engine.__init__

    def guessed(self, network, start, mask, *rest, **options):
        zeros = {name: (start[name] != 0).astype(np.uint8) for name in network.weight_names()}
        begin(self, network, start, zeros, *rest, **options)

    patch.setattr(engine.Engine, "__init__", guessed)


def reported(patch: Patch, changed: Callable[[Record], dict[str, object]]) -> None:
    """Change what every record reports as its result."""
    measure = Course.measure

    def measured(self):
        measure(self)
        self.records[:] = [replace(each, result=replace(each.result, **changed(each))) for each in self.records]

    patch.setattr(Course, "measure", measured)


def stop_chosen_by_test_accuracy(patch: Patch) -> None:
    """Early stop where the test accuracy is best."""

    def best(record):
        row = max(record.rows, key=lambda row: np.nan_to_num(row.test_accuracy))
        return {"early_stop_iteration": row.iteration, "test_accuracy_at_early_stop": row.test_accuracy}

    reported(patch, best)


def best_of_the_curve_reported(patch: Patch) -> None:
    """The largest test accuracy ever seen stands for that at the end."""
    reported(
        patch,
        lambda record: {
            "test_accuracy_final": max(
                record.result.test_accuracy_final, *(np.nan_to_num(row.test_accuracy) for row in record.rows)
            )
        },
    )


def written_in_place(patch: Patch) -> None:
    """A file has its name from its first byte on, so a half-written one passes for finished."""

    @contextmanager
    def in_place(path, size=None) -> Iterator:
        yield path

    everywhere(patch, replacing, in_place)


def arrays_written_in_place(patch: Patch) -> None:
    """The one writer of bytes does not ask for a file that appears whole."""

    def directly(path, content):
        try:
            path.write_bytes(content)
        except OSError as error:
            raise LotteryError(f"{path}: cannot be written: {error.strerror}") from error

    everywhere(patch, write_bytes, directly)


def control_with_its_tickets_weights(patch: Patch) -> None:
    """The reinitialised control is rewound like its ticket."""
    patch.setitem(ARMS, "iterative-reinit", replace(ARMS["iterative-reinit"], start=Rewound()))


def control_with_other_batches(patch: Patch) -> None:
    """An arm's name is part of what seeds its batches."""

    def own(job, member, images):
        experiment = job.experiment.model_copy(update={"seed_name": f"{job.seed_name}-{job.place.arm}"})
        settings = job.settings.model_copy(update={"experiments": {job.place.experiment: experiment}})
        return data_of_member(replace(job, settings=settings), member, images)

    everywhere(patch, data_of_member, own)


def output_layer_at_the_full_rate(patch: Patch) -> None:
    """One rate for all layers."""
    everywhere(patch, share, lambda layer, pruning: pruning.dense_rate)


def scored_in_training_mode(patch: Patch) -> None:
    """Evaluation goes on dropping outputs, and normalises by the batch at hand and records it."""
    logits, begin = TorchNetwork.logits, TorchNetwork.__init__

    def seeded(self, *arguments):
        begin(self, *arguments)
        self.drop = [torch.Generator() for _ in range(self.members)]

    patch.setattr(TorchNetwork, "__init__", seeded)
    patch.setattr(TorchNetwork, "logits", lambda self, pixels, noise=None: logits(self, pixels, noise or self.drop))


def statistics_forgotten(patch: Patch) -> None:
    """Running means and variances are not among what a training hands on."""
    begin = torch_engine.Engine.__init__

    def forgetful(self, network, start, *rest, **options):
        fresh = network.initial(np.random.default_rng(0))
        members = len(next(iter(start.values())))
        begun = {name: np.stack([fresh[name]] * members) for name in network.statistics}
        begin(self, network, {**start, **begun}, *rest, **options)

    patch.setattr(torch_engine.Engine, "__init__", forgetful)


def schedule_begins_anew(patch: Patch) -> None:
    """A training that begins at the rewind point has the step sizes of the first iterations."""
    update, rates = Course.update, loop.rates

    def anew(self, first, last):
        with Patch.context() as within:
            within.setattr(loop, "rates", lambda recipe, *span: rates(recipe, *(end - self.first for end in span)))
            return update(self, first, last)

    patch.setattr(Course, "update", anew)


def layers_pruned_by_their_own_share(patch: Patch) -> None:
    """Global pruning takes the same share of every layer."""

    def each(scores, mask, count):
        total = sum(int(kept.sum()) for kept in mask.values())
        return {name: keep_largest(scores[name], mask[name], int(mask[name].sum()) * count // total) for name in scores}

    everywhere(patch, keep_largest_of, each)


def biases_counted(patch: Patch) -> None:
    """Parameters are told as weights."""
    patch.setattr(Layer, "weights", property(lambda layer: (layer.inputs + 1) * layer.outputs))


def biases_pruned(patch: Patch) -> None:
    """Whatever is an array of the network has a mask."""
    scores, prune = operations.scores_of_weights, operations.prune

    def of_all(score, weights, initial, mask, names, random):
        others = {name: np.abs(values) for name, values in weights.items() if name not in names}
        return scores(score, weights, initial, mask, names, random) | others

    def all_of_them(scored, mask, counts):
        smaller = prune(scored, mask, counts)
        return {name: smaller.get(name, np.zeros(values.shape, np.uint8)) for name, values in scored.items()}

    everywhere(patch, scores, of_all)
    everywhere(patch, prune, all_of_them)
