"""Prompts as files, for answers that a language model writes; none are needed until one does."""
