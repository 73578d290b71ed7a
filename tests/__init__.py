"""A package, since another `tests` may be on the path: IPython 7 puts one there."""
