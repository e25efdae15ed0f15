# Raw files, found or downloaded and verified by checksum, to one file of arrays for each dataset.


rule prepare_dataset:
    input:
        extensions=lambda wildcards: own_files(extensions_of_dataset(wildcards)),
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
        settings=SETTINGS_FILE,
    params:
        extensions=lambda wildcards: options(extensions_of_dataset(wildcards)),
        resources=str(ROOT / "resources"),
        downloads=lambda wildcards, output: str(Path(output[0]).parent / "raw"),
        depends_on=lambda wildcards: dependence.of_dataset(SOURCES[wildcards.dataset]),
        code=code.of_verb("prepare-dataset"),
    message:
        "Find or download, verify and unpack the dataset {wildcards.dataset}"
    shell:
        "python -m lottery prepare-dataset {wildcards.dataset} {params.extensions:q} --resources {params.resources:q}"
        " --downloads {params.downloads:q} --settings {resources.settings} --output {output} > {log} 2>&1"
