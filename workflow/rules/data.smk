# Raw files, found or downloaded and verified by checksum, to one file of arrays for each dataset.


rule prepare_dataset:
    input:
        code=with_extensions(
            modules("arrays.py", *(f"datasets/{name}.py" for name in ("cifar", "idx", "images", "raw", "sources")))
        ),
    output:
        "results/data/{dataset}.safetensors",
    log:
        "results/data/logs/{dataset}.log",
    benchmark:
        "results/data/benchmarks/{dataset}.tsv"
    # Downloads are tried again by themselves, and nothing else here may succeed at a second try.
    retries: 0
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=60,
    params:
        extensions=extension_options,
        resources=str(ROOT / "resources"),
        downloads=lambda wildcards, output: str(Path(output[0]).parent / "raw"),
    message:
        "Find or download, verify and unpack the dataset {wildcards.dataset}"
    shell:
        "python -m lottery prepare-dataset --dataset {wildcards.dataset} {params.extensions:q} --resources {params.resources:q}"
        " --downloads {params.downloads:q} --output {output} > {log} 2>&1"
