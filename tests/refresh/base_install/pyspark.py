"""Stands before the real package on the path of a command: the base install has no pyspark."""

raise ModuleNotFoundError("No module named 'pyspark'", name="pyspark")
