"""A point in landing and publishing at which a test can stop the process."""


def reached(step: str) -> None:
    """Do nothing. Tests replace this function to kill the process at a named step."""
