"""The edges: COM, its thread, HTTP, the stream, the store, the login."""
