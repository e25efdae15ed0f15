"""What training costs: engines against a plain loop, and the sparse engine's kernels against the processor's limits."""
