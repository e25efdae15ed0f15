# The Lottery Ticket Hypothesis (Frankle & Carbin, ICLR 2019) from raw data to figures and verdicts.
#
#   dense network --train--> trained weights --prune--> mask --rewind--> ticket --train--> trained weights --prune--> ...
#
# Targets: all (the default), figures, each figure of the catalog by its name (figure1, figure4a, ...), claims, tables.
# `plan` tells what a run will cost; `export_tickets` writes its best tickets, `bench_inference` measures predictions.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")


# The folder where Snakemake runs may have a default run of its own; else it is the repository's.
OWN_CONFIG = Path("config/config.yaml")


configfile: str(OWN_CONFIG if OWN_CONFIG.exists() else Path(workflow.basedir, OWN_CONFIG))


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/progress.smk"
include: "workflow/rules/folder.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/tickets.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/lines.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/use.smk"


# On a cluster trainings, scores, lines between networks and measurements of predictions are submitted: the rest takes seconds, and a download needs the network of the login node.
localrules:
    prepare_dataset,
    initialize,
    prune,
    rewind,
    make_control,
    collect,
    describe_tickets,
    collect_barriers,
    compare_masks,
    judge_claims,
    plot,
    describe_structure,
    export_ticket,
    compact_ticket,


# Snakemake 9 limits the rate of job starts, and for that has every finished job start a timer that looks at all waiting jobs
# again each second: about 120 of them took a fifth of a core. Trainings take longer than a second, so no limit is needed.
onstart:
    check_cluster()
    workflow.scheduler.job_rate_limiter = None
    # For those who type commands: these read the settings where the run's results are.
    if not IS_MODULE:
        write_text(Path("results", SETTINGS.run, "settings.json"), SETTINGS.model_dump_json(indent=1) + "\n")


# What the settings do not keep of a finished run is let go.
onsuccess:
    if not IS_MODULE:
        keeping.let_go(Path("results", SETTINGS.run), SETTINGS)


rule all:
    default_target: True
    input:
        drawn(figure_names()),
        rules.collect.output,
        rules.describe_tickets.output if layers() else [],
        rules.judge_claims.output,


rule figures:
    input:
        drawn(figure_names()),


rule tables:
    input:
        rules.collect.output,
        rules.describe_tickets.output if layers() else [],
        barriers(),
        overlaps(),


rule claims:
    input:
        rules.judge_claims.output,


# Not of `all`: the best ticket of each experiment, in seconds, and what predictions take, with all cores.
rule export_tickets:
    input:
        expand("<results>/tickets/{experiment}{form}.safetensors", experiment=with_tickets(), form=["", ".compact"]),
        rules.describe_structure.output,


rule bench_inference:
    input:
        expand("<results>/inference/{experiment}/worth.csv", experiment=with_tickets()),


# One target for each figure: figure1, figure3, figure4a, ..., figure_size; and all parts of Figure 4.
for target, figures in {"figure4": ["figure4a", "figure4b", "figure4c"], **{name: [name] for name in CATALOG}}.items():

    rule:
        name:
            target.replace("-", "_")
        input:
            [file for figure in figures for file in drawn_or_why_not(figure)],
