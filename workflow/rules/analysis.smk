# Tables, and what they say about the paper's claims.


rule collect:
    input:
        summaries=trained("summary.json"),
        histories=trained("history.csv"),
    output:
        levels=report(
            "<results>/tables/levels.csv",
            caption="../report/levels.rst",
            category="Tables",
            labels={"table": "levels"},
        ),
        curves="<results>/tables/curves.csv",
        speed="<results>/tables/speed.csv",
        weights="<results>/tables/weights.csv",
        settings="<results>/tables/settings.json",
    log:
        "<logs>/collect.log",
    benchmark:
        "<benchmarks>/collect.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
        settings=SETTINGS_FILE,
    params:
        run=of_run,
        extensions=options(SETTINGS.extensions),
        verb="collect",
        depends_on=dependence.of_results(SETTINGS),
        code=code.of_verb("collect"),
    message:
        "Collect the results of all trainings in four tables"
    shell:
        "python -m lottery {params.verb} {params.run:q} {params.extensions:q} --settings {resources.settings} > {log} 2>&1"


use rule collect as describe_tickets with:
    input:
        weights=[f"<results>/{file}" for file in listing.described_files(SETTINGS)],
    output:
        layers="<results>/tables/layers.csv",
        distributions="<results>/tables/distributions.csv",
        pixels="<results>/tables/pixels.csv",
    log:
        "<logs>/describe_tickets.log",
    benchmark:
        "<benchmarks>/describe_tickets.tsv"
    params:
        run=of_run,
        extensions=options(SETTINGS.extensions),
        verb="describe-tickets",
        depends_on=dependence.of_results(SETTINGS),
        code=code.of_verb("describe-tickets"),
    message:
        "Tell which weights are in the tickets"


rule judge_claims:
    input:
        levels=rules.collect.output.levels,
        speed=rules.collect.output.speed,
        layers=layers(),
        barriers=barriers(),
        overlaps=overlaps(),
    output:
        csv=report(
            "<results>/tables/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"claims": "as a table for programs"},
        ),
        markdown="<results>/tables/claims.md",
        html=report(
            "<results>/tables/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"claims": "for reading"},
        ),
    log:
        "<logs>/judge_claims.log",
    benchmark:
        "<benchmarks>/judge_claims.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        run=of_run,
        verb="judge-claims",
        code=code.of_verb("judge-claims"),
    message:
        "Judge the paper's claims"
    shell:
        "python -m lottery {params.verb} {params.run:q} > {log} 2>&1"
