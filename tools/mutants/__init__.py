"""Change the code in small ways, and demand that the tests see it.

Each mutant is one change of one place: a comparison turned, a condition negated, a constant moved,
a result replaced by ``None``, a statement or an element of a table left out. Of the tests that
belong to the module, those that run the changed line are run, the quickest first. If one fails, or
does not end, the mutant is killed; if all pass, or there are none, it survives and is shown.

The tool leaves out what cannot change what the package does: annotations, docstrings, messages,
logging.
"""
