"""Datasets: the table of them (`sources`), finding and downloading raw files (`raw`), their formats (`idx`, `cifar`),
one file of arrays and its splits (`images`), the order of batches (`batches`).
"""
