# What is told of a run's weights beside their accuracy: the error on lines between trained networks, and how alike masks are.


rule interpolate:
    input:
        made_from=line_files_read,
    output:
        line="<results>/{experiment}/{replicates}/{arm}/level{level}/line-{pair}.csv",
    log:
        "<logs>/interpolate/{experiment}.{replicates}.{arm}.level{level}.{pair}.log",
    benchmark:
        "<benchmarks>/interpolate/{experiment}.{replicates}.{arm}.level{level}.{pair}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(3000),
        runtime=more_each_attempt(60),
        gpu=gpus,
        settings=SETTINGS_FILE,
    params:
        run=lambda wildcards, output: run_folder(output),
        place=lambda wildcards: job(wildcards).place.folder,
        extensions=lambda wildcards: options(job(wildcards).extensions),
        depends_on=lambda wildcards: dependence.of_line(line(wildcards)),
        code=code.of_verb("interpolate"),
        told=told,
    message:
        "Measure the line {wildcards.pair}, {params.told}"
    shell:
        "python -m lottery interpolate {params.run:q} {params.place} {wildcards.pair} {params.extensions:q}"
        " --settings {resources.settings} > {log} 2>&1"


rule collect_barriers:
    input:
        lines=line_files(),
        summaries=line_summaries(),
    output:
        "<results>/tables/barriers.csv",
    log:
        "<logs>/collect_barriers.log",
    benchmark:
        "<benchmarks>/collect_barriers.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        settings=SETTINGS_FILE,
    params:
        run=of_run,
        extensions=options(SETTINGS.extensions),
        verb="collect-barriers",
        code=code.of_verb("collect-barriers"),
        depends_on=dependence.of_results(SETTINGS),
    message:
        "Collect how much error rises on the lines between networks"
    shell:
        "python -m lottery {params.verb} {params.run:q} {params.extensions:q} --settings {resources.settings}"
        " > {log} 2>&1"


use rule collect_barriers as compare_masks with:
    input:
        weights=[f"<results>/{file}" for file in listing.compared_files(SETTINGS)],
    output:
        "<results>/tables/overlaps.csv",
    log:
        "<logs>/compare_masks.log",
    benchmark:
        "<benchmarks>/compare_masks.tsv"
    params:
        run=of_run,
        extensions=options(SETTINGS.extensions),
        verb="compare-masks",
        code=code.of_verb("compare-masks"),
        depends_on=dependence.of_results(SETTINGS),
    message:
        "Tell how alike masks are"
