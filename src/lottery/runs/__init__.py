"""What a run consists of: its settings read and checked (`reading`), its jobs (`jobs`, `listing`), how their masks and
starts are made (`making`), and what each depends on (`dependence`).
"""
