# Figures: tables in, pictures out.


def drawing_code(wildcards):
    """The files whose edit repeats a figure: the module that draws it and all that this imports."""
    return code_of("figures/drawing.py", f"figures/{CATALOG[wildcards.figure].module}.py")


use rule collect as plot with:
    input:
        levels=rules.collect.output.levels,
        details=details,
        code=drawing_code,
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
        extensions=lambda wildcards: [wildcards.figure],
        verb="plot",
        title=lambda wildcards: CATALOG[wildcards.figure].title,
        caption=lambda wildcards: CATALOG[wildcards.figure].caption,
        row=lambda wildcards: repr(CATALOG[wildcards.figure]),
    message:
        "Draw {wildcards.figure}"
