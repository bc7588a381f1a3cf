"""What a user relies on, tested through the public surface on small real files."""
