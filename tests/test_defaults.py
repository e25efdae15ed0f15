"""Defaults never change: what equals a default is left out of the texts that say whether a job must be repeated."""

import pytest
from pydantic_core import PydanticUndefined

from lottery.settings import (
    ArmSettings,
    Experiment,
    Initialisation,
    Interpolation,
    Pictures,
    Pruning,
    Settings,
    Training,
)

FROZEN = {
    Settings: {
        "seed": 0,
        "data_mirror": None,
        "extensions": [],
        "datasets": {},
        "keep": "everything",
        "figures": "all",
    },
    Experiment: {
        "initialisation": Initialisation(),
        "training": Training(),
        "pruning": Pruning(),
        "seed_name": "",
        "rewind_iteration": 0,
        "checkpoint_seconds": 60.0,
        "threads_per_job": 1,
        "trainings_per_card": 1,
        "interpolation": Interpolation(),
        "compared_masks": [],
    },
    Interpolation: {"pairs": [], "points": 30, "images": None},
    Initialisation: {"weights": "glorot-normal", "sd": None, "biases": "zero"},
    Training: {
        "engine": "auto",
        "device": "cpu",
        "compile": False,
        "deterministic": True,
        "precision": "float32",
        "optimizer": "adam",
        "learning_rate": 1.2e-3,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "warmup_iterations": 0,
        "rate_drops": [],
        "dropout": 0.0,
        "augmentation": "none",
        "autocast": False,
        "tf32": False,
        "graphs": True,
        "input_scaling": "unit",
        "batch_size": 60,
        "iterations": 50_000,
        "validation_images": 5_000,
        "training_images": None,
        "label_noise": 0.0,
        "test_images": None,
        "validation_every": 100,
        "test_every": 100,
        "on_divergence": "fail",
    },
    Pruning: {
        "scope": "layer",
        "global_rate": 0.2,
        "excluded_layers": [],
        "conv_rate": 0.1,
        "dense_rate": 0.2,
        "output_rate": 0.1,
        "linear_step": 0.125,
    },
    Pictures: {"test_share": None},
    ArmSettings: {"levels": "all", "draws": 1, "snapshots": [], "from_experiment": ""},
}
"""Every key that has a default. A further key is added here; a line that is here stays as it is."""


@pytest.mark.parametrize("section", FROZEN)
def test_defaults_are_what_they_were(section):
    fields = section.model_fields.items()
    assert {name: field.default for name, field in fields if field.default is not PydanticUndefined} == FROZEN[section]


def test_canonical_texts_leave_defaults_out_and_tell_all_else():
    assert Training().canonical_json() == Training(learning_rate=0.0012).canonical_json() == "{}"
    told = Training(rate_drops=[3], learning_rate=0.1).canonical_json()
    assert told == '{"learning_rate":0.1,"rate_drops":[3]}'
    assert Training.model_validate_json(told) == Training(rate_drops=[3], learning_rate=0.1)
