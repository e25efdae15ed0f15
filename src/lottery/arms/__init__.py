"""Arms: where their masks (`masks`) and starting weights (`starts`) come from, the table of them (`rows`), where their
trainings stand (`places`), and which file is made from which (`lineage`).
"""
