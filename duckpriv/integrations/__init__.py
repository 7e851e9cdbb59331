"""Thin bridges to other software. Each needs its extra and is imported by nobody else."""
