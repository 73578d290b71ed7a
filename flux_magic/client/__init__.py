"""Requests in, generations out: the client, its jobs, the blocking calls, the background loop."""
