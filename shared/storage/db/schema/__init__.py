"""The schema: its versions, migrations and the columns that tables share."""
