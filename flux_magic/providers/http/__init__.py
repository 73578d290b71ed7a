"""HTTP for the providers: one session, its limits, retries, guard and errors."""
