"""Bringing image files in, without I/O: URLs, answers, limits, sniffing, inspection, names."""
