"""Finished runs: recomputed from their files (`verification`), and put into the repository (`publication`)."""
