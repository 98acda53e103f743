"""Live sources: asking arXiv and Daily Papers politely, page by page, into a collection."""
