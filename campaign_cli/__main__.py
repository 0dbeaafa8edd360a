"""`python -m campaign_cli` is `campaign`."""

from campaign_cli.cli.main import main

main()
