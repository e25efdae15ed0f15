"""The Lottery Ticket Hypothesis as three operations on named arrays: train, prune, rewind."""

__version__ = "0.1.0"
