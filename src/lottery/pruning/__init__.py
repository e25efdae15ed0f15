"""Pruning as separate questions: what scores (`criteria`), how many stay in each layer (`allocation`), which exactly
(`selection`).
"""
