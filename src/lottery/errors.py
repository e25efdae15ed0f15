"""The one exception that the package raises for its user."""


class LotteryError(Exception):
    """Something the user can put right: the message says what is wrong, where, and what would be right."""
