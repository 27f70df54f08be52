"""The source of both worlds: written here, generated into ``_sync``."""
