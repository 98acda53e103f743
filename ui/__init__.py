"""The edges that people touch: the command line."""
