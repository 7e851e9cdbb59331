"""Runs that are killed, and the same command again: the result is that of a run in one piece."""

from __future__ import annotations
