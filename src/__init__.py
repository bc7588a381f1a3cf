"""The library that the stages call; it is imported from the project's root and never installed."""
