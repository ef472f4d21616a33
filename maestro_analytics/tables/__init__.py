"""Pure: what the tables are, how text becomes values, which rows are one grade. Imports no other room."""

import warnings

with warnings.catch_warnings():
    # pandera imports pyspark.pandas where PySpark is installed, which warns about pandas 3 on every start.
    warnings.simplefilter("ignore", FutureWarning)
    import pandera.polars as _pandera  # noqa: F401
