"""The archive of a run whose search breeds one."""
