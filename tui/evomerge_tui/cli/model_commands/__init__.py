"""Commands about models: look at, fetch, merge, export, score and talk to them."""
