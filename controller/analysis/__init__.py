"""Pure statistics: measurements and evidence in, evidence and verdicts out."""
