"""Training: the loop (`loop`), what computes it (`torch_engine`), on which GPU (`cards`), and a job that trains a stack
of members (`job`).
"""
