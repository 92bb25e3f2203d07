"""Investigation: search of payments, equal charges, facts of one payment, totals, exports."""
