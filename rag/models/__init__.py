"""Models: what turns text into vectors and scores, each behind a protocol."""
