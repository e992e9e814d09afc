"""What a campaign raises."""

from ..errors import ConfigurationError


class CampaignError(ConfigurationError, ValueError):
    """The input, the text or an option of a campaign is wrong; nothing was sent.

    Its text is one line: what is wrong, where, and what to do. It names rows and columns, never a
    number or a text of a row.
    """
