"""The screens: one file a screen, its style beside it."""
