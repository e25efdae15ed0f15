# Figures: tables in, pictures out.


rule plot:
    input:
        levels=rules.collect.output.levels,
        details=details,
        code=modules(
            *("arrays.py", "recipe.py", "figures"),
            *(f"analysis/{name}.py" for name in ("appendix_g", "experiment", "measures", "statistics", "tables")),
        ),
    output:
        pdf="<results>/figures/{figure}.pdf",
        svg="<results>/figures/{figure}.svg",
        png=report(
            "<results>/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        "<logs>/plot/{figure}.log",
    benchmark:
        "<benchmarks>/plot/{figure}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        title=lambda wildcards: CATALOG[wildcards.figure].title,
        caption=lambda wildcards: CATALOG[wildcards.figure].caption,
    message:
        "Draw {wildcards.figure}"
    shell:
        "python -m lottery plot --figure {wildcards.figure} --levels {input.levels} --details {input.details}"
        " --output {output.pdf} {output.svg} {output.png} > {log} 2>&1"
