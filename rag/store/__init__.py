"""The collection on disk: catalog (the truth), vectors (an index of it), both under one lock."""
