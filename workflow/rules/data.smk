# Raw files, verified by checksum, to one file of arrays for each dataset.


rule prepare_dataset:
    input:
        raw=raw_files,
        code=modules("datasets/idx.py", "datasets/images.py", "datasets/sources.py"),
    output:
        "results/data/{dataset}.safetensors",
    log:
        "results/data/logs/{dataset}.log",
    benchmark:
        "results/data/benchmarks/{dataset}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        folder=lambda wildcards: str(ROOT / source(wildcards.dataset).folder),
    message:
        "Verify and unpack the dataset {wildcards.dataset}"
    shell:
        "python -m lottery prepare-dataset --dataset {wildcards.dataset} --raw {params.folder:q}"
        " --output {output} > {log} 2>&1"
