# Initial weights, and training: of the dense network, and of tickets and controls from their masks.


rule initialize:
    input:
        code=STARTING_CODE,
    output:
        start="<results>/{experiment}/{stack}/dense/level0/start.safetensors",
    log:
        "<logs>/initialize/{experiment}.{stack}.log",
    benchmark:
        "<benchmarks>/initialize/{experiment}.{stack}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        key=key,
        network=network,
        extensions=extension_options,
        initialisation=initialisation,
    message:
        "Draw initial weights: {wildcards.experiment}, replicates {wildcards.stack}"
    shell:
        "python -m lottery initialize --key {params.key:q} --network {params.network} --stack {wildcards.stack}"
        " {params.extensions:q} --initialisation {params.initialisation:q} --start {output.start} > {log} 2>&1"


rule train_dense:
    input:
        start=rules.initialize.output.start,
        dataset=dataset,
        code=TRAINING_CODE,
    output:
        trained="<results>/{experiment}/{stack}/dense/level0/trained.safetensors",
        history="<results>/{experiment}/{stack}/dense/level0/history.csv",
        summary="<results>/{experiment}/{stack}/dense/level0/summary.json",
    log:
        "<logs>/train_dense/{experiment}.{stack}.log",
    benchmark:
        "<benchmarks>/train_dense/{experiment}.{stack}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: job_threads
    resources:
        mem_mb=more_each_attempt(3000),
        runtime=more_each_attempt(60),
        gpu=gpus,
        checkpoint_seconds=checkpoint_seconds,
        trainings_per_card=trainings_per_card,
    params:
        key=key,
        network=network,
        extensions=extension_options,
        recipe=recipe,
        place="--arm dense --level 0",
        checkpoints=checkpoints,
        mask="",
    message:
        "Train the dense network: {wildcards.experiment}, replicates {wildcards.stack}"
    shell:
        "python -m lottery train --key {params.key:q} --network {params.network} --stack {wildcards.stack}"
        " {params.extensions:q} {params.place} --recipe {params.recipe:q} --threads {threads}"
        " --trainings-per-card {resources.trainings_per_card}"
        " --checkpoints {params.checkpoints:q} --checkpoint-seconds {resources.checkpoint_seconds}"
        " --dataset {input.dataset} --start {input.start} {params.mask}"
        " --trained {output.trained} --history {output.history} --summary {output.summary} > {log} 2>&1"


use rule train_dense as train_to_rewind_point with:
    input:
        start=rules.initialize.output.start,
        dataset=dataset,
        code=TRAINING_CODE,
    output:
        trained="<results>/{experiment}/{stack}/rewind-point/level0/trained.safetensors",
        history="<results>/{experiment}/{stack}/rewind-point/level0/history.csv",
        summary="<results>/{experiment}/{stack}/rewind-point/level0/summary.json",
    log:
        "<logs>/train_to_rewind_point/{experiment}.{stack}.log",
    benchmark:
        "<benchmarks>/train_to_rewind_point/{experiment}.{stack}.tsv"
    params:
        key=key,
        network=network,
        extensions=extension_options,
        recipe=recipe_to_rewind_point,
        place="--arm rewind-point --level 0",
        checkpoints=checkpoints,
        mask="",
    message:
        "Train the dense network to the rewind iteration: {wildcards.experiment}, replicates {wildcards.stack}"


use rule train_dense as train_ticket with:
    input:
        mask="<results>/{experiment}/{stack}/{arm}/level{level}/mask.safetensors",
        start="<results>/{experiment}/{stack}/{arm}/level{level}/start.safetensors",
        dataset=dataset,
        code=TRAINING_CODE,
    output:
        trained="<results>/{experiment}/{stack}/{arm}/level{level}/trained.safetensors",
        history="<results>/{experiment}/{stack}/{arm}/level{level}/history.csv",
        summary="<results>/{experiment}/{stack}/{arm}/level{level}/summary.json",
    log:
        "<logs>/train_ticket/{experiment}.{stack}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/train_ticket/{experiment}.{stack}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_where(lambda arm: arm.mask != "none"),
    params:
        key=key,
        network=network,
        extensions=extension_options,
        recipe=recipe,
        place=place,
        checkpoints=checkpoints,
        mask=lambda wildcards, input: f"--mask {input.mask}",
        remaining=remaining,
    message:
        "Train {wildcards.arm} at level {wildcards.level}, {params.remaining} of the weights:"
        " {wildcards.experiment}, replicates {wildcards.stack}"
