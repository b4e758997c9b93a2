"""Faults of disks and systems at every place where a run or an export writes: nothing is lost, and it goes on afterwards."""
