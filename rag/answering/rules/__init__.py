"""Rules that can rule a claim out, one a file: each ``(claim, evidence) -> reason or None``.

They are vetoes: a claim that no rule rules out is not thereby supported. Each is made for
precision: what it said wrongly of supported claims is in eval/RESULTS.md.
"""
