"""Wheels for all systems: how they are made, and checked."""
