"""Breaks sound files at random and has the commands read them: the answer is a good result, or one line and exit status 2."""
