"""Benchmarks: what a payment costs against a bare request and reply over the same broker."""
