"""Datasets: raw files and their checksums (`sources`), the IDX format (`idx`), one file of arrays and its splits
(`images`), the order of batches (`batches`).
"""
