"""What tests share: tiny models and runs, a loopback hub, tools for screens."""
