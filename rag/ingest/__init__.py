"""Files in: formats, sentences, passages."""
