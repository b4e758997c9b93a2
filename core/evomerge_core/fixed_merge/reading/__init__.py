"""What the words of a merge file mean, part by part."""
