# The Lottery Ticket Hypothesis (Frankle & Carbin, ICLR 2019) from raw data to figures and verdicts.
#
#   dense network --train--> trained weights --prune--> mask --rewind--> ticket --train--> trained weights --prune--> ...
#
# Targets: all (the default), figures, figure1, figure3, figure4, figure4a ..., figure5, ..., figure8,
# claims, tables.
# `plan` tells what a run will cost.
from snakemake.utils import min_version

min_version("9.19")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/progress.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/tickets.smk"
include: "workflow/rules/controls.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/figures.smk"


# On a cluster only trainings are submitted: the rest takes seconds, and a download needs the network of the login node.
localrules:
    prepare_dataset,
    initialize,
    initialize_small,
    prune,
    rewind,
    reinitialize,
    randomize_mask,
    collect,
    judge_claims,
    plot,


rule all:
    default_target: True
    input:
        expand("<results>/figures/{figure}.png", figure=figure_names()),
        rules.collect.output,
        rules.judge_claims.output,


rule figures:
    input:
        expand("<results>/figures/{figure}.png", figure=figure_names()),


rule tables:
    input:
        rules.collect.output,


rule claims:
    input:
        rules.judge_claims.output,


rule figure1:
    input:
        "<results>/figures/figure1.png",


rule figure3:
    input:
        "<results>/figures/figure3.png",


rule figure4:
    input:
        expand("<results>/figures/figure4{part}.png", part=["a", "b", "c"]),


rule figure4a:
    input:
        "<results>/figures/figure4a.png",


rule figure4b:
    input:
        "<results>/figures/figure4b.png",


rule figure4c:
    input:
        "<results>/figures/figure4c.png",


rule figure5:
    input:
        "<results>/figures/figure5.png",


rule figure6:
    input:
        "<results>/figures/figure6.png",


rule figure7:
    input:
        "<results>/figures/figure7.png",


rule figure8:
    input:
        "<results>/figures/figure8.png",


rule figure_size:
    input:
        "<results>/figures/figure-size.png",
