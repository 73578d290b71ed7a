"""All code that knows IPython: the extension, its magics, their completion, the control panel."""
