"""The model that stays in memory: taking weights, generating, log-likelihood."""
