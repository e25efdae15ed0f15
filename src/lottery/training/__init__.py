"""Training: the loop (`loop`), what computes it (`torch_engine`), a job that trains a stack of members (`job`)."""
