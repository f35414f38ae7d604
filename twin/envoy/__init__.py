"""Envoy: its configuration, what of it changes while it runs, and its admin interface."""
