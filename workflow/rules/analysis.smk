# Tables, and what they say about the paper's claims.


rule collect:
    input:
        summaries=trained_stacks("summary.json"),
        histories=trained_stacks("history.csv"),
        code=modules("arrays.py", "recipe.py", "analysis/tables.py"),
    output:
        levels=report(
            "<results>/tables/levels.csv",
            caption="../report/levels.rst",
            category="Tables",
            labels={"table": "levels"},
        ),
        curves="<results>/tables/curves.csv",
        settings="<results>/tables/settings.json",
    log:
        "<logs>/collect.log",
    benchmark:
        "<benchmarks>/collect.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        folders=lambda wildcards, input: [str(Path(summary).parent) for summary in input.summaries],
        settings=settings_of_results(),
    message:
        "Collect the results of all trainings in two tables"
    shell:
        "python -m lottery collect --levels {output.levels} --curves {output.curves}"
        " --settings {params.settings:q} --settings-file {output.settings} {params.folders:q} > {log} 2>&1"


rule describe_tickets:
    input:
        weights=[f"<results>/{file}" for file in runs.described_files(SETTINGS)],
        code=modules(
            "arrays.py", "recipe.py", *(f"analysis/{name}.py" for name in ("experiment", "tables", "ticket_weights"))
        ),
    output:
        layers="<results>/tables/layers.csv",
        distributions="<results>/tables/distributions.csv",
    log:
        "<logs>/describe_tickets.log",
    benchmark:
        "<benchmarks>/describe_tickets.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        run=lambda wildcards, output: str(Path(output.layers).parents[1]),
        settings=settings_of_results(),
        extensions=[f"--extension={path}" for path in SETTINGS.extensions],
    message:
        "Tell which weights are in the tickets"
    shell:
        "python -m lottery describe-tickets --run {params.run:q} --settings {params.settings:q} {params.extensions:q}"
        " --layers {output.layers} --distributions {output.distributions} > {log} 2>&1"


rule judge_claims:
    input:
        levels=rules.collect.output.levels,
        layers=layers(),
        code=modules("arrays.py", "recipe.py", "analysis"),
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
        layers=lambda wildcards, input: f"--layers {input.layers}" if input.layers else "",
    message:
        "Judge the paper's claims"
    shell:
        "python -m lottery judge-claims --levels {input.levels} {params.layers} --csv {output.csv} --markdown {output.markdown}"
        " --html {output.html} > {log} 2>&1"
