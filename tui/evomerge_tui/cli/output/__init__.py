"""What commands print: tables, live displays, a conversation."""
