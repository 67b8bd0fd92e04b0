"""Measures what backprop-tui costs, each figure against a bare process or a bare Python start of the same minute.

`python -m benchmarks [NAME...]` prints the figures and asserts none of them: times belong to the machine they were
measured on, ratios nearly belong to the program.
"""
