"""`python -m maestro_analytics`: the command line."""

from maestro_analytics.cli import main

main()
