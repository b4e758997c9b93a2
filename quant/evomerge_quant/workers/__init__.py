"""Workers on more than one card or machine, which Ray starts: the extra `ray`. Without it nothing here is imported."""
