"""Parts of benchmarks/cpu_side_by_side: the rows, and how hussar and each peer do a row's work once."""
