# What the run will cost, told before it is paid. No file but the log is made, so it runs whenever it is asked for.


rule plan:
    log:
        "<logs>/plan.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
        settings=SETTINGS_FILE,
    params:
        extensions=options(SETTINGS.extensions),
        cores=cores_at_once,
    message:
        "Estimate what the run will cost"
    shell:
        "python -m lottery plan {resources.settings} {params.extensions:q} --cores {params.cores} 2>&1 | tee {log}"
