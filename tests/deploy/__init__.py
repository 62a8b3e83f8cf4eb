"""Tests of the image and the manifests."""
