"""One folder per DVC stage, run as `python -m stages.NAME` from the project's root."""
