"""Campaigns: a table of people and a text, planned before a cent is spent."""

from .campaign import Campaign
from .errors import CampaignError
from .plan import Draft, Plan, Price, Problem, Sample
from .receipts import follow, look
from .record import Delivery, Line, Record, resolve
from .rules import QuietHours
from .run import Ending, Run, running
from .source import ContactList, open_table

__all__ = [
    "Campaign",
    "CampaignError",
    "ContactList",
    "Delivery",
    "Draft",
    "Ending",
    "Line",
    "Plan",
    "Price",
    "Problem",
    "QuietHours",
    "Record",
    "Run",
    "Sample",
    "follow",
    "look",
    "open_table",
    "resolve",
    "running",
]
