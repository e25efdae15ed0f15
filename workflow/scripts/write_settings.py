"""Writes the run's settings into its folder: as a file, since a command has no room for those of many experiments."""

from pathlib import Path

Path(snakemake.output[0]).write_text(snakemake.params.settings + "\n")  # noqa: F821 - given by Snakemake
