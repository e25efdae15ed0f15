# Training, of all networks alike; and the scores of prunings that need images.


rule train:
    input:
        made_from=files_read("train"),
    output:
        trained="<results>/{experiment}/{replicates}/{arm}/level{level}/trained.safetensors",
        early_stop="<results>/{experiment}/{replicates}/{arm}/level{level}/early-stop.safetensors",
        snapshots="<results>/{experiment}/{replicates}/{arm}/level{level}/snapshots.safetensors",
        history="<results>/{experiment}/{replicates}/{arm}/level{level}/history.csv",
        summary="<results>/{experiment}/{replicates}/{arm}/level{level}/summary.json",
    log:
        "<logs>/train/{experiment}.{replicates}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/train/{experiment}.{replicates}.{arm}.level{level}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: job_threads
    resources:
        mem_mb=more_each_attempt(3000),
        runtime=more_each_attempt(60),
        gpu=gpus,
        settings=SETTINGS_FILE,
    params:
        **of_job("train"),
        told=told,
    message:
        "Train {params.told}"
    shell:
        "python -m lottery {params.verb} {params.run:q} {params.place} {params.extensions:q}"
        " --settings {resources.settings} --threads {threads} > {log} 2>&1"


rule score:
    input:
        made_from=files_read("score"),
    output:
        scores="<results>/{experiment}/{replicates}/{arm}/level{level}/scores.safetensors",
    log:
        "<logs>/score/{experiment}.{replicates}.{arm}.level{level}.log",
    benchmark:
        "<benchmarks>/score/{experiment}.{replicates}.{arm}.level{level}.tsv"
    wildcard_constraints:
        arm=arms_made_by("prune", "mask"),
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(3000),
        runtime=more_each_attempt(60),
        gpu=gpus,
        settings=SETTINGS_FILE,
    params:
        **of_job("score"),
        told=told,
    message:
        "Score the weights that are pruned for {params.told}"
    shell:
        "python -m lottery {params.verb} {params.run:q} {params.place} {params.extensions:q}"
        " --settings {resources.settings} > {log} 2>&1"
