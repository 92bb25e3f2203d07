"""The database itself: engine, transactions, tables, accounts, migrations."""
