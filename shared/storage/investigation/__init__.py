"""Investigation of stored payments: search, equal charges, given responses, totals, exports."""
