"""What people call by hand, run as `python -m tools.NAME` from the project's root; none of it is a stage."""
