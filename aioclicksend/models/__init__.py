"""Structs: what is sent, and what comes back."""
