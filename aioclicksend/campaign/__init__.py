"""Campaigns: a table of people and a text, planned before a cent is spent."""

from ..bulk.journal.reader import Line
from ..delivery import Breaker
from ..errors import CampaignError
from ..quiet import QuietHours
from .campaign import FIELDS, Campaign
from .channel import Channel, Mms, Sms, Voice
from .identity import Comparison, Recipients
from .plan import Draft, Plan, Price, Problem, Sample
from .receipts import follow, look, stop_if_failed
from .record import Delivery, Record, resolve
from .report import ReportRow, report_rows
from .run import Ending, Run, running
from .schedule import Schedule
from .source import ContactList, open_table
from .warnings import PlanWarning

__all__ = [
    "FIELDS",
    "Breaker",
    "Campaign",
    "CampaignError",
    "Channel",
    "Comparison",
    "ContactList",
    "Delivery",
    "Draft",
    "Ending",
    "Line",
    "Mms",
    "Plan",
    "PlanWarning",
    "Price",
    "Problem",
    "QuietHours",
    "Recipients",
    "Record",
    "ReportRow",
    "Run",
    "Sample",
    "Schedule",
    "Sms",
    "Voice",
    "follow",
    "look",
    "open_table",
    "report_rows",
    "resolve",
    "running",
    "stop_if_failed",
]
