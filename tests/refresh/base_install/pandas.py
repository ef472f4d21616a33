"""Stands before the real package on the path of a command: the base install has no pandas."""

raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
