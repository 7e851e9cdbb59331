"""A report as one HTML file: who did what with whom, and what came out of it."""

from .page import KINDS, write_report

__all__ = ["KINDS", "write_report"]
