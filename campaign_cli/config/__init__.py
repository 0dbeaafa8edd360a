"""campaign.yaml and the command line -> one frozen Settings, with every error at once, each with its place."""
