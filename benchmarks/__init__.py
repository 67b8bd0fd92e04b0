"""Measures what backprop-tui costs, each value relative to a bare process or a bare Python start of the same minute.

`python -m benchmarks [NAME...]` prints the results without checking them: times depend on the machine, ratios hardly.
"""
