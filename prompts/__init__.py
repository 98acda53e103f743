"""Prompts as files: Markdown with front matter, filled in by `rag.answering.prompts`."""
