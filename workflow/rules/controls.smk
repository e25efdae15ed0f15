# Controls: each differs from the ticket in exactly one thing.


rule make_control:
    input:
        ticket=ticket_mask,
        checkpoint=rewind_point,
        code=STARTING_CODE,
    output:
        mask="<results>/{experiment}/{stack}/{arm}/level{level}/mask.safetensors",
        start="<results>/{experiment}/{stack}/{arm}/level{level}/start.safetensors",
    log:
        "<logs>/make_control/{experiment}.{stack}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/make_control/{experiment}.{stack}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_where(lambda arm: arm.of),
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
        draws=draws,
        difference=lambda wildcards: ARMS[wildcards.arm].difference,
    message:
        "Make {wildcards.arm} at level {wildcards.level}, {params.difference}:"
        " {wildcards.experiment}, replicates {wildcards.stack}"
    shell:
        "python -m lottery make-control --key {params.key:q} --network {params.network} --stack {wildcards.stack}"
        " {params.extensions:q} --initialisation {params.initialisation:q}"
        " --arm {wildcards.arm} --level {wildcards.level} --draws {params.draws}"
        " --ticket {input.ticket} --checkpoint {input.checkpoint} --mask {output.mask} --start {output.start}"
        " > {log} 2>&1"


rule initialize_small:
    input:
        code=STARTING_CODE,
    output:
        start="<results>/{experiment}/{stack}/{arm}/level{level}/start.safetensors",
    log:
        "<logs>/initialize_small/{experiment}.{stack}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/initialize_small/{experiment}.{stack}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_where(lambda arm: arm.mask == "none"),
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
        "Draw initial weights of a dense network as small as level {wildcards.level}'s ticket ({params.network}):"
        " {wildcards.experiment}, replicates {wildcards.stack}"
    shell:
        "python -m lottery initialize --key {params.key:q} --network {params.network} --stack {wildcards.stack}"
        " {params.extensions:q} --initialisation {params.initialisation:q} --level {wildcards.level}"
        " --start {output.start} > {log} 2>&1"


use rule train_dense as train_small with:
    input:
        start=rules.initialize_small.output.start,
        dataset=dataset,
        code=TRAINING_CODE,
    output:
        trained="<results>/{experiment}/{stack}/{arm}/level{level}/trained.safetensors",
        history="<results>/{experiment}/{stack}/{arm}/level{level}/history.csv",
        summary="<results>/{experiment}/{stack}/{arm}/level{level}/summary.json",
    log:
        "<logs>/train_small/{experiment}.{stack}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/train_small/{experiment}.{stack}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_where(lambda arm: arm.mask == "none"),
    params:
        key=key,
        network=network,
        extensions=extension_options,
        recipe=recipe,
        place=place,
        checkpoints=checkpoints,
        mask="",
    message:
        "Train a dense network as small as level {wildcards.level}'s ticket ({params.network}):"
        " {wildcards.experiment}, replicates {wildcards.stack}"
