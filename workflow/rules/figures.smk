# Figures: tables in, pictures out. One job draws all of a run, since what draws takes two seconds to be loaded.


rule plot:
    input:
        levels=rules.collect.output.levels,
        speed=rules.collect.output.speed,
        barriers=barriers(),
        details=details(),
        extensions=own_files(extensions_of_figures()),
    output:
        pdf=expand("<results>/figures/{figure}.pdf", figure=figure_names()),
        svg=expand("<results>/figures/{figure}.svg", figure=figure_names()),
        png=[
            report(
                f"<results>/figures/{figure}.png",
                caption=caption_file(figure),
                category="Figures",
                labels={"figure": figure},
            )
            for figure in figure_names()
        ],
    log:
        "<logs>/plot.log",
    benchmark:
        "<benchmarks>/plot.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        run=of_run,
        figures=figure_names(),
        extensions=options(extensions_of_figures()),
        verb="plot",
        depends_on=[CATALOG[figure].told for figure in figure_names()],
        code=code.of_verb("plot"),
    message:
        "Draw the figures"
    shell:
        "python -m lottery {params.verb} {params.run:q} {params.figures:q} {params.extensions:q} --threads {threads}"
        " > {log} 2>&1"
