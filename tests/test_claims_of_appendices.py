"""Claims of the appendices on made-up tables with known answers; those about weights are in test_ticket_weights."""

import pandas as pd
import pytest
from test_claims import made_up_levels

from lottery.analysis.claims import judge

ABOUT_ARMS = ["L7c", "L13", "E1", "B1", "B2", "F3", "F4", "F7a", "F7b"]

ACCURACIES = ["test_accuracy_at_early_stop", "validation_accuracy_at_early_stop"]


def with_arms(*, as_the_paper_says: bool) -> pd.DataFrame:
    """Every arm a little better or worse than the ticket or its reinitialised mask, everywhere by as much."""
    levels = made_up_levels(tickets_win=as_the_paper_says)
    sign = 1 if as_the_paper_says else -1
    levels["validation_accuracy_at_early_stop"] = levels["test_accuracy_at_early_stop"]
    reinit = levels["arm"] == "iterative-reinit"
    levels.loc[reinit, "train_accuracy_final"] -= sign * 0.02
    ticket, control = levels[levels["arm"] == "iterative"], levels[reinit]

    def arm(name: str, like: pd.DataFrame, points: float, slower: float = 1.0) -> pd.DataFrame:
        made = like.assign(arm=name, early_stop_iteration=(like["early_stop_iteration"] * slower).round())
        return made.assign(
            **{column: like[column] + sign * points / 100 for column in [*ACCURACIES, "test_accuracy_final"]}
        )

    arms = [
        arm("random", control, -1.0),
        arm("continued", ticket, -1.0, 1.5 if as_the_paper_says else 1 / 1.5),
        arm("own-values", ticket, -1.0),
        arm("initial-magnitude", control, -1.0),
        arm("noise-0.5", ticket, -0.05 if as_the_paper_says else 1.0),
        arm("noise-3", control, 1.0),
    ]
    return pd.concat([levels, *arms], ignore_index=True)


@pytest.mark.parametrize("as_the_paper_says", [True, False])
def test_verdicts(as_the_paper_says):
    found = judge(with_arms(as_the_paper_says=as_the_paper_says)).set_index("id")["verdict"]
    expected = "replicated" if as_the_paper_says else "not replicated"
    assert found[ABOUT_ARMS].to_dict() == dict.fromkeys(ABOUT_ARMS, expected)


def test_what_was_not_trained_is_not_run():
    found = judge(made_up_levels(tickets_win=True)).set_index("id")["verdict"]
    assert set(found[["E1", "B1", "B2", "F3", "F4", "F7a", "F7b"]]) == {"not run"}
