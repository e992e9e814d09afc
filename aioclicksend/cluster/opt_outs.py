"""The account's own opt-out lists, read again before a stored campaign is sent.

Between storing a campaign and sending it days may pass. ClickSend moves people who opt out to a
list of the account, but does not obey it in what is sent through the API.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..bulk.dispatch import Suppression, held_back
from ..bulk.outcome import Reason
from ..client import ClickSend
from ..errors import ConfigurationError
from ..webhooks.suppression import asked_keys, is_opt_out_list, stored_keys


class OptOuts:
    """A `Suppression` of people on lists of the account, and of those on other ones."""

    def __init__(self, keys: set[str], others: Sequence[Suppression]) -> None:
        self._keys = keys
        self._others = others

    async def blocked(self, numbers: Sequence[str]) -> dict[str, Reason]:
        """Return those of some numbers that are not to be written to, and why."""
        found: dict[str, Reason] = {}
        for other in self._others:
            found |= await held_back(other, numbers)
        if self._keys:
            ours = [it for it in numbers if not self._keys.isdisjoint(asked_keys(it))]
            found |= dict.fromkeys(ours, Reason.OPTED_OUT)
        return found


async def of_campaign(
    client: ClickSend, options: dict[str, Any], others: Sequence[Suppression]
) -> OptOuts:
    """Return who must not be written to by a campaign stored with some options.

    Raises:
        ConfigurationError: an opt-out holds no number, so the person behind it may be on the list.
        ClickSendError: the account could not be asked.

    """
    lists = set(options.get("opt_out_lists", ()))
    if options.get("account_opt_outs", False):
        lists |= {
            it.list_id
            async for it in client.lists.walk()
            if it.list_id is not None and is_opt_out_list(it.list_name or "")
        }
    keys = set[str]()
    for list_id in sorted(lists):
        async for contact in client.contacts.walk(list_id):
            if not (written := (contact.phone_number or "").strip()):
                continue
            found = stored_keys(written)
            if not found and not options.get("ignore_unread_opt_outs", False):
                raise ConfigurationError(
                    f"no number could be read in the opt-out list {list_id}: correct it, or store "
                    "the campaign with --ignore-unread-opt-outs"
                )
            keys |= found
    return OptOuts(keys, others)
