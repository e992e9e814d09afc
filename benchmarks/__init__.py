"""How fast aioclicksend is, against what it could be and what else there is."""
