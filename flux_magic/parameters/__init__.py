"""Parameters of a request: settings, the grammar of a cell, placeholders, sizes, addresses."""
