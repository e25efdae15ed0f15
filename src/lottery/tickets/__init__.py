"""Tickets that people take home: their files (`file`, `export`), what can be done with one (`ticket`, `inspection`,
`verification`, `further`), networks made smaller without a change (`compaction`, `packed`) and run fast (`runtime`).
"""
