"""Telling other programs what happened here, and hearing from forges that something was pushed."""
