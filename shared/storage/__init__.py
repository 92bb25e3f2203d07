"""The database: tables, statements by concern, engine and migrations."""
