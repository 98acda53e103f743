"""A run made readable: in a terminal, as Markdown, as one HTML file and for a build server."""
