"""A collection as one file: backups, and collections shared with their vectors."""
