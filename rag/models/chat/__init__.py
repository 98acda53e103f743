"""Language models: the nouns of a request, and one module for each way to get it answered."""
