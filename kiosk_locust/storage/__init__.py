"""Buckets, input files, uploads and downloads."""
