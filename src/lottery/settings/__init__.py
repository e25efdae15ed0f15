"""Settings: their declaration (`sections`), reading (`reading`), reference (`reference`), and which of them the tables
tell (`columns`).
"""

from lottery.settings.sections import (
    NAME,
    ArmSettings,
    Experiment,
    Initialisation,
    Interpolation,
    Pictures,
    Pruning,
    Section,
    Settings,
    Training,
)

__all__ = [
    "NAME",
    "ArmSettings",
    "Experiment",
    "Initialisation",
    "Interpolation",
    "Pictures",
    "Pruning",
    "Section",
    "Settings",
    "Training",
]
