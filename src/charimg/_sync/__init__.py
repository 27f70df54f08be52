# Generated from src/charimg/_async/__init__.py by tools/unasync.py. Do not edit.
"""The source of both worlds: written here, generated into ``_sync``."""
