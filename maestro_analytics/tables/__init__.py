"""Tables, declared once, and files and records read into checked rows. Opens no database and calls no API."""

import warnings

with warnings.catch_warnings():
    # pandera imports pyspark.pandas where PySpark is installed, which warns about pandas 3 on every start.
    warnings.simplefilter("ignore", FutureWarning)
    import pandera.polars as _pandera  # noqa: F401
