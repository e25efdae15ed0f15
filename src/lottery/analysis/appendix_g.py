"""The values of LeNet's hyperparameters that the figures of the paper's Appendix G draw."""

LEARNING_RATES = {
    ("adam", 0.0): [0.000025, 0.00005, 0.0002, 0.0008, 0.0012, 0.002, 0.0032, 0.0064],
    ("sgd", 0.0): [0.003125, 0.00625, 0.0125, 0.025, 0.1, 0.4, 0.8, 1.2],
    ("sgd", 0.9): [0.003125, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4],
}
"""By optimiser and momentum: Figures 26, 27 and 28."""

PRUNING_RATES = [0.1, 0.2, 0.4, 0.6, 0.8]
"""Figure 29."""

INITIALISATIONS = ["glorot-normal", *(f"normal {sd}" for sd in (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4))]
"""Figure 30."""

LENET = "lenet-300-100"
NARROWER = ["lenet-25-9", "lenet-50-17", "lenet-100-34", "lenet-150-50", "lenet-200-67"]
WIDER = ["lenet-400-134", "lenet-500-167", "lenet-700-233", "lenet-900-300"]
NETWORKS = [*NARROWER, LENET, *WIDER]
"""Figure 31."""
