"""Copies of the engine's modules until it lands."""
