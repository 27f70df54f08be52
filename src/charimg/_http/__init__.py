"""The one room that imports httpx: clients, guarded downloads, error translation."""
