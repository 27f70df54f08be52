"""The Character Library without any I/O: requests, answers, errors, retries, job watching."""
