"""Answers token by token: rows that were read advance side by side, on the CPU or in seats on a card."""
