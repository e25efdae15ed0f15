# Masks and starting weights: initial weights, winning tickets, and controls that differ from them in one thing.
# Which files each rule reads, and which arms it serves, src/lottery/arms/lineage.py says.


rule initialize:
    input:
        made_from=files_read("initialize"),
    output:
        start="<results>/{experiment}/{replicates}/{arm}/level{level}/start.safetensors",
    log:
        "<logs>/initialize/{experiment}.{replicates}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/initialize/{experiment}.{replicates}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_made_by("initialize", "start"),
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=5,
        settings=SETTINGS_FILE,
    params:
        **of_job("initialize"),
        told=told,
    message:
        "Draw initial weights, {params.told}"
    shell:
        "python -m lottery {params.verb} {params.run:q} {params.place} {params.extensions:q}"
        " --settings {resources.settings} > {log} 2>&1"


# Remove the weights of smallest score.
use rule initialize as prune with:
    input:
        made_from=files_read("prune"),
    output:
        mask="<results>/{experiment}/{replicates}/{arm}/level{level}/mask.safetensors",
    log:
        "<logs>/prune/{experiment}.{replicates}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/prune/{experiment}.{replicates}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_made_by("prune", "mask"),
    params:
        **of_job("prune"),
        told=told,
    message:
        "Prune {params.told}"


# Set the survivors back to where they started.
use rule initialize as rewind with:
    input:
        made_from=files_read("rewind"),
    output:
        start="<results>/{experiment}/{replicates}/{arm}/level{level}/start.safetensors",
    log:
        "<logs>/rewind/{experiment}.{replicates}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/rewind/{experiment}.{replicates}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_made_by("rewind", "start"),
    params:
        **of_job("rewind"),
        told=told,
        iteration=lambda wildcards: job(wildcards).first_iteration,
    message:
        "Rewind to iteration {params.iteration}, {params.told}"


use rule initialize as make_control with:
    input:
        made_from=files_read("make-control"),
    output:
        mask="<results>/{experiment}/{replicates}/{arm}/level{level}/mask.safetensors",
        start="<results>/{experiment}/{replicates}/{arm}/level{level}/start.safetensors",
    log:
        "<logs>/make_control/{experiment}.{replicates}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/make_control/{experiment}.{replicates}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_made_by("make-control", "mask"),
    params:
        **of_job("make-control"),
        told=told,
        difference=lambda wildcards: job(wildcards).arm.difference,
    message:
        "Make a control, {params.difference}, {params.told}"
