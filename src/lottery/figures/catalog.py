"""The table of figures: those of the paper, some of our own, and those of articles that followed it."""

from collections.abc import Mapping

from lottery.analysis.appendix_g import INITIALISATIONS, LEARNING_RATES, NETWORKS, PRUNING_RATES
from lottery.arms.places import DENSE
from lottery.errors import LotteryError, suggest
from lottery.figures import kinds, selection
from lottery.figures.figure import Figure, any_of
from lottery.figures.follow_ups import FOLLOW_UPS
from lottery.figures.kinds import BySize, ByValue, Histograms
from lottery.figures.selection import Trained, Varying, With
from lottery.settings import Settings
from lottery.settings.columns import recipe_columns


def hyperparameter(
    number: int, title: str, lines: str, picture: ByValue, where: Mapping[str, str | float] | None = None
) -> Figure:
    """A figure of Appendix G; lines: what there is a line for; where: the recipe beside what varies."""
    return Figure(
        f"figure{number}",
        f"Figure {number}: {title}",
        picture,
        "Early-stop iteration (left) and validation accuracy at it (right) of winning tickets (iterative pruning), a"
        f" line for {lines}. As the paper's Figure {number}; below it stands how many of the paper's values were run.",
        selection=Varying(picture.column, where or {}),
    )


BY_TEST = ("early_stop_iteration", "test_accuracy_at_early_stop")
TICKETS = ("iterative", "iterative-reinit", "one-shot", "one-shot-reinit")
NOISY = ("noise-0.5", "noise-1", "noise-2", "noise-3")

LEAST_OF_4C = 0.05
"""The smallest size that the paper speaks of there is 5.17%."""

CONV_TICKS = (100, 51.4, 26.5, 13.7, 7.1, 3.7, 1.9, 1.0)
"""Percent of weights remaining that Figures 5 and 6 of the paper print."""

PANELS: tuple[tuple[kinds.Line, ...], ...] = (
    ((DENSE, 100), ("iterative", 51.3), ("iterative", 21.1)),
    ((DENSE, 100), ("iterative", 21.1), ("iterative", 7.0), ("iterative", 3.6), ("iterative", 1.9)),
    ((DENSE, 100), *((arm, size) for size in (51.3, 21.1) for arm in ("iterative", "iterative-reinit"))),
)
"""The lines of Figures 3 and 11 of the paper, panel by panel. Their windows and ends are the paper's too."""

ONE_SHOT = any_of("one-shot", "one-shot-linear")

CATALOG = {
    figure.name: figure
    for figure in [
        Figure(
            "figure1",
            "Figure 1: winning tickets and random sparse networks",
            BySize(("iterative", "random"), BY_TEST),
            "Early-stop iteration (left) and test accuracy at it (right) of winning tickets (iterative pruning, weights"
            " rewound) and of networks with as many weights at random places. As the paper's Figure 1, LeNet.",
            (any_of("iterative"), any_of("random")),
        ),
        Figure(
            "figure3",
            "Figure 3: test accuracy while tickets train",
            kinds.AlongTraining("test_accuracy", "test accuracy (%)", 18_000, (0.94, 0.99), PANELS),
            "Test accuracy on the way through training, by percent of weights remaining. Left: the larger tickets;"
            " centre: the smaller; right: two tickets and their masks reinitialised. As the paper's Figure 3.",
        ),
        Figure(
            "figure4a",
            "Figure 4a: early stop of iterative and one-shot tickets",
            BySize(TICKETS, (*BY_TEST, "train_accuracy_at_early_stop")),
            "Early-stop iteration, and test and training accuracy at it, of tickets found by iterative and by one-shot"
            " pruning and of the same masks reinitialised. As the paper's Figure 4a.",
        ),
        Figure(
            "figure4b",
            "Figure 4b: accuracy at the end of training",
            BySize(TICKETS, ("test_accuracy_final",)),
            "Test accuracy after the last iteration, arms as in Figure 4a. As the paper's Figure 4b.",
        ),
        Figure(
            "figure4c",
            "Figure 4c: one-shot tickets on a linear axis",
            BySize(("one-shot", "one-shot-reinit"), BY_TEST, log=False, above=LEAST_OF_4C),
            "Early-stop iteration and test accuracy at it of one-shot tickets and of the same masks reinitialised."
            " As the paper's Figure 4c.",
            (ONE_SHOT,),
        ),
        Figure(
            "figure5",
            "Figure 5: tickets of convolutional networks",
            BySize(
                ("iterative", "iterative-reinit"),
                (*BY_TEST, "train_accuracy_at_early_stop", "test_accuracy_final"),
                ticks=CONV_TICKS,
                cut=False,
            ),
            "Early-stop iteration, test and training accuracy at it, and test accuracy at the end of training, of"
            " tickets of Conv-2, Conv-4 and Conv-6 and of the same masks reinitialised. As the paper's Figure 5.",
            family="conv",
            selection=selection.WithoutDropout(),
        ),
        Figure(
            "figure6",
            "Figure 6: tickets of convolutional networks trained with dropout",
            kinds.ByDropout(BY_TEST, CONV_TICKS),
            "Early-stop iteration (left) and test accuracy at it (right) of tickets of convolutional networks trained"
            " with dropout and without. As the paper's Figure 6.",
            family="conv",
            selection=selection.WithAndWithoutDropout(),
        ),
        Figure(
            "figure7",
            "Figure 7: tickets of VGG-19 at three moments of training",
            kinds.AtMoments((30_000, 60_000, 112_480), 112_480, (100, 41.0, 16.8, 6.9, 2.8, 1.2, 0.5, 0.2, 0.1)),
            "Test accuracy of tickets, and of the same masks reinitialised, at three moments of training: a line for"
            " each learning rate and warmup. As the paper's Figure 7; where training is shorter, at the same parts of"
            " it.",
            family="vgg",
        ),
        Figure(
            "figure8",
            "Figure 8: tickets of ResNet-20 at three moments of training",
            kinds.AtMoments((10_000, 20_000, 30_000), 30_000, (100, 64.4, 41.7, 27.1, 17.8, 11.8, 8.0, 5.5)),
            "Test accuracy of tickets, and of the same masks reinitialised, at three moments of training: a line for"
            " each learning rate and warmup. As the paper's Figure 8, which calls this network Resnet-18; where"
            " training is shorter, at the same parts of it.",
            family="resnet",
        ),
        Figure(
            "figure9",
            "Figure 9: resetting against continued training",
            BySize(("iterative", "continued"), ("early_stop_iteration", "validation_accuracy_at_early_stop")),
            "Early-stop iteration (left) and validation accuracy at it (right) of tickets whose weights were set"
            " back after every pruning, and of those that were trained on and set back once, after the last one. As"
            " the paper's Figure 9.",
            (any_of("iterative"), any_of("continued")),
        ),
        Figure(
            "figure11",
            "Figure 11: validation loss while tickets train",
            kinds.AlongTraining("validation_loss", "validation loss", 25_000, (0.0, 0.2), PANELS),
            "Validation loss on the way through training, whose least value is the early stop; sizes as in Figure 3."
            " As the paper's Figure 11.",
        ),
        Figure(
            "figure12",
            "Figure 12: training accuracy at the end of training",
            BySize(TICKETS, ("train_accuracy_final",)),
            "Training accuracy after the last iteration, arms as in Figure 4a. As the paper's Figure 12.",
        ),
        Figure(
            "figure14",
            "Figure 14: initialisation, reinitialisation and random sparsity",
            BySize(("iterative", "iterative-reinit", "random"), ("test_accuracy_final",)),
            "Test accuracy after the last iteration of winning tickets, of their masks reinitialised, and of networks"
            " with as many weights at random places. As the paper's Figure 14, LeNet.",
            (any_of("iterative"), any_of("iterative-reinit"), any_of("random")),
        ),
        *(
            Figure(
                f"figure{number}",
                f"Figure {number}: initial values of tickets' weights, {words}",
                Histograms("initial"),
                "Distribution of the initial values of the weights that are in the ticket, for tickets of four sizes,"
                f" layer by layer. As the paper's Figure {number}.",
                selection=With({"optimizer": optimizer}),
            )
            for number, optimizer, words in ((15, "adam", "Adam"), (16, "sgd", "stochastic gradient descent"))
        ),
        Figure(
            "figure17",
            "Figure 17: reinitialised from the ticket's own values",
            BySize(("iterative", "iterative-reinit", "own-values"), BY_TEST),
            "Early-stop iteration (left) and test accuracy at it (right) of tickets, of their masks reinitialised,"
            " and of their masks with weights drawn, layer by layer, from the ticket's own initial values. As the"
            " paper's Figure 17; here the early stop is that of the validation loss, not of the test loss.",
            (any_of("iterative"), any_of("own-values")),
        ),
        Figure(
            "figure18",
            "Figure 18: pruned by initial magnitude",
            BySize(("iterative", "iterative-reinit", "initial-magnitude"), BY_TEST),
            "Early-stop iteration (left) and test accuracy at it (right) of tickets, of their masks reinitialised,"
            " and of networks that keep the largest initial weights, pruned before any training. As the paper's"
            " Figure 18; here the early stop is that of the validation loss, not of the test loss.",
            (any_of("iterative"), any_of("initial-magnitude")),
        ),
        Figure(
            "figure19",
            "Figure 19: how far weights move",
            Histograms("movement"),
            "How far the weights of the dense network move while it trains, those that are in the ticket and the"
            " others, layer by layer. As the paper's Figure 19.",
        ),
        Figure(
            "figure20",
            "Figure 20: how far weights move away from 0",
            Histograms("magnitude_gain"),
            "How much larger the magnitudes of the dense network's weights become while it trains, those that are in"
            " the ticket and the others, layer by layer. As the paper's Figure 20.",
        ),
        *(
            Figure(
                f"figure{number}",
                f"Figure {number}: {direction} links of units, {words}",
                Histograms(direction),
                f"Distribution over units of the share of {direction} links that tickets of three sizes keep. As the"
                f" paper's Figure {number}.",
                selection=With({"optimizer": optimizer}),
            )
            for number, direction, optimizer, words in (
                (21, "incoming", "adam", "Adam"),
                (22, "incoming", "sgd", "stochastic gradient descent"),
                (23, "outgoing", "adam", "Adam"),
                (24, "outgoing", "sgd", "stochastic gradient descent"),
            )
        ),
        Figure(
            "figure25",
            "Figure 25: noise on the ticket's initial weights",
            BySize(("iterative", *NOISY, "iterative-reinit"), BY_TEST),
            "Early-stop iteration (left) and test accuracy at it (right) of tickets, of the same with normal noise"
            " added to their initial weights, in standard deviations of each layer's, and of their masks"
            " reinitialised. As the paper's Figure 25; here the early stop is that of the validation loss, not of"
            " the test loss.",
            (any_of("iterative"), any_of(*NOISY)),
        ),
        hyperparameter(
            26,
            "learning rates of Adam",
            "each learning rate of Adam",
            ByValue("learning_rate", LEARNING_RATES["adam", 0.0]),
            {"optimizer": "adam"},
        ),
        hyperparameter(
            27,
            "learning rates of stochastic gradient descent",
            "each learning rate of stochastic gradient descent",
            ByValue("learning_rate", LEARNING_RATES["sgd", 0.0]),
            {"optimizer": "sgd", "momentum": 0.0},
        ),
        hyperparameter(
            28,
            "learning rates of momentum 0.9",
            "each learning rate of stochastic gradient descent with momentum 0.9",
            ByValue("learning_rate", LEARNING_RATES["sgd", 0.9]),
            {"optimizer": "sgd", "momentum": 0.9},
        ),
        hyperparameter(
            29,
            "shares removed by one pruning",
            "each share of a hidden layer's weights that one pruning removes",
            ByValue("dense_rate", PRUNING_RATES),
        ),
        hyperparameter(
            30,
            "distributions of the initial weights",
            "each distribution of the initial weights",
            ByValue("initialisation", INITIALISATIONS),
        ),
        hyperparameter(
            31,
            "widths of the layers",
            "each pair of widths of the hidden layers, against the number of weights",
            ByValue("network", NETWORKS),
        ),
        Figure(
            "figure-choices",
            "How much each choice of a recipe matters",
            kinds.Effects(),
            "Test accuracy and early stop of the dense network; how much more accurate the 21.1% ticket is and how much"
            " sooner it reaches its early stop, against the dense network and against the same mask reinitialised: a"
            " line for each recipe. Not in the paper.",
            selection=selection.Several(),
        ),
        Figure(
            "figure-speed",
            "When tickets are as good as the dense network ever is",
            BySize(("iterative", "iterative-reinit", "random"), ("iterations_to_dense_quality", BY_TEST[1])),
            "The first iteration whose validation loss is as low as the dense network's of the same replicate ever is"
            " (left; the dense network's own is its early stop), and test accuracy at early stop (right): of tickets,"
            " of their masks reinitialised, and of networks with as many weights at random places. Not in the paper:"
            " what its Figure 4a shows of speed, by a measure that short trainings allow.",
        ),
        Figure(
            "figure-size",
            "Accuracy against weight count: tickets and small dense networks",
            kinds.ByWeights(("iterative", "random", "small-dense")),
            "Test accuracy at early stop against the number of weights, of tickets, of networks with as many weights at"
            " random places, and of dense networks narrowed until they have about as many. Not in the paper: would a"
            " small network have done as well?",
            (any_of("iterative"), any_of("small-dense")),
        ),
        Figure(
            "figure-masks",
            "Which pixels tickets read, level by level",
            kinds.KeptPixels(),
            "The share of each pixel's links to the first hidden layer that is kept, in tickets of falling size: bright"
            " where most of a ticket's links are, dark where there are none. The dense network has all of them, at"
            " every pixel. Not in the paper.",
        ),
        *FOLLOW_UPS,
    ]
}


def figures_of_run(settings: Settings) -> list[str]:
    """Names of the figures of a run: those that it asks for, or all that show at least one of its experiments.

    Raises LotteryError for one that it asks for and does not train.
    """
    trained = [
        Trained(
            name,
            experiment.network,
            experiment.dataset,
            recipe_columns(experiment),
            [arm.arm for arm in experiment.arms],
            frozenset([*experiment.interpolation.pairs, *(["overlaps"] if experiment.compared_masks else [])]),
        )
        for name in settings.run_experiments
        for experiment in [settings.experiments[name]]
    ]
    if settings.figures == "all":
        return [figure.name for figure in CATALOG.values() if figure.shown(trained)]
    for name in settings.figures:
        if name not in CATALOG:
            raise LotteryError(f"config: figures: unknown figure {name!r}{suggest(name, CATALOG)}")
        if not CATALOG[name].shown(trained):
            raise LotteryError(f"config: figures: {name} needs {CATALOG[name].needed}, which this run does not train")
    return settings.figures
