"""The kernel's C, compiled to a module for each back end where there was a compiler."""
