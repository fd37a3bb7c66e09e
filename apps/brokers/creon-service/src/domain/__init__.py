"""Decisions of the service: no clock, no COM, no network, no store."""
