"""Floor 3: durable state. The ledger of a campaign, and what campaigns share."""
