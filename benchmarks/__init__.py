"""Benchmarks: ratios to floors measured in the same run. `make bench`; see README.md beside this file."""
