"""The MSGin5G Server."""
