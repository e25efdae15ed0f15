# Winning tickets: prune the smallest trained weights, set the survivors back to the initialisation.


rule prune:
    input:
        trained=scored_weights,
        survivors=survivors,
        code=PRUNING_CODE,
    output:
        mask="<results>/{experiment}/{stack}/{arm}/level{level}/mask.safetensors",
    log:
        "<logs>/prune/{experiment}.{stack}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/prune/{experiment}.{stack}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_where(lambda arm: arm.mask.startswith("pruned")),
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=5,
    params:
        key=key,
        network=network,
        extensions=extension_options,
        pruning=pruning,
        survivors=lambda wildcards, input: f"--survivors {input.survivors}" if input.survivors else "",
        remaining=remaining,
    message:
        "Prune {wildcards.arm} to level {wildcards.level}, {params.remaining} of the weights:"
        " {wildcards.experiment}, replicates {wildcards.stack}"
    shell:
        "python -m lottery prune --key {params.key:q} --network {params.network} --stack {wildcards.stack}"
        " {params.extensions:q} --arm {wildcards.arm} --level {wildcards.level} --pruning {params.pruning:q}"
        " --trained {input.trained} {params.survivors} --mask {output.mask} > {log} 2>&1"


rule rewind:
    input:
        checkpoint=kept_weights,
        mask=rules.prune.output.mask,
        code=STARTING_CODE,
    output:
        start="<results>/{experiment}/{stack}/{arm}/level{level}/start.safetensors",
    log:
        "<logs>/rewind/{experiment}.{stack}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/rewind/{experiment}.{stack}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_where(lambda arm: arm.mask.startswith("pruned")),
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
        iteration=kept_iteration,
    message:
        "Rewind {wildcards.arm} at level {wildcards.level} to iteration {params.iteration}:"
        " {wildcards.experiment}, replicates {wildcards.stack}"
    shell:
        "python -m lottery rewind --key {params.key:q} --network {params.network} --stack {wildcards.stack}"
        " {params.extensions:q} --checkpoint {input.checkpoint} --mask {input.mask} --start {output.start} > {log} 2>&1"
