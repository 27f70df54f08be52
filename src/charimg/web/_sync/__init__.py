# Generated from src/charimg/web/_async/__init__.py by tools/unasync.py. Do not edit.
"""The workspace for async hosts, and the source of the one for sync hosts."""
