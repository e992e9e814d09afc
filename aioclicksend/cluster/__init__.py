"""Several processes and hosts that share one ClickSend account: the extra ``[cluster]``."""

from __future__ import annotations

from ..errors import ConfigurationError

try:
    import psycopg  # noqa: F401 - only to learn whether it is there
except ModuleNotFoundError:
    raise ConfigurationError(
        "aioclicksend.cluster needs: pip install 'aioclicksend[cluster]'"
    ) from None

from .cluster import Cluster
from .journal import PostgresJournal
from .pace import ClusterPace

__all__ = ["Cluster", "ClusterPace", "PostgresJournal"]
