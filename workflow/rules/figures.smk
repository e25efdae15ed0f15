# Figures: tables in, pictures out.


use rule judge_claims as plot with:
    input:
        levels=rules.collect.output.levels,
        details=details,
        code=code_of("figures/drawing.py"),
        extensions=lambda wildcards: own_files(extensions_of_figure(wildcards)),
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
    params:
        run=of_run,
        what=lambda wildcards: wildcards.figure,
        extensions=lambda wildcards: options(extensions_of_figure(wildcards)),
        verb="plot",
        title=lambda wildcards: CATALOG[wildcards.figure].title,
        caption=lambda wildcards: CATALOG[wildcards.figure].caption,
        depends_on=lambda wildcards: CATALOG[wildcards.figure].told,
    message:
        "Draw {wildcards.figure}"
