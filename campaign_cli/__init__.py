"""Bulk email campaigns from the command line: nobody twice, nobody lost, at each provider's pace."""

__version__ = "0.1.0"
