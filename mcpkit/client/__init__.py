"""Code of ours that runs in a client."""
