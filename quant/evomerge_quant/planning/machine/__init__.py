"""What this machine has and did: its memory and cores, how long past runs took, and the models it has room for."""
