# Tickets to take home, and what they are worth: targets of a finished run, of which `all` makes none.


# The best ticket of an experiment, with all that it can be trained again from.
rule export_ticket:
    input:
        levels=rules.collect.output.levels,
        networks=networks_of_tickets,
        dataset=dataset_of,
    output:
        "<results>/tickets/{experiment}.safetensors",
    log:
        "<logs>/export_ticket/{experiment}.log",
    benchmark:
        "<benchmarks>/export_ticket/{experiment}.tsv"
    conda:
        "../../envs/tickets.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
        settings=SETTINGS_FILE,
    params:
        run=of_run,
        extensions=options(SETTINGS.extensions),
        form="ticket",
        code=code.of_verb("export"),
        data=lambda wildcards, input: str(Path(input.dataset).parent),
        depends_on=dependence.of_results(SETTINGS),
    message:
        "Export the best ticket of {wildcards.experiment}, as {params.form}"
    shell:
        "python -m lottery export {params.run:q} {wildcards.experiment} {params.extensions:q} --format {params.form}"
        " --data {params.data:q} --output {output:q} --settings {resources.settings} > {log} 2>&1"


# The same network made smaller, for use alone.
use rule export_ticket as compact_ticket with:
    input:
        levels=rules.collect.output.levels,
        networks=networks_of_tickets,
        dataset=dataset_of,
    output:
        "<results>/tickets/{experiment}.compact.safetensors",
    log:
        "<logs>/compact_ticket/{experiment}.log",
    benchmark:
        "<benchmarks>/compact_ticket/{experiment}.tsv"
    params:
        run=of_run,
        extensions=options(SETTINGS.extensions),
        form="compact",
        code=code.of_verb("export"),
        data=lambda wildcards, input: str(Path(input.dataset).parent),
        depends_on=dependence.of_results(SETTINGS),
    message:
        "Export the best ticket of {wildcards.experiment}, as {params.form}"


# What pruning leaves of each layer of each network.
use rule collect as describe_structure with:
    input:
        masks=[
            f"<results>/{job.place.folder}/mask.safetensors" for job in listing.trainings(SETTINGS) if job.arm.masked
        ],
    output:
        "<results>/tables/structure.csv",
    log:
        "<logs>/describe_structure.log",
    benchmark:
        "<benchmarks>/describe_structure.tsv"
    params:
        run=of_run,
        extensions=options(SETTINGS.extensions),
        verb="describe-structure",
        code=code.of_verb("describe-structure"),
        depends_on=dependence.of_results(SETTINGS),
    message:
        "Tell what pruning leaves of each layer"


# What predictions take, with all cores, so that nothing else runs meanwhile; and what a ticket is worth then.
rule measure_inference:
    input:
        levels=rules.collect.output.levels,
        networks=networks_of_tickets,
        dataset=dataset_of,
    output:
        multiext("<results>/inference/{experiment}/inference", ".csv", ".md", ".pdf", ".svg", ".png"),
        multiext("<results>/inference/{experiment}/worth", ".csv", ".md"),
    log:
        "<logs>/measure_inference/{experiment}.log",
    benchmark:
        "<benchmarks>/measure_inference/{experiment}.tsv"
    conda:
        "../../envs/tickets.yaml"
    threads: cores_at_once
    resources:
        mem_mb=4000,
        runtime=60,
        settings=SETTINGS_FILE,
    params:
        run=lambda wildcards, output: str(Path(output[0]).parents[2]),
        extensions=options(SETTINGS.extensions),
        depends_on=dependence.of_results(SETTINGS),
        data=lambda wildcards, input: str(Path(input.dataset).parent),
        output=lambda wildcards, output: str(Path(output[0]).parent),
        code=code.of_verb("bench-inference"),
    message:
        "Measure what predictions of {wildcards.experiment} take"
    shell:
        "python -m lottery bench-inference {params.run:q} {wildcards.experiment} {params.extensions:q}"
        " --data {params.data:q} --output {params.output:q} --settings {resources.settings} > {log} 2>&1"
