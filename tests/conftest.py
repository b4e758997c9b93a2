"""Makes what several folders of tests use importable: modules beside this file."""
