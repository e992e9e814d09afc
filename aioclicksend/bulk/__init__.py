"""Sending many messages: batches, lanes, outcomes, journal, reconciliation."""
