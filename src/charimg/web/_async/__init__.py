"""The workspace for async hosts, and the source of the one for sync hosts."""
