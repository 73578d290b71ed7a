"""Pages of notebooks: one HTML file each, which opens anywhere, runs nothing and fetches nothing, and its PDF."""
