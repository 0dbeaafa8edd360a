"""Floor 3: lists in. CSV, TSV, JSON lines and XLSX become contacts and bad rows."""
