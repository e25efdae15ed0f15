"""Training: the loop (`loop`), the table of what computes it (`engines`), on which GPU (`cards`), a job that trains the
networks of a place (`job`), one network in memory (`alone`), and scores that need images (`scores`).
"""
