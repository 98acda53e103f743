"""Measuring Footnoted."""
