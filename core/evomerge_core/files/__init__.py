"""YAML and JSON files, and the strict fields of what they hold."""
